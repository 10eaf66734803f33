import { performance } from "node:perf_hooks";
import { recordHeaderBytes, tombstoneLength } from "../chunk.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { ChunkReader } from "./chunk-reader.ts";
import { EntryBatch } from "./entry-batch.ts";
import type { StoreChange } from "./group-state.ts";
import type { Checkpoint, LogFacts } from "./log-facts.ts";
import type { Ownership } from "./owner.ts";
import type { StateDb } from "./state-db.ts";
import { checkpointSliceMs } from "./storage-limits.ts";
import type { TopicState } from "./topic-table.ts";

interface PendingGroup {
  /** Where `stores` lie. */
  readonly head: Buffer;
  readonly stores: readonly StoreChange[];
}

export interface CheckpointSources {
  readonly db: StateDb;
  readonly facts: LogFacts;
  readonly index: ChunkIndex;
  readonly ownership: Ownership;
  readonly reader: ChunkReader;
}

/** Name of the space that holds a store of a task. */
export function storeSpace(processor: string, slot: number, store: string): string {
  return `store/${processor}/${slot}/${store}`;
}

/** Name of the space that holds the latest values of a table's slot. */
export function tableSpace(topic: string, slot: number): string {
  return `table/${topic}/${slot}`;
}

const firstSliceEntries = 1_024;
const minSliceEntries = 512;
const maxSliceEntries = 16_384;
const flushEverySlices = 8;

/**
 * Brings LMDB up to the log. A commit writes only to the segments; what it changed waits here and goes to LMDB for
 * many commits at once, the last value of each key, sorted, in short transactions. That all of them are there is
 * written last, so a start after a death in between applies the same groups once more, to the same end.
 */
export class Checkpointer {
  readonly #sources: CheckpointSources;
  #pending: PendingGroup[] = [];
  readonly #rebuilt = new Set<TopicState>();
  #stateBytes = 0;
  #logBytes = 0;
  #at: Checkpoint;
  #running: Generator<void, void> | undefined;
  #finished: Promise<void> = Promise.resolve();

  constructor(sources: CheckpointSources, at: Checkpoint) {
    this.#sources = sources;
    this.#at = at;
  }

  /** Bytes of store changes that wait, and of the log since the last checkpoint. */
  get stateBytes(): number {
    return this.#stateBytes;
  }

  get logBytes(): number {
    return this.#logBytes;
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Takes in a group that is durable and known to `facts` and `index`; `at` is the point after it. */
  add(at: Checkpoint, head: Buffer, stores: readonly StoreChange[], groupBytes: number): void {
    this.#at = at;
    this.#logBytes += groupBytes;
    if (stores.length === 0) return;
    this.#pending.push({ head, stores });
    this.#stateBytes += head.length;
  }

  /** The next groups begin at `at`, in another segment. */
  moveTo(at: Checkpoint): void {
    this.#at = at;
  }

  /** The next checkpoint takes the latest values of `topic`, which was no table until now, from its oldest record on. */
  rebuild(topic: TopicState): void {
    this.#rebuilt.add(topic);
  }

  /** Does a whole checkpoint now, durable when it returns. One under way is finished first. */
  runNow(): void {
    if (this.#running !== undefined) this.#drain(this.#running);
    this.#drain(this.#begin(true));
  }

  #drain(steps: Generator<void, void>): void {
    while (!this.#step(steps)) {
      // step by step to the end
    }
  }

  #begin(flush: boolean): Generator<void, void> {
    this.#running = this.#steps(flush);
    return this.#running;
  }

  /** One step; true at the end. */
  #step(steps: Generator<void, void>): boolean {
    let over = true;
    try {
      over = steps.next().done === true;
      return over;
    } finally {
      if (over && this.#running === steps) this.#running = undefined;
    }
  }

  /** Does a checkpoint in slices of a few ms, others in between; resolves when it, or one under way, is durable. */
  run(): Promise<void> {
    if (this.#running === undefined) this.#finished = this.#runSliced(this.#begin(false));
    return this.#finished;
  }

  /** Resolves when nothing of a checkpoint is under way any more, however it ended. */
  async settled(): Promise<void> {
    await this.#finished.catch(() => {});
  }

  async #runSliced(steps: Generator<void, void>): Promise<void> {
    const { db } = this.#sources;
    let slices = 0;
    while (!this.#step(steps)) {
      slices += 1;
      // Little by little, so that the fsync of a commit never queues behind a mountain of pages.
      if (slices % flushEverySlices === 0) await db.flush();
      else await new Promise((resolve) => setImmediate(resolve));
      // Somebody who could not wait may have brought it to its end.
      if (this.#running !== steps) return;
    }
    await db.flush();
  }

  *#steps(flush: boolean): Generator<void, void> {
    const { db, facts, index, ownership } = this.#sources;
    const groups = this.#pending.length;
    const stateBytes = this.#stateBytes;
    const logBytes = this.#logBytes;
    const at = this.#at;
    const mark = index.mark();
    const ends = new Map([...facts.topics.all()].map((topic) => [topic, topic.ends.slice()]));
    let batch = new EntryBatch(this.#pendingChanges(groups));
    let began = performance.now();
    for (const part of this.#changes(groups, ends)) {
      if (!batch.fits(part.count, 1)) {
        yield* this.#apply(batch);
        batch = new EntryBatch(0);
      }
      part.addTo(batch);
      if (performance.now() - began < checkpointSliceMs) continue;
      yield;
      began = performance.now();
    }
    yield* this.#apply(batch);
    db.write("writing a checkpoint", flush, () => {
      ownership.checkInTransaction();
      index.save(mark);
      facts.save(db, { ...at, bootId: ownership.bootId });
    });
    facts.saved();
    index.forget(mark);
    this.#rebuilt.clear();
    this.#pending = this.#pending.slice(groups);
    this.#stateBytes -= stateBytes;
    this.#logBytes -= logBytes;
  }

  #pendingChanges(groups: number): number {
    let changes = 0;
    for (const { stores } of this.#pending.slice(0, groups)) {
      for (const { count } of stores) changes += count;
    }
    return changes;
  }

  /** The changes in parts that are added at one go, those of one space in their order. */
  *#changes(
    groups: number,
    ends: ReadonlyMap<TopicState, Float64Array>,
  ): Generator<{ readonly count: number; readonly addTo: (batch: EntryBatch) => void }> {
    const { index, reader } = this.#sources;
    for (const { head, stores } of this.#pending.slice(0, groups)) {
      for (const change of stores) {
        const space = this.#space(storeSpace(change.processor, change.slot, change.store));
        const { start, end } = change;
        yield { count: change.count, addTo: (batch) => addRecords(batch, space, head, start, end) };
      }
    }
    for (const [topic, slotEnds] of ends) {
      if (!topic.table) continue;
      for (let slot = 0; slot < slotEnds.length; slot++) {
        const from = this.#rebuilt.has(topic)
          ? topic.starts[slot]
          : index.recent(topic.id, slot)[0]?.baseOffset;
        if (from === undefined) continue;
        const space = this.#space(tableSpace(topic.name, slot));
        for (const chunk of reader.between(topic, slot, from, slotEnds[slot] as number)) {
          const { count, buffer, start, end } = chunk;
          yield { count, addTo: (batch) => addRecords(batch, space, buffer, start, end) };
        }
      }
    }
  }

  /** A new space is written down at once, before anything can be in it. */
  #space(name: string): number {
    const { db, facts, ownership } = this.#sources;
    const known = facts.spaces.get(name);
    if (known !== undefined) return known;
    const space = facts.space(name);
    try {
      db.write("writing a checkpoint", false, () => {
        ownership.checkInTransaction();
        facts.saveSpaces(db, [name]);
      });
    } catch (error) {
      facts.spaces.delete(name);
      throw error;
    }
    return space;
  }

  *#apply(batch: EntryBatch): Generator<void, void> {
    const { db, ownership } = this.#sources;
    const order = yield* batch.order();
    let size = firstSliceEntries;
    for (let from = 0; from < order.length; ) {
      const to = Math.min(from + size, order.length);
      const began = performance.now();
      db.write("writing a checkpoint", false, () => {
        ownership.checkInTransaction();
        for (let i = from; i < to; i++) batch.put(db, order[i] as number);
      });
      const tookMs = performance.now() - began;
      size = Math.round((size * checkpointSliceMs) / Math.max(tookMs, 0.1));
      size = Math.min(Math.max(size, minSliceEntries), maxSliceEntries);
      from = to;
      yield;
    }
  }
}

function addRecords(
  batch: EntryBatch,
  space: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const buffer = batch.buffer(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = start;
  while (at < end) {
    const valueLength = view.getUint32(at, true);
    const keyStart = at + recordHeaderBytes;
    const keyEnd = keyStart + view.getUint16(at + 4, true);
    if (valueLength === tombstoneLength) {
      batch.add(space, buffer, keyStart, keyEnd, -1, -1);
      at = keyEnd;
    } else {
      at = keyEnd + valueLength;
      batch.add(space, buffer, keyStart, keyEnd, keyEnd, at);
    }
  }
}
