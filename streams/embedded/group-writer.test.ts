import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxChunkBytes, maxRecordBytes } from "../limits.ts";
import { readGroupState, storeChangesOf } from "./group-state.ts";
import { GroupWriter } from "./group-writer.ts";
import { groupHeaderBytes, readChunk } from "./segment-format.ts";
import { draft, recordsOf, section, storeChanges } from "./testing/log-fixture.ts";
import { TopicTable } from "./topic-table.ts";

const isTable = (topic: string): boolean => topic.startsWith("table.");
const frame = { sequence: 5, epoch: 2, timestampMs: 77, drafts: [], sections: [], sources: [] };

describe("GroupWriter", () => {
  it("joins the sections of a topic and slot in order, drafts first", () => {
    const writer = new GroupWriter(new TopicTable(4), isTable);
    const image = writer.build({
      ...frame,
      drafts: [
        draft({ outputs: [section("a.v1", 1, [["k", "1"]]), section("b.v1", 0, [["k", "2"]])] }),
        draft({ slot: 1, outputs: [section("a.v1", 1, [["k", "3"]])] }),
      ],
      sections: [section("a.v1", 1, [["k", "4"]]), section("a.v1", 2, [])],
    });
    expect(image.chunks.map(({ chunk }) => [chunk.topic, chunk.slot, chunk.baseOffset])).toEqual([
      ["a.v1", 1, 0],
      ["b.v1", 0, 0],
    ]);
    const [first] = image.chunks.map(({ chunk }) => chunk);
    expect(recordsOf(first === undefined ? [] : [first]).map(([, value]) => value)).toEqual([
      "1",
      "3",
      "4",
    ]);
  });

  it("goes on with the committed offsets and defines only new topics", () => {
    const topics = new TopicTable(4);
    topics.define({ id: 9, name: "a.v1", table: false }).ends[1] = 40;
    const image = new GroupWriter(topics, isTable).build({
      ...frame,
      sections: [section("a.v1", 1, [["k", "1"]]), section("table.v1", 3, [["k", null]])],
    });
    expect(image.topics).toEqual([{ id: 10, name: "table.v1", table: true }]);
    expect(image.chunks.map(({ chunk }) => chunk.baseOffset)).toEqual([40, 0]);
    expect(topics.byName("table.v1")).toBeUndefined();
  });

  it("splits at record boundaries where a chunk would grow over its limit", () => {
    const value = "v".repeat(maxRecordBytes);
    const records = Array.from({ length: 40 }, (_, i): [string, string] => [`key-${i}`, value]);
    const image = new GroupWriter(new TopicTable(1), isTable).build({
      ...frame,
      sections: [section("a.v1", 0, records)],
    });
    const chunks = image.chunks.map(({ chunk }) => chunk);
    expect(chunks.length).toBeGreaterThan(1);
    for (const chunk of chunks) expect(chunk.end - chunk.start).toBeLessThanOrEqual(maxChunkBytes);
    expect(recordsOf(chunks)).toEqual(records);
    let next = 0;
    for (const { baseOffset, count } of chunks) {
      expect(baseOffset).toBe(next);
      next += count;
    }
  });

  it("leaves large sections where they lie, in order between the small ones", () => {
    const large = "v".repeat(40_000);
    const sections = [
      section("a.v1", 1, [["k", "1"]]),
      section("a.v1", 1, [["k", large]]),
      section("a.v1", 1, [["k", "2"]]),
      section("b.v1", 0, [["k", "3"]]),
      section("a.v1", 1, [["k", "4"]]),
      section("b.v1", 0, [["k", large]]),
    ];
    const image = new GroupWriter(new TopicTable(4), isTable).build({ ...frame, sections });
    const chunks = image.chunks.map(({ chunk }) => chunk);
    expect(chunks.map((chunk) => [chunk.topic, chunk.baseOffset, chunk.count])).toEqual([
      ["a.v1", 0, 1],
      ["a.v1", 1, 1],
      ["a.v1", 2, 2],
      ["b.v1", 0, 1],
      ["b.v1", 1, 1],
    ]);
    expect(chunks[1]?.buffer.buffer).toBe(sections[1]?.bytes.buffer);
    expect(chunks[2]?.buffer.buffer).not.toBe(sections[2]?.bytes.buffer);
    expect(recordsOf(chunks).map(([, value]) => value)).toEqual(["1", large, "2", "4", "3", large]);
    const body = Buffer.concat(image.body);
    expect(body.length).toBe(image.bodyBytes);
    expect(image.heldBytes).toBeGreaterThanOrEqual(image.bodyBytes);
    for (const { chunk, at } of image.chunks) {
      const { baseOffset, count } = chunk;
      expect(readChunk(body, at, body.length)).toMatchObject({ baseOffset, count });
    }
  });

  it("refuses a slot that the log does not have", () => {
    const writer = new GroupWriter(new TopicTable(2), isTable);
    const sections = [section("a.v1", 2, [["k", "v"]])];
    expect(() => writer.build({ ...frame, sections })).toThrow("there is no slot 2");
  });
});

describe("the image of a group", () => {
  const text = fc.string({ maxLength: 12 });
  const records = fc.array(fc.tuple(text, fc.option(text)), { maxLength: 4 });
  const drafts = fc.array(
    fc.record({
      processor: fc.constantFrom("rib", "decide", "ŝlosilo"),
      slot: fc.nat(3),
      commit: fc.nat(),
      stores: fc.array(fc.tuple(text, records), { maxLength: 3 }),
      positions: fc.array(
        fc.record({
          topic: fc.constantFrom("a.v1", "b.v1"),
          slot: fc.nat(3),
          offset: fc.maxSafeNat(),
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 4 },
  );
  const sources = fc.array(fc.tuple(text, text), { maxLength: 3 });

  it("holds every fact of the commit", () => {
    fc.assert(
      fc.property(drafts, sources, (fields, positions) => {
        const commits = fields.map(({ stores, ...rest }) =>
          draft({ ...rest, stores: stores.map(([name, list]) => storeChanges(name, list)) }),
        );
        const writer = new GroupWriter(new TopicTable(4), isTable);
        const image = writer.build({ ...frame, drafts: commits, sources: positions });
        const state = readGroupState(image.head, groupHeaderBytes, () => undefined);
        expect(state.topics).toEqual(image.topics);
        expect(state.sources).toEqual(positions);
        const tasks = state.tasks.map(({ processor, slot, state: task }) => ({
          processor,
          slot,
          ...task,
        }));
        expect(tasks).toEqual(
          commits.map(({ processor, slot, commit, positions: at, chain }) => {
            return { processor, slot, commit, positions: at, chain };
          }),
        );
        expect(storeChangesOf(state)).toEqual(image.stores);
        const written = image.stores.map(({ start, end }) => image.head.subarray(start, end));
        const given = commits.flatMap(({ stores }) => stores);
        expect(written).toEqual(
          given.map(({ bytes, length }) => Buffer.from(bytes.subarray(0, length))),
        );
      }),
    );
  });

  it("marks its chunks with the low bits of its sequence", () => {
    const sequence = 2 ** 40 + 3;
    const image = new GroupWriter(new TopicTable(1), isTable).build({
      ...frame,
      sequence,
      sections: [section("a.v1", 0, [["k", "v"]])],
    });
    const body = Buffer.concat(image.body);
    expect(readChunk(body, 0, body.length)).toMatchObject({ sequence: 3, count: 1 });
  });
});
