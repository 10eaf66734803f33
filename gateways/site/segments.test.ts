import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SegmentBuilder } from "./segments.ts";

describe("SegmentBuilder", () => {
  it("keeps a value at every key, and no two equal neighbours", () => {
    const step = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat({ max: 2 }));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 50 }), (steps) => {
        const builder = new SegmentBuilder(1);
        const expected: number[] = [];
        for (const [length, value] of steps) {
          builder.push(expected.length, value);
          for (let key = 0; key < length; key++) expected.push(value);
        }
        const { starts, values } = builder.finish();
        expect(starts[0]).toBe(0);
        expected.forEach((value, key) => {
          expect(values[starts.findLastIndex((start) => start <= key)]).toBe(value);
        });
        expect(values.every((value, at) => at === 0 || value !== values[at - 1])).toBe(true);
      }),
    );
  });

  it("is empty as one unknown segment, and refuses to go back", () => {
    expect(new SegmentBuilder().finish()).toEqual({
      starts: Float64Array.of(0),
      values: Uint32Array.of(0),
    });
    const builder = new SegmentBuilder();
    builder.push(5, 1);
    expect(() => builder.push(5, 2)).toThrow("does not come after");
  });
});
