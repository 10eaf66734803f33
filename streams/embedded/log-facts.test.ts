import fs from "node:fs";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { type GroupFacts, LogFacts, loadCheckpoint } from "./log-facts.ts";
import { StateDb } from "./state-db.ts";
import { newFolder, removeFolders } from "./testing/log-fixture.ts";

let db: StateDb;
beforeEach(() => {
  const folder = newFolder();
  fs.mkdirSync(folder);
  db = new StateDb(folder, false);
});
afterEach(() => db.close());
afterAll(removeFolders);

const position = { topic: "a.v1", slot: 1, offset: 9 };
function group(n: number): GroupFacts {
  const state = { commit: n, positions: [position], chain: new Uint8Array(16).fill(n) };
  return {
    topics: n === 0 ? [{ id: 1, name: "a.v1", table: true }] : [],
    sources: [["feed", String(n)]],
    tasks: [{ processor: "rib", slot: 2, state }],
    chunks: [{ topicId: 1, slot: 1, baseOffset: n * 10, count: 10, length: 100 }],
  };
}

function summary(facts: LogFacts) {
  const topics = [...facts.topics.all()].map(({ id, name, table, starts, ends, sizes }) => {
    return [id, name, table, [...starts], [...ends], [...sizes]];
  });
  const { sources, tasks, segments, spaces } = facts;
  return { topics, sources, tasks, segments, spaces };
}

const checkpoint = { sequence: 3, segment: 1, epoch: 1, position: 64, bootId: "boot" };

describe("LogFacts", () => {
  it("take a group that they have a second time without a change", () => {
    const facts = new LogFacts(3);
    for (const n of [0, 1, 2]) facts.apply(group(n));
    const before = structuredClone(summary(facts));
    expect(before.topics).toEqual([[1, "a.v1", true, [0, 0, 0], [0, 30, 0], [0, 300, 0]]]);
    for (const n of [1, 2]) facts.apply(group(n));
    expect(summary(facts)).toEqual(before);
  });

  it("are loaded as they were saved, whenever that was", () => {
    const facts = new LogFacts(3);
    expect(loadCheckpoint(db)).toBeUndefined();
    for (const n of [0, 1, 2]) {
      facts.apply(group(n));
      facts.setSegment(1, { epoch: 1, length: 64 + n, lastMs: n });
      facts.space(`store/${n}`);
      db.write("testing", false, () => {
        facts.saveSpaces(db, [`store/${n}`]);
        facts.save(db, checkpoint);
      });
      facts.saved();
      const loaded = new LogFacts(3);
      loaded.load(db);
      expect(summary(loaded)).toEqual(summary(facts));
      expect(loaded.space("store/next")).toBe(facts.spaces.size + 1);
    }
    expect(loadCheckpoint(db)).toEqual(checkpoint);
  });

  it("keep what changed until a save ended well", () => {
    const facts = new LogFacts(3);
    facts.apply(group(0));
    const failing = (): void =>
      db.write("testing", false, () => {
        facts.save(db, checkpoint);
        throw new Error("no");
      });
    expect(failing).toThrow("no");
    db.write("testing", false, () => facts.save(db, checkpoint));
    const loaded = new LogFacts(3);
    loaded.load(db);
    expect(summary(loaded)).toEqual(summary(facts));
  });
});
