import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Chunk, RecordCursor } from "../chunk.ts";
import { packMessages } from "./chunk-packer.ts";
import { Inbox } from "./inbox.ts";

/** A chunk of records at these neighbouring offsets, each with its offset as key. */
function chunkAt(baseOffset: number, count: number, slot: number = 0): Chunk {
  const messages = Array.from({ length: count }, (_, index) => ({
    topic: "a.v1",
    partition: slot,
    offset: baseOffset + index,
    timestampMs: 1,
    key: Buffer.from(String(baseOffset + index)),
    value: Buffer.from("value"),
  }));
  return packMessages(messages).chunks[0] as Chunk;
}

/** Offsets that a task at `position` finds, reading as it does. */
function taken(inbox: Inbox, position: number, maxBytes: number = 1_000): number[] {
  const offsets: number[] = [];
  let at = position;
  while (at < inbox.endOffset("a.v1", 0)) {
    for (const chunk of inbox.read("a.v1", 0, at, maxBytes)) {
      const cursor = new RecordCursor().open(chunk, at);
      while (cursor.next()) {
        offsets.push(cursor.offset);
        at = cursor.offset + 1;
      }
    }
  }
  return offsets;
}

const layout = fc
  .array(fc.record({ gap: fc.nat(3), count: fc.integer({ min: 1, max: 5 }) }), { maxLength: 12 })
  .map((parts) => {
    let next = 0;
    return parts.map(({ gap, count }) => {
      const chunk = chunkAt(next + gap, count);
      next += gap + count;
      return chunk;
    });
  });

describe("the inbox", () => {
  it("gives every record from a position on, in order, over gaps", () => {
    fc.assert(
      fc.property(layout, fc.nat(40), fc.integer({ min: 1, max: 200 }), (chunks, from, bytes) => {
        const inbox = new Inbox();
        inbox.open("a.v1", 0, 0);
        for (const chunk of chunks) inbox.add(chunk);
        const all = chunks.flatMap(({ baseOffset, count }) =>
          Array.from({ length: count }, (_, index) => baseOffset + index),
        );
        expect(taken(inbox, from, bytes)).toEqual(all.filter((offset) => offset >= from));
      }),
    );
  });

  it("holds what is not released, so that it can be taken again", () => {
    fc.assert(
      fc.property(layout, fc.nat(40), (chunks, committed) => {
        const inbox = new Inbox();
        inbox.open("a.v1", 0, 0);
        for (const chunk of chunks) inbox.add(chunk);
        const before = taken(inbox, committed);
        inbox.release("a.v1", 0, committed);
        expect(taken(inbox, committed)).toEqual(before);
        inbox.release("a.v1", 0, 1_000);
        expect(inbox.sizeBytes).toBe(0);
      }),
    );
  });

  it("drops what it was given before and what is not open", () => {
    const inbox = new Inbox();
    expect(inbox.add(chunkAt(0, 2))).toBe(false);
    inbox.open("a.v1", 0, 5);
    expect(inbox.add(chunkAt(0, 5))).toBe(false);
    expect(inbox.add(chunkAt(4, 4))).toBe(true);
    expect(inbox.add(chunkAt(4, 4))).toBe(false);
    expect(taken(inbox, 5)).toEqual([5, 6, 7]);
    inbox.close("a.v1", 0);
    expect(inbox.sizeBytes).toBe(0);
    expect(inbox.endOffset("a.v1", 0)).toBe(0);
  });

  it("begins anew at another offset", () => {
    const inbox = new Inbox();
    inbox.open("a.v1", 0, 0);
    inbox.add(chunkAt(0, 3));
    inbox.open("a.v1", 0, 1);
    expect(inbox.sizeBytes).toBe(0);
    inbox.add(chunkAt(1, 2));
    expect(taken(inbox, 1)).toEqual([1, 2]);
  });
});
