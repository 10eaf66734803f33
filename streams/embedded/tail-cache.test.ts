import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Chunk } from "../chunk.ts";
import { TailCache } from "./tail-cache.ts";

function chunkOf(slot: number, baseOffset: number, count: number, length: number): Chunk {
  const buffer = Buffer.alloc(length);
  const view = new DataView(buffer.buffer, buffer.byteOffset, length);
  const place = { topic: "a.v1", slot, baseOffset, count, timestampMs: 0 };
  return { ...place, buffer, view, start: 0, end: length };
}

describe("TailCache", () => {
  it("keeps the newest groups up to its bytes, and always the last one", () => {
    const cache = new TailCache(100);
    for (let i = 0; i < 5; i++) {
      cache.add([{ topicId: 1, chunk: chunkOf(0, i * 2, 2, 40), at: 0 }], 40);
    }
    expect(cache.bytes).toBe(80);
    expect(cache.firstOffset(1, 0)).toBe(6);
    cache.add([{ topicId: 1, chunk: chunkOf(0, 10, 1, 500), at: 0 }], 500);
    expect(cache.firstOffset(1, 0)).toBe(10);
    expect(cache.firstOffset(1, 1)).toBe(Number.POSITIVE_INFINITY);
  });

  it("gives what a list of the newest chunks gives", () => {
    const group = fc.array(fc.record({ slot: fc.nat(2), count: fc.integer({ min: 1, max: 3 }) }), {
      maxLength: 4,
    });
    const groups = fc.array(group, { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(groups, fc.nat(2), fc.nat(900), fc.nat(100), (all, slot, offset, maxBytes) => {
        const cache = new TailCache(400);
        const ends = [0, 0, 0];
        const kept: Chunk[][] = [];
        for (const chunks of all) {
          const made = chunks.map((chunk) => {
            const base = ends[chunk.slot] as number;
            ends[chunk.slot] = base + chunk.count;
            return chunkOf(chunk.slot, base, chunk.count, 10);
          });
          const bytes = made.length * 10;
          cache.add(
            made.map((chunk) => ({ topicId: 1, chunk, at: 0 })),
            bytes,
          );
          kept.push(made);
        }
        let total = kept.flat().length * 10;
        while (total > 400 && kept.length > 1) total -= (kept.shift() as Chunk[]).length * 10;
        const lane = kept.flat().filter((chunk) => chunk.slot === slot);
        const first = lane[0]?.baseOffset ?? Number.POSITIVE_INFINITY;
        expect(cache.firstOffset(1, slot)).toBe(first);
        if (offset < first || offset >= (ends[slot] as number)) return;
        const got: Chunk[] = [];
        cache.read(1, slot, offset, maxBytes, got);
        const from = lane.findIndex((chunk) => offset < chunk.baseOffset + chunk.count);
        const most = Math.max(1, Math.floor(maxBytes / 10));
        expect(got).toEqual(lane.slice(from, from + most));
      }),
      { numRuns: 60 },
    );
  });
});
