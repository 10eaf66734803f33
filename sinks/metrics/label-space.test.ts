import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LabelSpace } from "./label-space.ts";

describe("the values of a label", () => {
  it("stay within their bounds, whatever comes and goes", () => {
    const step = fc.record({
      value: fc.string({ maxLength: 300, unit: "grapheme" }),
      gone: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        (steps, limit) => {
          const space = new LabelSpace(limit);
          const standing = new Set<string>();
          space.onReleased((label) => expect(standing.delete(label)).toBe(true));
          for (const { value, gone } of steps) {
            if (gone) {
              space.release(value);
              continue;
            }
            const label = space.of(value);
            expect([...label].length).toBeLessThanOrEqual(128);
            expect(label).not.toMatch(/\p{Surrogate}/u);
            if (label !== "other") standing.add(label);
            expect(standing.size).toBeLessThanOrEqual(limit);
          }
        },
      ),
    );
  });

  it("keep a name that has room, and share one beyond", () => {
    const space = new LabelSpace(2);
    expect(["a", "b", "c", "a", "", "d"].map((value) => space.of(value))).toEqual([
      "a",
      "b",
      "other",
      "a",
      "other",
      "other",
    ]);
    expect(space.overflowed).toBe(3);
    space.release("a");
    expect(space.of("")).toBe("none");
  });
});
