import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordCursor } from "../chunk.ts";
import { maxKeyBytes, maxRecordBytesOf } from "../limits.ts";
import { type Message, packMessages } from "./chunk-packer.ts";

const bytes = fc.uint8Array({ maxLength: 30 });

/** Messages of a few partitions in the order of their offsets, with gaps and changes of the timestamp. */
const messages = fc
  .array(
    fc.record({
      topic: fc.constantFrom("a.v1", "b.v1"),
      partition: fc.nat(2),
      gap: fc.constantFrom(0, 0, 0, 1, 7),
      later: fc.constantFrom(0, 0, 0, 5),
      key: bytes,
      value: fc.option(bytes, { nil: null }),
    }),
    { maxLength: 40 },
  )
  .map((drawn) => {
    const next = new Map<string, { offset: number; timestampMs: number }>();
    return drawn.map(({ topic, partition, gap, later, key, value }): Message => {
      const place = `${topic}/${partition}`;
      const { offset, timestampMs } = next.get(place) ?? { offset: 0, timestampMs: 1_000 };
      const message = {
        topic,
        partition,
        offset: offset + gap,
        timestampMs: timestampMs + later,
        key,
        value,
      };
      next.set(place, { offset: message.offset + 1, timestampMs: message.timestampMs });
      return message;
    });
  });

function recordsOf(chunks: ReturnType<typeof packMessages>["chunks"]): Message[] {
  const records: Message[] = [];
  for (const chunk of chunks) {
    const cursor = new RecordCursor().open(chunk);
    let count = 0;
    while (cursor.next()) {
      const { topic, slot, offset, timestampMs, buffer, keyStart, keyEnd } = cursor;
      const key = Uint8Array.from(buffer.subarray(keyStart, keyEnd));
      const value =
        cursor.valueStart < 0
          ? null
          : Uint8Array.from(buffer.subarray(cursor.valueStart, cursor.valueEnd));
      records.push({ topic, partition: slot, offset, timestampMs, key, value });
      count += 1;
    }
    expect(count).toBe(chunk.count);
  }
  return records;
}

function byPlace(list: readonly Message[]): Map<string, Message[]> {
  const places = new Map<string, Message[]>();
  for (const message of list) {
    const place = `${message.topic}/${message.partition}`;
    places.set(place, [...(places.get(place) ?? []), message]);
  }
  return places;
}

describe("packing messages", () => {
  it("keeps every record of each partition, its order, offset and timestamp", () => {
    fc.assert(
      fc.property(messages, (drawn) => {
        const { chunks, odd } = packMessages(drawn);
        expect(odd).toEqual([]);
        expect(byPlace(recordsOf(chunks))).toEqual(byPlace(drawn));
      }),
    );
  });

  it("gives records that do not depend on how the client grouped them", () => {
    fc.assert(
      fc.property(messages, fc.nat(40), (drawn, cut) => {
        const parts = [drawn.slice(0, cut), drawn.slice(cut)];
        const apart = parts.flatMap((part) => recordsOf(packMessages(part).chunks));
        expect(byPlace(apart)).toEqual(byPlace(recordsOf(packMessages(drawn).chunks)));
      }),
    );
  });

  it("tells messages over the limits and goes on with the next", () => {
    const base = { topic: "a.v1", partition: 0, timestampMs: 1, key: Uint8Array.of(1) };
    const { chunks, odd } = packMessages([
      { ...base, offset: 0, value: null },
      { ...base, offset: 1, value: null, key: new Uint8Array(maxKeyBytes + 1) },
      { ...base, offset: 2, value: new Uint8Array(maxRecordBytesOf("a.v1") + 1) },
      { ...base, offset: 3, value: new Uint8Array(0) },
    ]);
    expect(odd.map(({ offset }) => offset)).toEqual([1, 2]);
    expect(recordsOf(chunks).map(({ offset }) => offset)).toEqual([0, 3]);
  });
});
