import type { CommitDraft, TaskState } from "../commit.ts";
import type { Position } from "../log.ts";
import { ByteReader, type ByteWriter } from "./byte-writer.ts";
import type { TopicDefinition } from "./topic-table.ts";

/**
 * The state section of a group: everything of a commit that is not a record of a topic. Topics that the log meets
 * for the first time, source positions, and per task its commit number, store changes and input positions.
 */
export interface GroupState {
  readonly topics: readonly TopicDefinition[];
  readonly sources: readonly (readonly [source: string, position: string])[];
  readonly tasks: readonly TaskChange[];
}

export interface TaskChange {
  readonly processor: string;
  readonly slot: number;
  readonly state: TaskState;
  readonly stores: readonly StoreSpan[];
}

/** Packed records of one store's changes inside the section's bytes. */
export interface StoreSpan {
  readonly store: string;
  readonly count: number;
  readonly start: number;
  readonly end: number;
}

/** Store changes of one task inside the bytes that hold the section. */
export interface StoreChange extends StoreSpan {
  readonly processor: string;
  readonly slot: number;
}

/** Appends the section and gives where the store changes lie; `topicId` gives the id of a topic. */
export function writeGroupState(
  to: ByteWriter,
  topics: readonly TopicDefinition[],
  sources: GroupState["sources"],
  drafts: readonly CommitDraft[],
  topicId: (name: string) => number,
): StoreChange[] {
  to.u16(topics.length);
  for (const topic of topics) {
    to.u16(topic.id);
    to.u8(topic.table ? 1 : 0);
    to.text(topic.name);
  }
  to.u32(sources.length);
  for (const [source, position] of sources) {
    to.text(source);
    to.text(position);
  }
  to.u32(drafts.length);
  const stores: StoreChange[] = [];
  for (const draft of drafts) writeTask(to, draft, topicId, stores);
  return stores;
}

function writeTask(
  to: ByteWriter,
  draft: CommitDraft,
  topicId: (name: string) => number,
  stores: StoreChange[],
): void {
  to.text(draft.processor);
  to.u16(draft.slot);
  to.f64(draft.commit);
  to.u16(draft.chain.length);
  to.raw(draft.chain, 0, draft.chain.length);
  to.u32(draft.positions.length);
  for (const position of draft.positions) {
    to.u16(topicId(position.topic));
    to.u16(position.slot);
    to.f64(position.offset);
  }
  to.u16(draft.stores.length);
  for (const changes of draft.stores) {
    to.text(changes.store);
    to.u32(changes.count);
    to.u32(changes.length);
    const start = to.length;
    to.raw(changes.bytes, 0, changes.length);
    const { processor, slot } = draft;
    const { store, count } = changes;
    stores.push({ processor, slot, store, count, start, end: to.length });
  }
}

/**
 * Reads the section that begins at `at`; spans point into `bytes`. `topicName` gives the names of topics defined by
 * earlier groups. Throws RangeError for bytes that are no section, which a sound checksum rules out.
 */
export function readGroupState(
  bytes: Buffer,
  at: number,
  topicName: (id: number) => string | undefined,
): GroupState {
  const from = new ByteReader(bytes, at);
  const topics = Array.from({ length: from.u16() }, () => {
    const id = from.u16();
    const table = from.u8() === 1;
    return { id, table, name: from.text() };
  });
  const nameOf = (id: number): string => {
    const name = topicName(id) ?? topics.find((topic) => topic.id === id)?.name;
    if (name === undefined) throw new RangeError(`topic id ${id} is not defined`);
    return name;
  };
  const sources: [string, string][] = [];
  for (let left = from.u32(); left > 0; left--) sources.push([from.text(), from.text()]);
  const tasks: TaskChange[] = [];
  for (let left = from.u32(); left > 0; left--) tasks.push(readTask(from, nameOf));
  return { topics, sources, tasks };
}

function readTask(from: ByteReader, nameOf: (id: number) => string): TaskChange {
  const processor = from.text();
  const slot = from.u16();
  const commit = from.f64();
  const chainLength = from.u16();
  const chainStart = from.raw(chainLength);
  const chain = new Uint8Array(from.bytes.subarray(chainStart, chainStart + chainLength));
  const positions: Position[] = [];
  for (let left = from.u32(); left > 0; left--) {
    positions.push({ topic: nameOf(from.u16()), slot: from.u16(), offset: from.f64() });
  }
  const stores: StoreSpan[] = [];
  for (let left = from.u16(); left > 0; left--) {
    const store = from.text();
    const count = from.u32();
    const length = from.u32();
    const start = from.raw(length);
    stores.push({ store, count, start, end: start + length });
  }
  return { processor, slot, state: { commit, positions, chain }, stores };
}

/** The store changes of a section that was read. */
export function storeChangesOf(state: GroupState): StoreChange[] {
  return state.tasks.flatMap(({ processor, slot, stores }) =>
    stores.map((span) => ({ ...span, processor, slot })),
  );
}
