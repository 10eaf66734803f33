import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bzip2Error, bunzip2 } from "./bunzip2.ts";
import { seeded } from "./testing/mrt-generator.ts";

/** Made by bzip2 1.0.8 from `text` and `runs` below. */
const compressedText = Buffer.from(
  "QlpoOTFBWSZTWVFH/nMAASxZgAAQQAB/4AIAlgBQBLxAPdeAXgAIyfqmx56qkUYI1T9UfqbTVACKqP/9VT3oxVQg" +
    "EnqqgAAETVUAA09cGxsbFjY2LBo2LGxsbFio2LBo2LGxsbFjY2LBo2jY2LGxsWZmeusz16zOvWd3n3xv586+fQFY" +
    "ARbbbeoSSSSOgKwdAC22224SSckhgBXQA92228tc4kkmw7A4PYA1bbq1znEkmgaBsOwBu292rJItvdBsNA0Ftu5P" +
    "cOc5ziT2A4OwNi228mQ++eeaHjd8btbtXdaVO8zM6zM6zMzMzM1mtb85U5Xm3jdrdq7p5vOvRawmpSoGpSpSoTaw" +
    "lrArYkCiktaycXby9PIskTcTeO5VAkgVUpUJtYS1hNSlQNSlQm7u70vul93WbrlUtTdq9gAYAGAABgAYviWyVp33" +
    "Se7rN1yqWuAYAAGABgAYG7u9uypu8nPdJ7us3XFyAwAMADAAAwBJXpfNupucnPdJ7us09gAYAAGABgAL4l5a5dl9" +
    "W6m5yc90lfwADAAwAMAABIWpx7rl2X1bqbnJyVAYAGAABgAYAkr1bTcTcqd1RxNzduAAUVUVUVV+QAF/IAC/T7k2" +
    "EsaLFjRoxFjRYsaDRY0aMRY0WLGixY0aKNFixosWNGjEWSjRoo0aKKKKSjRoo0aKKKKSjRoo0aKKJKNGijRoooo0" +
    "ZMUUYoxjGMmKKMUYxjGTFFGKMYMmKKMUYxiiIkxGIiIiJMRiIiIiTEYiSIkxGIiJAEIAAEIAAEIABCA2wicIAC8I" +
    "AC/xdyRThQkFFH/nMA==",
  "base64",
);
const compressedRuns = Buffer.from(
  "QlpoMTFBWSZTWXv+HGIAAJR/////////////////////////////////////////////sAF6KAl//6qqgAAAATJg" +
    "AAABGEwAAAAaAAAACYBqYAGgAAAAAAAAAAAAAATAABJgAJgACYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF" +
    "eqSmRhNMmATI0ZMJpgBMEGjTBGARkwAZTBDAEDQxMjTRk0wjJpkaYmEyMjEyMmIwJpkGhhMmBGQ00wRkaAuV/iFy" +
    "wMgZjSjTA0BqDYG404OBqAcg6GpB2DwHoPgfhACCEJIEhSJI38JIkr+UmSdKEpSpK0sS1LkvTBMUyTNNE1TZN04T" +
    "lOk7TxPU+T9QFBf0/tQlDURRX+KMo6kKSpSlqYpqnKeqCoqkqaqKqqyrqwrKtK2riuq8r6wLCsSAfdAGCEIYBRCF" +
    "xjlgYeCGQKeAaEKIWBRCPIeg9h8HAHBHCD6H4P65Lmui6rsu68LyvS9r4vq/P9X9gGBYJg2EYVhkC/5h2IYlimLY" +
    "xjWOY9kGRZJBMmyjKssy7MMyzTNs4zrPM+0DQtE0bSNK0zTtQ1LVNW1jWtc17YNi2TZto2rbNu3Dct03beN63zfu" +
    "A4LhOG4jiuM47kOS5TluY5rnOe6Douk6bqOq6zruw7LtO27juu877wPC8TxvIwvlQLzPO9D0vU9b/3se17nvfB8X" +
    "yfN9H1fZGkFk/uyr8Py/T9i7kinChIPf8OMQ",
  "base64",
);
const empty = Buffer.from("QlpoORdyRThQkAAAAAA=", "base64");

const text = Buffer.from(
  Array.from({ length: 300 }, (_, line) => `${line} ${"route".repeat(line % 7)}\n`).join(""),
);
const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
const runs = Buffer.concat([
  Buffer.from(`${"a".repeat(1000)}bbbb${"c".repeat(255)}${"d".repeat(259)}`),
  bytes,
  bytes,
  bytes,
]);

function pieces(data: Uint8Array, size: number): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += size) list.push(data.subarray(at, at + size));
  return list;
}

async function unpack(data: Uint8Array, size: number = data.length): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bunzip2(pieces(data, size))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function faultOf(data: Uint8Array): Promise<string> {
  try {
    await unpack(data);
  } catch (error) {
    if (error instanceof Bzip2Error) return error.fault;
    throw error;
  }
  return "none";
}

describe("bunzip2", () => {
  it("gives back text and runs, however the input is cut", async () => {
    for (const size of [1, 7, 100_000]) {
      expect((await unpack(compressedText, size)).equals(text)).toBe(true);
      expect((await unpack(compressedRuns, size)).equals(runs)).toBe(true);
    }
    expect(await unpack(empty)).toHaveLength(0);
  });

  it("reads streams in a row and ignores what follows", async () => {
    const joined = Buffer.concat([compressedText, empty, compressedRuns, Buffer.from("garbage")]);
    expect((await unpack(joined, 50)).equals(Buffer.concat([text, runs]))).toBe(true);
  });

  it("names what is wrong", async () => {
    expect(await faultOf(Buffer.from("not bzip2"))).toBe("header");
    expect(await faultOf(Buffer.from("BZh0"))).toBe("header");
    expect(await faultOf(Buffer.from("BZh9 but no block follows"))).toBe("magic");
    const checksum = Buffer.from(compressedText);
    checksum[10] = (checksum[10] ?? 0) ^ 1;
    expect(await faultOf(checksum)).toBe("checksum");
    for (let length = 0; length < compressedText.length; length += 7) {
      expect(["truncated", "header"]).toContain(await faultOf(compressedText.subarray(0, length)));
    }
  });

  it("ends on any damage, with the same bytes or a named fault", async () => {
    const place = fc.nat({ max: compressedText.length - 1 });
    const damage = fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(damage, async (places) => {
        const data = Buffer.from(compressedText);
        for (const [at, mask] of places) data[at] = (data[at] ?? 0) ^ mask;
        const fault = await faultOf(data);
        if (fault === "none") expect((await unpack(data)).equals(text)).toBe(true);
        else expect(fault.length).toBeGreaterThan(0);
      }),
      { numRuns: 60 },
    );
  });

  const installed = spawnSync("bzip2", ["--help"]).error === undefined;
  it.skipIf(!installed)("gives back blocks of every level (skipped: needs bzip2)", async () => {
    const random = seeded(5);
    const data = Buffer.alloc(260_000);
    for (let at = 0; at < data.length; ) {
      const end = Math.min(at + 1 + Math.floor(random() * 30), data.length);
      data.fill(Math.floor(random() * 256) & (at % 5 === 0 ? 3 : 255), at, end);
      at = end;
    }
    for (const level of ["-1", "-2", "-9"]) {
      const { stdout } = spawnSync("bzip2", ["-c", level], { input: data, maxBuffer: 2 ** 22 });
      expect((await unpack(stdout, 65_536)).equals(data)).toBe(true);
    }
  });
});
