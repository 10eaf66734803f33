import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { defineSchema } from "../../schemas/event-schema.ts";
import type { Chunk } from "../chunk.ts";
import type { CommitResult, EmbeddedLog } from "./embedded-log.ts";
import {
  draft,
  feed,
  newFolder,
  openLog,
  readAll,
  recordsOf,
  removeFolders,
  section,
  storeChanges,
  storeEntries,
  tableEntries,
} from "./testing/log-fixture.ts";

let log: EmbeddedLog | undefined;
afterEach(async () => {
  await log?.close();
  log = undefined;
});
afterAll(removeFolders);

async function open(...args: Parameters<typeof openLog>): Promise<EmbeddedLog> {
  await log?.close();
  log = await openLog(...args);
  return log;
}

describe("a new log", () => {
  it("keeps its identity, slots and kind", async () => {
    const folder = newFolder();
    const first = await open(folder, { logId: "log-1", historical: true });
    expect([first.logId, first.slots, first.historical]).toEqual(["log-1", 3, true]);
    const again = await open(folder, { logId: "other", slots: 3 });
    expect([again.logId, again.slots, again.historical]).toEqual(["log-1", 3, true]);
    await again.close();
    await expect(openLog(folder, { slots: 4 })).rejects.toMatchObject({
      code: "OCDN_SLOTS_DIFFER",
      message: `opening ${folder}: the log has 3 slots, not 4`,
    });
  });

  it("has an id that nobody else has, and nothing in it", async () => {
    const one = await open(newFolder());
    const other = await openLog(newFolder());
    expect(one.logId).not.toBe(other.logId);
    await other.close();
    expect(one.topics()).toEqual([]);
    expect(one.read("a.v1", 0, 0, 100)).toEqual([]);
    expect(one.snapshot("table.a.v1", 0)).toEqual({ chunks: [], offset: 0 });
    expect(one.endOffset("a.v1", 0)).toBe(0);
    expect(one.taskState("rib", 0)).toBeUndefined();
  });

  it("refuses an impossible number of slots and can then be made with another", async () => {
    const folder = newFolder();
    await expect(openLog(folder, { slots: 0 })).rejects.toMatchObject({ code: "OCDN_CONFIG" });
    expect((await open(folder, { slots: 2 })).slots).toBe(2);
  });
});

describe("a commit", () => {
  it("makes records, stores, positions and task states visible together", async () => {
    const folder = newFolder();
    let one = await open(folder);
    const positions = [{ topic: "in.v1", slot: 1, offset: 2 }];
    const result = await one.commit({
      drafts: [
        draft({
          slot: 1,
          commit: 7,
          positions,
          outputs: [section("out.v1", 2, [["a", "1"]]), section("table.a.v1", 1, [["t", "x"]])],
          stores: [
            storeChanges("routes", [
              ["k2", "b"],
              ["k1", "a"],
            ]),
          ],
        }),
      ],
      appends: [
        {
          source: "feed",
          previous: undefined,
          position: "12",
          sections: [section("in.v1", 1, [["b", "2"]])],
        },
      ],
    });
    expect(result.appends).toEqual([{ kind: "appended" }]);
    expect(result.chunks.map(({ topic, slot, count }) => [topic, slot, count])).toEqual([
      ["out.v1", 2, 1],
      ["table.a.v1", 1, 1],
      ["in.v1", 1, 1],
    ]);
    for (let round = 0; round < 2; round++) {
      expect(readAll(one, "out.v1", 2)).toEqual([["a", "1"]]);
      expect(readAll(one, "in.v1", 1)).toEqual([["b", "2"]]);
      expect(one.sourcePosition("feed")).toBe("12");
      expect(one.taskState("rib", 1)).toEqual({
        commit: 7,
        positions,
        chain: new Uint8Array(16).fill(7),
      });
      expect(storeEntries(one, "rib", 1, "routes")).toEqual([
        ["k1", "a"],
        ["k2", "b"],
      ]);
      expect(storeEntries(one, "rib", 0, "routes")).toEqual([]);
      expect(tableEntries(one, "table.a.v1", 1)).toEqual([["t", "x"]]);
      one = await open(folder);
    }
  });

  it("appends a source's records where its position is the expected one, once", async () => {
    const one = await open(newFolder());
    const records = (value: string) => [section("in.v1", 0, [["k", value]])];
    const append = (previous: string | undefined, position: string) => ({
      source: "feed",
      previous,
      position,
      sections: records(position),
    });
    const { appends } = await one.commit({
      drafts: [],
      appends: [
        append(undefined, "1"),
        append(undefined, "1"),
        append("1", "2"),
        append("7", "8"),
        { ...append(undefined, "1"), source: "other" },
      ],
    });
    expect(appends).toEqual([
      { kind: "appended" },
      { kind: "duplicate" },
      { kind: "appended" },
      { kind: "conflict", position: "2" },
      { kind: "appended" },
    ]);
    expect(readAll(one, "in.v1", 0)).toEqual([
      ["k", "1"],
      ["k", "2"],
      ["k", "1"],
    ]);
    const again = await one.commit({ drafts: [], appends: [append("1", "2"), append("1", "3")] });
    expect(again).toEqual({
      appends: [{ kind: "duplicate" }, { kind: "conflict", position: "2" }],
      chunks: [],
    });
    expect(one.endOffset("in.v1", 0)).toBe(3);
  });

  it("tells listeners in commit order, until they stop", async () => {
    const one = await open(newFolder());
    const seen: (readonly Chunk[])[] = [];
    const stop = one.onCommitted((result: CommitResult) => seen.push(result.chunks));
    const group = (n: number) => feed(n, n + 1, section("in.v1", 0, [["k", String(n)]]));
    await Promise.all([one.commit(group(0)), one.commit(group(1)), one.commit(group(2))]);
    stop();
    await one.commit(group(3));
    expect(seen.map(recordsOf)).toEqual([[["k", "0"]], [["k", "1"]], [["k", "2"]]]);
  });

  it("refuses to queue more than a few", async () => {
    const one = await open(newFolder());
    const group = (n: number) => feed(n, n + 1, section("in.v1", 0, [["k", "v"]]));
    const commits = [0, 1, 2, 3].map((n) => one.commit(group(n)));
    const outcomes = await Promise.allSettled(commits);
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "rejected",
    ]);
    expect(outcomes[3]).toMatchObject({ reason: { code: "OCDN_OVERLOADED" } });
  });

  it("is refused after close, which finishes what was asked before", async () => {
    const folder = newFolder();
    const one = await openLog(folder);
    const asked = one.commit(feed(0, 1, section("in.v1", 0, [["k", "v"]])));
    const closed = one.close();
    await expect(one.commit(feed(1, 2))).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    await Promise.all([asked, closed]);
    expect(readAll(await open(folder), "in.v1", 0)).toEqual([["k", "v"]]);
  });

  it("keeps what it wrote when the caller uses its memory again", async () => {
    const one = await open(newFolder());
    const records = section("in.v1", 0, [["k", "before"]]);
    await one.commit(feed(0, 1, records));
    records.bytes.fill(0);
    expect(readAll(one, "in.v1", 0)).toEqual([["k", "before"]]);
  });
});

describe("reading", () => {
  it("gives the same from memory and from disk, from any offset", async () => {
    const folder = newFolder();
    const small = { tailCacheBytes: 600 };
    let one = await open(folder, { segmentBytes: 4_096 }, small);
    const expected: (readonly [string, string])[] = [];
    for (let n = 0; n < 60; n++) {
      const records = [0, 1, 2].map((i) => [`k${n}`, `${i}`.repeat(20)] as const);
      expected.push(...records);
      await one.commit(
        feed(n, n + 1, section("in.v1", 1, records), section("x.v1", 0, [["k", "v"]])),
      );
    }
    for (let round = 0; round < 2; round++) {
      for (const [offset, maxBytes] of [
        [0, 1],
        [0, 100_000],
        [1, 200],
        [100, 1_000],
        [178, 50],
        [179, 1],
      ] as const) {
        expect(readAll(one, "in.v1", 1, offset, maxBytes)).toEqual(expected.slice(offset));
      }
      expect(one.read("in.v1", 1, 180, 1_000)).toEqual([]);
      expect(one.read("in.v1", 1, 5_000, 1_000)).toEqual([]);
      expect(one.read("in.v1", 1, 4, 1).map(({ baseOffset }) => baseOffset)).toEqual([3]);
      one = await open(folder, { segmentBytes: 4_096 }, small);
    }
    const { topic, slot, sizeBytes } = one.topics()[0] as ReturnType<typeof one.topics>[0];
    expect([topic, slot, sizeBytes]).toEqual(["in.v1", 1, 30 * 28 + 150 * 29]);
  });

  it("counts what is in a topic", async () => {
    const one = await open(newFolder());
    await one.commit(feed(0, 1, section("in.v1", 2, [["k", "v"]])));
    expect(one.topics()).toEqual([
      { topic: "in.v1", slot: 2, startOffset: 0, endOffset: 1, sizeBytes: 8 },
    ]);
  });
});

describe("a table", () => {
  it("gives its latest values, removed ones not, before and after checkpoints", async () => {
    const folder = newFolder();
    let one = await open(folder);
    const topic = "table.a.v1";
    await one.commit(
      feed(
        0,
        1,
        section(topic, 0, [
          ["a", "1"],
          ["b", "1"],
          ["a", "2"],
        ]),
      ),
    );
    one = await open(folder);
    await one.commit(
      feed(
        1,
        2,
        section(topic, 0, [
          ["b", null],
          ["c", "3"],
          ["c", "4"],
          ["never", null],
        ]),
      ),
    );
    const expected = [
      ["a", "2"],
      ["c", "4"],
    ];
    expect(tableEntries(one, topic, 0)).toEqual(expected);
    expect(one.snapshot(topic, 0).offset).toBe(7);
    expect(tableEntries(one, topic, 1)).toEqual([]);
    one = await open(folder);
    expect(tableEntries(one, topic, 0)).toEqual(expected);
    expect(one.snapshot(topic, 0).offset).toBe(7);
  });

  it("comes in several chunks when it is large", async () => {
    const one = await open(newFolder());
    const value = "v".repeat(50_000);
    const records = Array.from({ length: 60 }, (_, i) => [`key-${100 + i}`, value] as const);
    await one.commit(feed(0, 1, section("table.a.v1", 0, records)));
    const { chunks } = one.snapshot("table.a.v1", 0);
    expect(chunks.length).toBeGreaterThan(2);
    expect(recordsOf(chunks)).toEqual(records);
  });

  it("is no table when nobody says so", async () => {
    const one = await open(newFolder());
    await one.commit(feed(0, 1, section("in.v1", 0, [["k", "v"]])));
    expect(one.snapshot("in.v1", 0)).toEqual({ chunks: [], offset: 1 });
  });
});

describe("a topic that becomes a table", () => {
  it("has the latest values of all that was written before", async () => {
    const folder = newFolder();
    let one = await open(folder, { tables: new Set() });
    const topic = "table.a.v1";
    await one.commit(
      feed(
        0,
        1,
        section(topic, 2, [
          ["a", "1"],
          ["b", "1"],
          ["a", "2"],
          ["b", null],
        ]),
      ),
    );
    expect(one.snapshot(topic, 2).chunks).toEqual([]);
    for (let round = 0; round < 2; round++) {
      one = await open(folder);
      expect(tableEntries(one, topic, 2)).toEqual([["a", "2"]]);
    }
  });
});

describe("names", () => {
  it.each([
    ["source", { source: "s".repeat(513) }],
    ["position", { position: "ŝ".repeat(4_097) }],
    ["topic", { sections: [section("t".repeat(513), 0, [["k", "v"]])] }],
  ])("of a %s that are too long are refused, and nothing is written", async (_, fields) => {
    const one = await open(newFolder());
    const append = { source: "feed", previous: undefined, position: "1", sections: [], ...fields };
    await expect(one.commit({ drafts: [], appends: [append] })).rejects.toMatchObject({
      code: "OCDN_LIMIT",
    });
    await one.commit(feed(0, 1, section("in.v1", 0, [["k", "v"]])));
    expect(one.topics()).toHaveLength(1);
  });
});

describe("a closed log", () => {
  it("refuses everything that would touch the disk", async () => {
    const folder = newFolder();
    const one = await openLog(folder, {}, { tailCacheBytes: 1 });
    await one.commit(feed(0, 1, section("table.a.v1", 0, [["k", "v"]])));
    await one.commit(feed(1, 2, section("table.a.v1", 0, [["k", "v"]])));
    await one.close();
    await one.close();
    const closed = expect.objectContaining({ code: "OCDN_DISCONNECTED" });
    await expect(one.commit(feed(2, 3))).rejects.toEqual(closed);
    await expect(one.registerSchemas([defineSchema<never>('"int"')])).rejects.toEqual(closed);
    expect(() => one.read("table.a.v1", 0, 0, 1)).toThrow("it is closed");
    expect(() => one.snapshot("table.a.v1", 0)).toThrow("it is closed");
  });
});

describe("schemas", () => {
  it("keep their ids", async () => {
    const folder = newFolder();
    const number = defineSchema<never>('{"type":"record","name":"N","fields":[]}');
    const text = defineSchema<never>('"string"');
    let one = await open(folder);
    await one.registerSchemas([number]);
    await one.registerSchemas([number, text]);
    const ids = [one.schemas.idOf(number), one.schemas.idOf(text)];
    expect(ids).toEqual([1, 2]);
    one = await open(folder);
    expect([one.schemas.idOf(number), one.schemas.idOf(text)]).toEqual(ids);
  });
});

describe("the folder", () => {
  it("is readable by its user only", async () => {
    const folder = newFolder();
    await (await open(folder)).commit(feed(0, 1, section("in.v1", 0, [["k", "v"]])));
    const modes = fs
      .readdirSync(folder, { recursive: true })
      .map((name) => fs.statSync(path.join(folder, String(name))).mode & 0o077);
    expect(modes.length).toBeGreaterThan(5);
    expect(new Set(modes)).toEqual(new Set([0]));
  });
});
