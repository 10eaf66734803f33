import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpenCdnError } from "../../streams/errors.ts";
import { parseRttMatrix } from "./rtt-matrix.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("matrices of round-trip times", () => {
  it("reads seconds, puts 5 ms for 0 and clips", () => {
    const { size, rttMs } = parseRttMatrix(bytesOf("0\t0.25\t9.16\n0.0001 0 1e-2\r\n2 0.5 0"), "m");
    expect(size).toBe(3);
    expect([...rttMs]).toEqual([5, 250, 2_000, 1, 5, 10, 2_000, 500, 5]);
  });

  it.each([
    ["0 1\n1", "line 2: 1 columns instead of 2"],
    ["0 1\n1 0\n1 1\n", "line 3: more rows than columns"],
    ["0 1\n", "1 rows for 2 columns"],
    ["0 x\n1 0\n", "line 1: column 2 is no time"],
    ["0 -1\n1 0\n", "line 1: column 2 is no time"],
    ["0 1e999\n1 0\n", "line 1: column 2 is no time"],
    ["0 1\n1 NaN\n", "line 2: column 2 is no time"],
    ["", "0 columns"],
    [`${"0 ".repeat(1_001)}\n`, "1001 columns"],
  ])("refuses %j", (text, message) => {
    expect(() => parseRttMatrix(bytesOf(text), "m")).toThrow(message);
  });

  it("gives a whole matrix or an error of one sentence for any bytes", () => {
    const text = fc.string({
      unit: fc.constantFrom("0", "1", ".", " ", "\t", "\n", "e", "-", "x"),
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), text.map(bytesOf)), (bytes) => {
        try {
          const { size, rttMs } = parseRttMatrix(bytes, "m");
          expect(rttMs.length).toBe(size * size);
          expect(rttMs.every((value) => value >= 1 && value <= 2_000)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(OpenCdnError);
        }
      }),
    );
  });

  it("reads back what was written", () => {
    const matrix = fc.integer({ min: 2, max: 8 }).chain((size) =>
      fc.array(fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: size, maxLength: size }), {
        minLength: size,
        maxLength: size,
      }),
    );
    fc.assert(
      fc.property(matrix, (rows) => {
        const text = rows.map((row) => row.map((ms) => String(ms / 1_000)).join("\t")).join("\n");
        const { rttMs } = parseRttMatrix(bytesOf(text), "m");
        expect([...rttMs].map(Math.round)).toEqual(rows.flat());
      }),
    );
  });
});
