import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IntMap } from "./int-map.ts";

describe("IntMap", () => {
  it("agrees with a Map over any pairs", () => {
    const small = fc.integer({ min: -3, max: 3 });
    const word = fc.oneof(small, fc.integer());
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word, word), { maxLength: 200 }), (entries) => {
        const map = new IntMap(8);
        const expected = new Map<string, number>();
        for (const [high, low, value] of entries) {
          expect(map.get(high, low)).toBe(expected.get(`${high} ${low}`));
          map.set(high, low, value);
          expected.set(`${high} ${low}`, value);
        }
        expect(map.size).toBe(expected.size);
        for (const [high, low] of entries) {
          expect(map.get(high, low)).toBe(expected.get(`${high} ${low}`));
        }
      }),
    );
  });

  it("grows", () => {
    const map = new IntMap(8);
    for (let at = 0; at < 100_000; at++) map.set(at & 1, at * 4_096, at);
    expect(map.size).toBe(100_000);
    expect(map.get(1, 99_999 * 4_096)).toBe(99_999);
    expect(map.get(0, 99_999 * 4_096)).toBeUndefined();
  });
});
