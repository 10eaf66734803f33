import fs from "node:fs";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import type { EmbeddedLog } from "./embedded-log.ts";
import {
  crashImage,
  draft,
  newFolder,
  openLog,
  readAll,
  removeFolders,
  section,
  storeChanges,
  storeEntries,
  type TextRecord,
  tableEntries,
} from "./testing/log-fixture.ts";

afterAll(removeFolders);

const streams = ["a.v1", "b.v1"];
const tables = ["table.a.v1", "table.b.v1"];
const topics = [...streams, ...tables];
const slots = 3;

/** What a log should say, kept in the plainest way. */
class Model {
  readonly records = new Map<string, TextRecord[]>();
  readonly stores = new Map<string, Map<string, string>>();
  readonly sources = new Map<string, string>();
  readonly commits = new Map<string, number>();

  append(topic: string, slot: number, records: readonly TextRecord[]): void {
    const place = `${topic}/${slot}`;
    this.records.set(place, [...(this.records.get(place) ?? []), ...records]);
  }

  change(space: string, records: readonly TextRecord[]): void {
    const entries = this.stores.get(space) ?? new Map<string, string>();
    this.stores.set(space, entries);
    for (const [key, value] of records) {
      if (value === null) entries.delete(key);
      else entries.set(key, value);
    }
  }

  table(topic: string, slot: number): TextRecord[] {
    const latest = new Map(this.records.get(`${topic}/${slot}`) ?? []);
    return [...latest].filter(([, value]) => value !== null).sort(byKey);
  }

  store(space: string): TextRecord[] {
    return [...(this.stores.get(space) ?? [])].sort(byKey);
  }
}

function byKey([a]: TextRecord, [b]: TextRecord): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const key = fc.oneof(fc.constantFrom("a", "b", "c"), fc.string({ maxLength: 5 }));
const value = fc.option(fc.oneof(fc.string({ maxLength: 8 }), fc.constant("v".repeat(700))));
const records = fc.array(fc.tuple(key, value), { maxLength: 5 });
const sections = fc.array(
  fc.record({ topic: fc.constantFrom(...topics), slot: fc.nat(slots - 1), records }),
  { maxLength: 4 },
);
const drafts = fc.array(
  fc.record({
    processor: fc.constantFrom("rib", "decide"),
    slot: fc.nat(slots - 1),
    sections,
    stores: fc.array(fc.record({ store: fc.constantFrom("s", "t"), records }), { maxLength: 2 }),
  }),
  { maxLength: 3 },
);
const appends = fc.array(
  fc.record({ source: fc.constantFrom("x", "y"), stale: fc.boolean(), sections }),
  { maxLength: 2 },
);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("commit" as const), drafts, appends }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("kill" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("read" as const), offset: fc.nat(30) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function commit(
  log: EmbeddedLog,
  model: Model,
  group: Extract<Step, { kind: "commit" }>,
): Promise<void> {
  const commits = group.drafts.map(({ processor, slot, sections: outputs, stores }) => {
    const task = `${processor}/${slot}`;
    const commitNumber = (model.commits.get(task) ?? 0) + 1;
    model.commits.set(task, commitNumber);
    for (const output of outputs) model.append(output.topic, output.slot, output.records);
    for (const { store, records: list } of stores) model.change(`${task}/${store}`, list);
    return draft({
      processor,
      slot,
      commit: commitNumber,
      outputs: outputs.map((output) => section(output.topic, output.slot, output.records)),
      stores: stores.map(({ store, records: list }) => storeChanges(store, list)),
    });
  });
  const expected: string[] = [];
  const requests = group.appends.map(({ source, stale, sections: list }) => {
    const position = model.sources.get(source);
    const previous = stale ? "somewhere else" : position;
    const next = `${position ?? ""}.`;
    if (!stale) {
      model.sources.set(source, next);
      for (const one of list) model.append(one.topic, one.slot, one.records);
    }
    expected.push(stale ? "conflict" : "appended");
    const packed = list.map((one) => section(one.topic, one.slot, one.records));
    return { source, previous, position: next, sections: packed };
  });
  const result = await log.commit({ drafts: commits, appends: requests });
  expect(result.appends.map(({ kind }) => kind)).toEqual(expected);
}

function check(log: EmbeddedLog, model: Model): void {
  for (let slot = 0; slot < slots; slot++) {
    for (const topic of topics) {
      expect(readAll(log, topic, slot)).toEqual(model.records.get(`${topic}/${slot}`) ?? []);
    }
    for (const topic of tables) {
      const entries = [...tableEntries(log, topic, slot)].sort(byKey);
      expect(entries).toEqual(model.table(topic, slot));
    }
    for (const processor of ["rib", "decide"]) {
      const task = `${processor}/${slot}`;
      expect(log.taskState(processor, slot)?.commit).toEqual(model.commits.get(task));
      for (const store of ["s", "t"]) {
        expect(storeEntries(log, processor, slot, store)).toEqual(model.store(`${task}/${store}`));
      }
    }
  }
  for (const source of ["x", "y"]) {
    expect(log.sourcePosition(source)).toEqual(model.sources.get(source));
  }
}

it("says what a plain model says, over restarts and kills", async () => {
  const limits = fc.record({
    logBytes: fc.constantFrom(1, 1_000, 1e9),
    tailCacheBytes: fc.constantFrom(1, 2_000, 1e9),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 6, maxLength: 14 }),
      limits,
      async (steps, bounds) => {
        const checkpoints = { logBytes: bounds.logBytes, stateBytes: 1e9, ageMs: 1e9, maxLag: 1 };
        const world = { checkpoints, tailCacheBytes: bounds.tailCacheBytes };
        const model = new Model();
        let folder = newFolder();
        let log = await openLog(folder, { segmentBytes: 4_096 }, world);
        try {
          for (const one of steps) {
            if (one.kind === "commit") await commit(log, model, one);
            else if (one.kind === "read") {
              const all = model.records.get("a.v1/0") ?? [];
              expect(readAll(log, "a.v1", 0, one.offset, 100)).toEqual(all.slice(one.offset));
            } else {
              const image = one.kind === "kill" ? crashImage(folder) : folder;
              await log.close();
              folder = image;
              log = await openLog(folder, { segmentBytes: 4_096 }, world);
            }
          }
          check(log, model);
        } finally {
          await log.close();
          fs.rmSync(folder, { recursive: true });
        }
      },
    ),
    { numRuns: 20 },
  );
}, 30_000);
