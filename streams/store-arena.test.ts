import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunkOf, classBytes, classOf, StoreArena, wordOf } from "./store-arena.ts";

interface Block {
  readonly ref: number;
  readonly sizeClass: number;
}

/** Place of a block as one number, over chunks of at most 1 MiB. */
const placeOf = ({ ref }: Block): number => chunkOf(ref) * 1_048_576 + wordOf(ref) * 4;

const sizes = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 300, max: 270_000 }) },
);

describe("size classes", () => {
  it("hold their sizes, and waste at most a quarter", () => {
    for (let size = 1; size < 300_000; size += size < 5_000 ? 1 : 997) {
      const held = classBytes[classOf(size)] as number;
      expect(held).toBeGreaterThanOrEqual(size);
      expect(held).toBeLessThanOrEqual(Math.max(size + 7, size * 1.25));
      expect(held % 8).toBe(0);
    }
  });
});

describe("StoreArena", () => {
  it("gives blocks that never overlap, and uses freed ones again", () => {
    const steps = fc.array(fc.tuple(sizes, fc.nat(9)), { minLength: 10, maxLength: 120 });
    fc.assert(
      fc.property(steps, (list) => {
        const arena = new StoreArena(2 ** 31 - 1);
        const blocks: Block[] = [];
        for (const [size, chance] of list) {
          const freed = chance < 4 ? blocks.splice(chance, 1)[0] : undefined;
          if (freed !== undefined) arena.free(freed.ref, freed.sizeClass);
          const sizeClass = freed?.sizeClass ?? classOf(size);
          const ref = arena.allocate(sizeClass, false);
          if (freed !== undefined) expect(ref).toBe(freed.ref);
          blocks.push({ ref, sizeClass });
        }
        const sorted = [...blocks].sort((a, b) => placeOf(a) - placeOf(b));
        sorted.forEach((block, i) => {
          const end = placeOf(block) + (classBytes[block.sizeClass] as number);
          const chunk = arena.bytes[chunkOf(block.ref)] as Buffer;
          expect(
            wordOf(block.ref) * 4 + (classBytes[block.sizeClass] as number),
          ).toBeLessThanOrEqual(chunk.length);
          const next = sorted[i + 1];
          if (next !== undefined) expect(end).toBeLessThanOrEqual(placeOf(next));
        });
      }),
      { numRuns: 50 },
    );
  });

  it("keeps what is written while its first chunk grows", () => {
    const arena = new StoreArena(2 ** 31 - 1);
    const refs: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      const ref = arena.allocate(classOf(1_000), false);
      (arena.words[chunkOf(ref)] as Int32Array)[wordOf(ref)] = i;
      refs.push(ref);
    }
    refs.forEach((ref, i) => {
      expect((arena.words[chunkOf(ref)] as Int32Array)[wordOf(ref)]).toBe(i);
    });
    expect(arena.sizeBytes).toBeLessThanOrEqual(3 * 1_048_576);
  });

  it("refuses more than its bound unless it is forced", () => {
    const arena = new StoreArena(8_192);
    const large = classOf(4_096);
    expect(arena.allocate(large, false)).toBeGreaterThanOrEqual(0);
    expect(arena.allocate(large, false)).toBeGreaterThanOrEqual(0);
    expect(arena.allocate(large, false)).toBe(-1);
    expect(arena.sizeBytes).toBe(8_192);
    expect(arena.allocate(large, true)).toBeGreaterThanOrEqual(0);
    arena.clear();
    expect(arena.sizeBytes).toBe(0);
  });
});
