import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpenCdnError } from "../../streams/errors.ts";
import { tarOf } from "../../test/kits/tar-archive.ts";
import { readTar } from "./tar-reader.ts";

async function* inPieces(bytes: Uint8Array, piece: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}

async function read(bytes: Uint8Array, piece = 700): Promise<[string, string][]> {
  const files: [string, string][] = [];
  for await (const { name, bytes: content } of readTar(
    inPieces(bytes, piece),
    () => true,
    10_000,
  )) {
    files.push([name, Buffer.from(content).toString("latin1")]);
  }
  return files;
}

describe("tar archives", () => {
  it("reads any files in any pieces", async () => {
    const files = fc.array(
      fc.tuple(
        fc.stringMatching(/^[a-z/]{1,90}$/),
        fc.string({ unit: "binary-ascii", maxLength: 1_500 }),
      ),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 2_000 }), async (wanted, piece) => {
        expect(await read(tarOf(wanted), piece)).toEqual(wanted);
      }),
      { numRuns: 50 },
    );
  });

  it("says so when it is cut, damaged, or a file is too large", async () => {
    const archive = tarOf([["a", "x".repeat(600)]]);
    await expect(read(archive.subarray(0, 800))).rejects.toThrow("truncated");
    await expect(read(archive.subarray(0, 100))).rejects.toThrow("truncated");
    const flipped = Uint8Array.from(archive);
    flipped[3] = 1;
    await expect(read(flipped)).rejects.toThrow("checksum");
    await expect(read(tarOf([["a", "x".repeat(10_001)]]))).rejects.toThrow("10001 bytes");
  });

  it("ends in an error of one sentence on random bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), async (bytes) => {
        fc.pre(bytes.some((byte) => byte !== 0));
        await expect(read(bytes)).rejects.toBeInstanceOf(OpenCdnError);
      }),
      { numRuns: 50 },
    );
  });
});
