import type { CommitGroup, EmbeddedLog } from "../embedded-log.ts";
import { draft, feed, openLog, section, storeChanges, type TextRecord } from "./log-fixture.ts";

const slots = 3;
const tasks = 3;
const keys = 400;

/** Small segments and checkpoints all the time, so that kills meet every part of the storage. */
export function openKillLog(folder: string): Promise<EmbeddedLog> {
  const checkpoints = { logBytes: 6_000, stateBytes: 4_000, ageMs: 1e9, maxLag: 2 };
  return openLog(
    folder,
    { sync: true, segmentBytes: 8_192 },
    { checkpoints, tailCacheBytes: 10_000 },
  );
}

/** Numbers from a seed, the same in every process (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What group `n` of a seed changes. */
export interface KillChanges {
  readonly inputs: readonly { readonly slot: number; readonly records: readonly TextRecord[] }[];
  readonly table: readonly TextRecord[];
  readonly tableSlot: number;
  readonly task: number;
  readonly store: readonly TextRecord[];
}

export function killChanges(seed: number, n: number): KillChanges {
  const random = randomNumbers(seed * 1_000_003 + n);
  const below = (most: number): number => Math.floor(random() * most);
  const record = (): TextRecord => {
    const value = random() < 0.2 ? null : `${n}:${"x".repeat(below(60))}`;
    return [`key-${below(keys)}`, value];
  };
  const list = (most: number): TextRecord[] => Array.from({ length: below(most) }, record);
  return {
    inputs: Array.from({ length: slots }, (_, slot) => ({ slot, records: list(6) })),
    table: list(8),
    tableSlot: below(slots),
    task: below(tasks),
    store: list(12),
  };
}

/** Group `n` as it is committed: a source's append and a task's draft. */
export function killGroup(seed: number, n: number): { outcome: "appended"; group: CommitGroup } {
  const { inputs, table, tableSlot, task, store } = killChanges(seed, n);
  const sections = inputs.map(({ slot, records }) => section("in.v1", slot, records));
  const { appends } = feed(n, n + 1, ...sections);
  const drafts = [
    draft({
      slot: task,
      commit: n + 1,
      positions: [{ topic: "in.v1", slot: task, offset: n }],
      outputs: [section("table.a.v1", tableSlot, table)],
      stores: [storeChanges("s", store)],
    }),
  ];
  return { outcome: "appended", group: { drafts, appends } };
}

/** What the log must hold after the groups 0 to `count` - 1. */
export interface KillState {
  readonly inputs: TextRecord[][];
  readonly outputs: TextRecord[][];
  readonly tables: TextRecord[][];
  readonly stores: TextRecord[][];
  readonly commits: (number | undefined)[];
}

export function killState(seed: number, count: number): KillState {
  const inputs: TextRecord[][] = Array.from({ length: slots }, () => []);
  const outputs: TextRecord[][] = Array.from({ length: slots }, () => []);
  const stores = Array.from({ length: tasks }, () => new Map<string, string>());
  const commits: (number | undefined)[] = new Array(tasks).fill(undefined);
  for (let n = 0; n < count; n++) {
    const changes = killChanges(seed, n);
    for (const { slot, records } of changes.inputs) inputs[slot]?.push(...records);
    outputs[changes.tableSlot]?.push(...changes.table);
    for (const [key, value] of changes.store) {
      if (value === null) stores[changes.task]?.delete(key);
      else stores[changes.task]?.set(key, value);
    }
    commits[changes.task] = n + 1;
  }
  const latest = (records: TextRecord[]): TextRecord[] =>
    sorted([...new Map(records)].filter(([, value]) => value !== null));
  return {
    inputs,
    outputs,
    tables: outputs.map(latest),
    stores: stores.map((entries) => sorted([...entries])),
    commits,
  };
}

function sorted(records: TextRecord[]): TextRecord[] {
  return records.sort(([a], [b]) => (a < b ? -1 : 1));
}
