import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoreIndex } from "./store-index.ts";

/** Ids under a hash, found as the store does. */
function find(index: StoreIndex, hash: number): number[] {
  const found: number[] = [];
  for (let at = hash >>> index.shift; ; at = (at + 1) & index.mask) {
    const id = (index.pairs[2 * at + 1] as number) - 1;
    if (id < 0) return found;
    if (index.pairs[2 * at] === hash) found.push(id);
  }
}

/** Few hashes, near each other and at both ends, so that runs are long and wrap around. */
const hashes = fc.oneof(
  fc.integer({ min: -4, max: 3 }),
  fc.integer({ min: 0, max: 15 }).map((n) => (n << 28) | 1),
);

describe("StoreIndex", () => {
  it("finds what was added and not removed, while it grows and shifts", () => {
    const steps = fc.array(fc.tuple(hashes, fc.boolean()), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (list) => {
        const index = new StoreIndex();
        const held: { hash: number; id: number }[] = [];
        list.forEach(([hash, removes], id) => {
          index.add(hash, id);
          held.push({ hash, id });
          if (removes) {
            const [gone] = held.splice(id % held.length, 1) as [{ hash: number; id: number }];
            index.remove(gone.hash, gone.id);
          }
          expect(index.count).toBe(held.length);
        });
        for (const [hash] of list) {
          const ids = held.filter((entry) => entry.hash === hash).map((entry) => entry.id);
          expect(find(index, hash).sort((a, b) => a - b)).toEqual(ids);
        }
        expect(index.count / (index.mask + 1)).toBeLessThanOrEqual(0.7);
      }),
      { numRuns: 150 },
    );
  });
});
