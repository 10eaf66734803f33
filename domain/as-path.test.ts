import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AsSegment,
  type AsSegmentKind,
  asPathLength,
  checkAsPath,
  formatAsPath,
  originAsn,
  packAsPath,
  unpackAsPath,
} from "./as-path.ts";

const asn = fc.integer({ min: 0, max: 0xffffffff });
const segment: fc.Arbitrary<AsSegment> = fc.record({
  kind: fc.constantFrom<AsSegmentKind>("set", "sequence", "confedSequence", "confedSet"),
  asns: fc.array(asn, { minLength: 1, maxLength: 6 }),
});

function pack(...segments: AsSegment[]): Uint8Array {
  const packed = packAsPath(segments);
  if (!(packed instanceof Uint8Array)) throw new Error(packed.code);
  return packed;
}

const sequence = (...asns: number[]): AsSegment => ({ kind: "sequence", asns });
const set = (...asns: number[]): AsSegment => ({ kind: "set", asns });
const confed = (...asns: number[]): AsSegment => ({ kind: "confedSequence", asns });

describe("packed AS paths", () => {
  it("give back their segments", () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
        expect(unpackAsPath(pack(...segments))).toEqual(segments);
      }),
    );
  });

  it("count as RFC 4271 and 5065 say", () => {
    expect(asPathLength(pack())).toBe(0);
    expect(asPathLength(pack(sequence(1, 2, 2), set(7, 8, 9)))).toBe(4);
    expect(asPathLength(pack(confed(65001, 65002), sequence(1, 2)))).toBe(2);
  });

  it("name one origin or none", () => {
    expect(originAsn(pack())).toBe(0);
    expect(originAsn(pack(sequence(3356, 4200000001)))).toBe(4200000001);
    expect(originAsn(pack(sequence(3356), set(64500)))).toBe(64500);
    expect(originAsn(pack(sequence(3356), set(64500, 64501)))).toBe(0);
    expect(originAsn(pack(sequence(3356, 1), confed(65001)))).toBe(1);
    expect(originAsn(pack(confed(65001)))).toBe(0);
    expect(originAsn(new Uint8Array([2, 3, 0, 0, 0, 1]))).toBe(0);
  });

  it("print as people write them", () => {
    const path = pack(confed(65001, 65002), sequence(1, 2), set(3, 4), {
      kind: "confedSet",
      asns: [5, 6],
    });
    expect(formatAsPath(path)).toBe("(65001 65002) 1 2 {3,4} [5,6]");
    expect(formatAsPath(pack())).toBe("");
  });

  it("refuse bytes that are no path, and say where", () => {
    const cases: [number[], string, number][] = [
      [[5, 1, 0, 0, 0, 1], "segmentType", 0],
      [[2, 1, 0, 0, 0, 1, 2, 0], "emptySegment", 6],
      [[2, 2, 0, 0, 0, 1], "truncated", 0],
      [[2, 1, 0, 0, 0, 1, 2], "truncated", 6],
    ];
    for (const [bytes, code, offset] of cases) {
      expect(unpackAsPath(new Uint8Array(bytes))).toEqual({ kind: "failure", code, offset });
    }
    expect(checkAsPath(new Uint8Array([2, 2, 0, 1, 0, 2]), 0, 6, 2)).toBeUndefined();
    expect(packAsPath([sequence(-1)])).toMatchObject({ code: "asn" });
    expect(packAsPath([sequence()])).toMatchObject({ code: "emptySegment" });
    expect(packAsPath([sequence(...new Array<number>(256).fill(1))])).toMatchObject({
      code: "tooLong",
    });
  });

  it("answer for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const segments = unpackAsPath(bytes);
        if (Array.isArray(segments)) expect(packAsPath(segments)).toEqual(bytes);
        expect(asPathLength(bytes)).toBeGreaterThanOrEqual(0);
        expect(originAsn(bytes)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
