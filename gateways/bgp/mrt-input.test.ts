import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompressionError } from "./compression-error.ts";
import { compressionOf, decompress } from "./mrt-input.ts";

async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** What was given, and the error behind it. */
async function unpack(data: Buffer, size: number): Promise<[Buffer, unknown]> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of decompress(pieces(data, size))) chunks.push(chunk);
  } catch (error) {
    return [Buffer.concat(chunks), error];
  }
  return [Buffer.concat(chunks), undefined];
}

const text = Buffer.from(Array.from({ length: 40_000 }, (_, line) => `line ${line}`).join("\n"));

describe("decompression", () => {
  it("goes by what a file begins with", () => {
    expect(compressionOf(gzipSync(text))).toBe("gzip");
    expect(compressionOf(Buffer.from("BZh9"))).toBe("bzip2");
    expect(compressionOf(Buffer.alloc(0))).toBe("none");
    expect(() => compressionOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))).toThrow("Zstandard");
  });

  it("gives gzip members in a row, and plain bytes as they are", async () => {
    const joined = Buffer.concat([gzipSync(text), gzipSync(text)]);
    const [unpacked, error] = await unpack(joined, 4_096);
    expect(error).toBeUndefined();
    expect(unpacked.equals(Buffer.concat([text, text]))).toBe(true);
    expect((await unpack(text, 1_000))[0].equals(text)).toBe(true);
  });

  it("ignores zeros behind the last gzip member and nothing else", async () => {
    const packed = gzipSync(text);
    for (const size of [packed.length, 8_192, 1_000, packed.length + 500]) {
      const [padded, none] = await unpack(Buffer.concat([packed, Buffer.alloc(20_000)]), size);
      expect(none).toBeUndefined();
      expect(padded.equals(text)).toBe(true);
      for (const zeros of [0, 100, 9_000]) {
        const tail = Buffer.concat([Buffer.alloc(zeros), Buffer.from("garbage".repeat(2_000))]);
        const [unpacked, error] = await unpack(Buffer.concat([packed, tail]), size);
        expect(error).toBeInstanceOf(CompressionError);
        expect(unpacked.subarray(0, 100_000).equals(text.subarray(0, 100_000))).toBe(true);
      }
    }
  });

  it("gives all that stands before a damage", async () => {
    const packed = gzipSync(text, { level: 0 });
    const damaged = Buffer.from(packed);
    damaged.fill(0xff, damaged.length - 100_000, damaged.length - 99_900);
    const kept: number[] = [];
    for (const data of [damaged, packed.subarray(0, packed.length - 90_000)]) {
      const [unpacked, error] = await unpack(data, 8_192);
      expect(error).toBeInstanceOf(CompressionError);
      const sound = data === damaged ? text.length - 101_000 : unpacked.length;
      expect(unpacked.subarray(0, sound).equals(text.subarray(0, sound))).toBe(true);
      kept.push(unpacked.length);
    }
    expect(Math.min(...kept)).toBeGreaterThan(text.length - 300_000);
  });

  it("ends on any damage", async () => {
    const packed = gzipSync(text.subarray(0, 20_000));
    const place = fc.nat({ max: packed.length - 1 });
    const damage = fc.tuple(
      place,
      fc.integer({ min: 1, max: 255 }),
      fc.integer({ min: 50, max: 9_000 }),
    );
    await fc.assert(
      fc.asyncProperty(damage, async ([at, mask, size]) => {
        const data = Buffer.from(packed);
        data[at] = (data[at] ?? 0) ^ mask;
        const [unpacked, error] = await unpack(data, size);
        if (error === undefined) expect(unpacked.length).toBeGreaterThan(0);
        else expect(error).toBeInstanceOf(CompressionError);
      }),
      { numRuns: 60 },
    );
  });
});
