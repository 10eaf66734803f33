import fs from "node:fs";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { ChunkIndex } from "./chunk-index.ts";
import type { ChunkPlace } from "./segment-files.ts";
import { StateDb } from "./state-db.ts";
import { newFolder, removeFolders } from "./testing/log-fixture.ts";

let db: StateDb;
beforeEach(() => {
  const folder = newFolder();
  fs.mkdirSync(folder);
  db = new StateDb(folder);
});
afterEach(() => db.close());
afterAll(removeFolders);

function place(baseOffset: number, count: number, segment: number, length: number): ChunkPlace {
  return { baseOffset, count, segment, position: 64 + baseOffset * 7, length };
}

function save(index: ChunkIndex): void {
  const mark = index.mark();
  db.write("testing", false, () => index.save(mark));
  index.forget(mark);
}

/** `counts` chunks of topic 3, slot 1; saved after every chunk whose number is in `saves`. */
function fill(index: ChunkIndex, counts: readonly number[], saves: ReadonlySet<number>) {
  const places: ChunkPlace[] = [];
  let next = 0;
  counts.forEach((count, i) => {
    const made = place(next, count, 1 + Math.floor(i / 50), 10);
    places.push(made);
    index.add(3, 1, made);
    index.add(3, 2, place(i, 1, 1, 1));
    next += count;
    if (saves.has(i)) save(index);
  });
  return places;
}

describe("ChunkIndex", () => {
  it("finds the same places in memory, in LMDB and across both", () => {
    const counts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 200 });
    const wanted = fc.record({ offset: fc.nat(2_000), bytes: fc.nat(300), stop: fc.nat(2_000) });
    fc.assert(
      fc.property(counts, fc.array(fc.nat(199)), wanted, (list, saves, { offset, bytes, stop }) => {
        db.write("testing", false, () => {
          for (const slot of [1, 2]) {
            for (let segment = 1; segment < 5; segment++) {
              new ChunkIndex(db).removeFirst(3, slot, segment);
            }
          }
        });
        const index = new ChunkIndex(db);
        const places = fill(index, list, new Set(saves));
        const last = places.at(-1) as ChunkPlace;
        const end = Math.min(stop, last.baseOffset + last.count);
        if (offset >= end) return;
        const from = places.findIndex((one) => offset < one.baseOffset + one.count);
        const expected = places
          .slice(from, from + Math.max(1, Math.floor(bytes / 10)))
          .filter((one, i) => i === 0 || one.baseOffset < end);
        expect(index.find(3, 1, offset, bytes, end)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  it("names the gap when it has one", () => {
    const index = new ChunkIndex(db);
    index.add(3, 1, place(10, 5, 1, 10));
    expect(() => index.find(3, 1, 4, 100, 15)).toThrow(
      "no chunk of topic 3, slot 1 holds offset 4",
    );
  });

  it("removes the blocks of one segment after the other", () => {
    const index = new ChunkIndex(db);
    const places = fill(index, new Array<number>(120).fill(2), new Set([30, 119]));
    db.write("testing", false, () => {
      expect(index.removeFirst(3, 1, 2)).toBeUndefined();
      expect(index.removeFirst(3, 1, 1)).toEqual({ startOffset: 100, sizeBytes: 500 });
      expect(index.removeFirst(3, 1, 2)).toEqual({ startOffset: 200, sizeBytes: 500 });
    });
    expect(index.find(3, 1, 200, 1_000, 240)).toEqual(places.slice(100));
    expect(index.find(3, 2, 0, 20, 120)).toHaveLength(20);
  });

  it("keeps what came after the mark", () => {
    const index = new ChunkIndex(db);
    index.add(3, 1, place(0, 1, 1, 10));
    const mark = index.mark();
    index.add(3, 1, place(1, 1, 1, 10));
    db.write("testing", false, () => index.save(mark));
    index.forget(mark);
    expect(index.recent(3, 1)).toEqual([place(1, 1, 1, 10)]);
    expect(index.find(3, 1, 0, 100, 2)).toEqual([place(0, 1, 1, 10), place(1, 1, 1, 10)]);
  });

  it("orders offsets beyond 32 bits", () => {
    const index = new ChunkIndex(db);
    const bases = [2 ** 32 - 5, 2 ** 32, 2 ** 32 + 10];
    for (const [i, base] of bases.entries())
      index.add(3, 1, { ...place(0, 10, 1 + i, 10), baseOffset: base });
    save(index);
    const found = index.find(3, 1, 2 ** 32 + 9, 10, 2 ** 32 + 20);
    expect(found.map(({ baseOffset }) => baseOffset)).toEqual([2 ** 32]);
  });
});
