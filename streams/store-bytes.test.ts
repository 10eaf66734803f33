import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareRanges, copyRange, equalRange, ViewOfLast } from "./store-bytes.ts";

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

describe("ranges of bytes", () => {
  it("are copied to any place, and nothing around them", () => {
    const lengths = fc.oneof(fc.nat(20), fc.integer({ min: 250, max: 270 }));
    fc.assert(
      fc.property(lengths, fc.nat(9), fc.nat(9), (length, start, at) => {
        const from = Uint8Array.from({ length: length + start + 3 }, (_, i) => (i * 37) & 255);
        const to = new Uint8Array(length + at + 5).fill(7);
        const wanted = Uint8Array.from(to);
        wanted.set(from.subarray(start, start + length), at);
        copyRange(from, viewOf(from), start, length, to, viewOf(to), at);
        expect(to).toEqual(wanted);
      }),
    );
  });

  it("compare as Buffer.compare does", () => {
    const bytes = fc.uint8Array({ maxLength: 11 }).map((list) => list.map((byte) => byte & 0x81));
    fc.assert(
      fc.property(bytes, bytes, fc.nat(3), (a, b, shift) => {
        const shifted = new Uint8Array(b.length + shift);
        shifted.set(b, shift);
        const order = compareRanges(viewOf(a), 0, a.length, viewOf(shifted), shift, b.length);
        expect(Math.sign(order)).toBe(Buffer.compare(a, b));
        if (a.length === b.length) {
          const equal = equalRange(viewOf(a), 0, viewOf(shifted), shift, a.length);
          expect(equal).toBe(Buffer.compare(a, b) === 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("ViewOfLast", () => {
  it("follows the array that is passed, and forgets it", () => {
    const views = new ViewOfLast();
    const first = Uint8Array.of(1, 2, 3).subarray(1);
    const second = Uint8Array.of(9);
    expect(views.of(first).getUint8(0)).toBe(2);
    expect(views.of(first)).toBe(views.of(first));
    expect(views.of(second).getUint8(0)).toBe(9);
    const before = views.of(first);
    views.forget();
    expect(views.of(first)).not.toBe(before);
  });
});
