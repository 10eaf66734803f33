import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordBatch } from "./batch.ts";

const key = Buffer.from("key");

function add(batch: RecordBatch, topic: string, slot: number, value: Uint8Array): void {
  batch.add(topic, slot, key, 0, key.length, value, 0, value.length);
}

function contentOf(batch: RecordBatch): unknown[] {
  return batch.sections().map(({ topic, slot, count, length, bytes }) => {
    return { topic, slot, count, bytes: Buffer.from(bytes.subarray(0, length)).toString("hex") };
  });
}

const records = fc.array(
  fc.record({
    topic: fc.constantFrom("a.v1", "b.v1"),
    slot: fc.nat(2),
    value: fc.uint8Array({ maxLength: 700 }),
  }),
  { maxLength: 20 },
);

describe("a batch", () => {
  it("holds the same records whatever the batch was that it is like", () => {
    fc.assert(
      fc.property(records, records, (before, after) => {
        const like = new RecordBatch();
        for (const { topic, slot, value } of before) add(like, topic, slot, value);
        const fresh = new RecordBatch();
        const sized = new RecordBatch(like);
        for (const { topic, slot, value } of after) {
          add(fresh, topic, slot, value);
          add(sized, topic, slot, value);
        }
        expect(contentOf(sized)).toEqual(contentOf(fresh));
      }),
    );
  });

  it("begins its sections as large as those of the one that it is like, up to a bound", () => {
    const like = new RecordBatch();
    add(like, "a.v1", 0, new Uint8Array(100_000));
    for (let i = 0; i < 15; i++) add(like, "a.v1", 1, new Uint8Array(100_000));
    const sized = new RecordBatch(like);
    for (const slot of [0, 1, 2]) add(sized, "a.v1", slot, new Uint8Array(1));
    const [first, second, third] = sized.sections();
    expect(first?.bytes.length).toBeGreaterThan(100_000);
    expect(second?.bytes.length).toBe(1_048_576);
    expect(third?.bytes.length).toBe(512);
  });

  it("takes back what was added since the mark", () => {
    const batch = new RecordBatch();
    add(batch, "a.v1", 0, Uint8Array.of(1));
    const before = contentOf(batch);
    batch.mark();
    add(batch, "a.v1", 0, Uint8Array.of(2));
    add(batch, "b.v1", 1, Uint8Array.of(3));
    batch.rollback();
    expect(contentOf(batch)).toEqual(before);
    expect(batch.count).toBe(1);
  });
});
