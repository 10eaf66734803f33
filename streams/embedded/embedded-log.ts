import path from "node:path";
import type { EventSchema } from "../../schemas/event-schema.ts";
import type { SchemaTable } from "../../schemas/schema-table.ts";
import type { Chunk } from "../chunk.ts";
import type { CommitDraft, TaskState } from "../commit.ts";
import { OpenCdnError } from "../errors.ts";
import { defaultRetentionMs } from "../limits.ts";
import type { TopicStatus } from "../log.ts";
import { CheckpointSchedule } from "./checkpoint-schedule.ts";
import { storeSpace, tableSpace } from "./checkpointer.ts";
import { prepareFolder } from "./data-folder.ts";
import { type Disk, realDisk } from "./disk.ts";
import { diskError } from "./disk-error.ts";
import { type GroupImage, GroupWriter } from "./group-writer.ts";
import { type Checkpoint, LogFacts } from "./log-facts.ts";
import { copySchemas, type LogParts, restoreLog, saveSchemas } from "./log-restore.ts";
import { type Liveness, Ownership, ownerIsAlive } from "./owner.ts";
import { forgetSegments, oldSegments, removeSegments } from "./retention.ts";
import type { SegmentName } from "./segment-format.ts";
import { readSnapshot } from "./snapshot.ts";
import { type AppendOutcome, judgeAppends, type SourceAppend } from "./source-appends.ts";
import { StateDb } from "./state-db.ts";
import {
  type CheckpointLimits,
  checkpointLimits,
  defaultSegmentBytes,
  maxQueuedCommits,
  maxSegmentBytes,
  minSegmentBytes,
  tailCacheBytes,
} from "./storage-limits.ts";

export type { AppendOutcome, SourceAppend } from "./source-appends.ts";

export interface EmbeddedLogOptions {
  readonly folder: string;
  /** Slots of a new log; an existing one must have as many when it is given (OCDN_SLOTS_DIFFER). */
  readonly slots?: number;
  /** Whether a new log is for historical input; kept in it. */
  readonly historical?: boolean;
  /** Identity of a new log; random otherwise. */
  readonly logId?: string;
  readonly retentionMs?: number;
  readonly segmentBytes?: number;
  /** False only in tests that say so: commits then do not wait for the disk. */
  readonly sync?: boolean;
  /**
   * For forensics: chunks whose checksum differs are given as they lie there, and told here, instead of
   * OCDN_FOLDER_CORRUPT. Nothing may be written to such a log.
   */
  readonly onDamage?: (error: OpenCdnError) => void;
  /** Names of the topics whose latest values are kept. */
  readonly tables: ReadonlySet<string>;
  /** Wall clock, ms since the epoch. */
  readonly nowMs: () => number;
}

/** What tests put in place of the outside world. */
export interface EmbeddedLogWorld {
  readonly disk?: Disk;
  readonly ownerIsAlive?: Liveness;
  readonly checkpoints?: CheckpointLimits;
  readonly tailCacheBytes?: number;
}

export interface CommitGroup {
  readonly drafts: readonly CommitDraft[];
  readonly appends: readonly SourceAppend[];
}

export interface CommitResult {
  /** One outcome for each append of the group. */
  readonly appends: readonly AppendOutcome[];
  /** The chunks that were committed, in order for each topic and slot; they stay valid. */
  readonly chunks: readonly Chunk[];
}

/**
 * The log of one data folder, owned by this process. A commit is one write to a segment file and one fsync; the file
 * is the write-ahead log of everything, and LMDB follows in checkpoints. Reads see what is committed and nothing else.
 */
export class EmbeddedLog {
  readonly folder: string;
  readonly logId: string;
  readonly slots: number;
  readonly historical: boolean;
  readonly schemas: SchemaTable;
  /** What the start found in the segments that LMDB had not, and bytes of unfinished writes that it cut off. */
  readonly recovered: { readonly groups: number; readonly cutBytes: number };
  readonly #options: EmbeddedLogOptions;
  readonly #parts: LogParts;
  readonly #facts: LogFacts;
  readonly #schedule: CheckpointSchedule;
  readonly #writer: GroupWriter;
  readonly #segmentBytes: number;
  readonly #listeners = new Set<(result: CommitResult) => void>();
  #next: Checkpoint;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #lastMs = 0;
  #fenced: OpenCdnError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: EmbeddedLogOptions, parts: LogParts, limits: CheckpointLimits) {
    const { identity, facts } = parts;
    this.folder = options.folder;
    this.logId = identity.logId;
    this.slots = identity.slots;
    this.historical = identity.historical;
    this.schemas = parts.schemas;
    this.recovered = parts.recovered;
    this.#options = options;
    this.#parts = parts;
    this.#facts = facts;
    this.#next = parts.next;
    this.#writer = new GroupWriter(facts.topics, (topic) => options.tables.has(topic));
    this.#segmentBytes = Math.min(
      Math.max(options.segmentBytes ?? defaultSegmentBytes, minSegmentBytes),
      maxSegmentBytes,
    );
    this.#schedule = new CheckpointSchedule(
      parts.checkpointer,
      limits,
      options.nowMs(),
      (error) => {
        this.#fenced = error;
      },
    );
  }

  /**
   * Opens the log in `options.folder`, creating it when it is missing or empty, and takes its ownership. Throws
   * OCDN_FOLDER_OWNED, OCDN_FOLDER_NEWER, OCDN_FOLDER_CORRUPT, OCDN_SLOTS_DIFFER, OCDN_DISK_FULL, OCDN_STORAGE, and
   * OCDN_BAD_INPUT for a folder that holds something else.
   */
  static async open(
    options: EmbeddedLogOptions,
    world: EmbeddedLogWorld = {},
  ): Promise<EmbeddedLog> {
    const folder = path.resolve(options.folder);
    const paths = prepareFolder(folder);
    const sync = options.sync ?? true;
    const db = new StateDb(paths.state, sync);
    let ownership: Ownership | undefined;
    try {
      if (paths.created && sync) syncNames(folder, paths.state);
      ownership = await Ownership.claim(db, folder, world.ownerIsAlive ?? ownerIsAlive);
      const parts = restoreLog({
        folder,
        segmentsFolder: paths.segments,
        db,
        ownership,
        disk: world.disk ?? realDisk,
        sync,
        onDamage: options.onDamage,
        tailCacheBytes: world.tailCacheBytes ?? tailCacheBytes,
        wanted: { logId: options.logId, slots: options.slots, historical: options.historical },
        tables: options.tables,
      });
      return new EmbeddedLog({ ...options, folder }, parts, world.checkpoints ?? checkpointLimits);
    } catch (error) {
      await giveUp(db, ownership);
      throw error;
    }
  }

  /** Gives `schemas` ids in this log's table where they have none; resolves when the table is durable. */
  async registerSchemas(schemas: readonly EventSchema<never>[]): Promise<void> {
    const unknown = schemas.filter((schema) => this.schemas.idOf(schema) === undefined);
    if (unknown.length === 0) return;
    this.#checkOpen();
    // Ids are given by a copy first: what is not durable may not be seen in the table.
    const copy = copySchemas(this.schemas);
    for (const schema of unknown) copy.register(schema);
    const { db, ownership } = this.#parts;
    db.write("registering schemas", true, () => {
      ownership.checkInTransaction();
      saveSchemas(db, copy);
    });
    for (const schema of unknown) this.schemas.register(schema);
  }

  /** Oldest offset that is kept; 0 for a topic never written. */
  startOffset(topic: string, slot: number): number {
    return this.#facts.topics.byName(topic)?.starts[slot] ?? 0;
  }

  /** Offset after the last committed record. */
  endOffset(topic: string, slot: number): number {
    return this.#facts.topics.byName(topic)?.ends[slot] ?? 0;
  }

  /**
   * Chunks of a topic and slot from the one that holds `offset` (or the oldest kept, when that is later) on, at
   * least one and then up to `maxBytes`; none at the end. The tail comes from memory, older chunks from disk, where
   * damage throws OCDN_FOLDER_CORRUPT naming file and position.
   */
  read(topic: string, slot: number, offset: number, maxBytes: number): Chunk[] {
    const state = this.#facts.topics.byName(topic);
    return state === undefined ? [] : this.#parts.reader.read(state, slot, offset, maxBytes);
  }

  /**
   * Makes a group durable, all of it or nothing: source appends are compared with the source's position and written
   * only where it is the expected one. Resolves when the data is on disk. Groups are committed in the order of the
   * calls; when too many wait it rejects with OCDN_OVERLOADED. A full disk gives OCDN_DISK_FULL and leaves the log as
   * it was. After OCDN_FENCED the process must stop.
   */
  commit(group: CommitGroup): Promise<CommitResult> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    if (this.#waiting > maxQueuedCommits) {
      return Promise.reject(
        new OpenCdnError("OCDN_OVERLOADED", "committing a group: too many commits wait"),
      );
    }
    return this.#enqueue(() => this.#commit(group));
  }

  /** Runs `work` after what was enqueued before. */
  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const result = this.#queue.then(work);
    this.#queue = result.then(
      () => this.#left(),
      () => this.#left(),
    );
    return result;
  }

  #left(): void {
    this.#waiting -= 1;
  }

  #checkOpen(): void {
    if (this.#fenced !== undefined) throw this.#fenced;
    if (this.#closing !== undefined) throw closed();
  }

  async #commit(group: CommitGroup): Promise<CommitResult> {
    if (this.#fenced !== undefined) throw this.#fenced;
    const { drafts, appends } = group;
    const { outcomes, positions, sections } = judgeAppends(appends, this.#facts.sources);
    if (drafts.length === 0 && positions.size === 0) return { appends: outcomes, chunks: [] };
    await this.#schedule.keepPace(this.#options.nowMs());
    const { files, ownership } = this.#parts;
    if (files.current === undefined || files.length >= this.#segmentBytes) {
      files.begin(ownership.epoch);
    }
    const timestampMs = Math.max(this.#options.nowMs(), this.#lastMs);
    const sources = [...positions];
    const sequence = this.#next.sequence + 1;
    const { epoch } = ownership;
    const image = this.#writer.build({ sequence, epoch, timestampMs, drafts, sections, sources });
    await files.append([image.head, ...image.body]);
    this.#checkOwner();
    this.#lastMs = timestampMs;
    this.#apply(image, drafts, sources, timestampMs);
    const result = { appends: outcomes, chunks: image.chunks.map(({ chunk }) => chunk) };
    this.#announce(result);
    this.#schedule.committed(timestampMs);
    return result;
  }

  /** An acknowledged group was durable while we still owned the folder, so whoever takes it over finds it. */
  #checkOwner(): void {
    try {
      this.#parts.ownership.check();
    } catch (error) {
      if (error instanceof OpenCdnError && error.code === "OCDN_FENCED") this.#fenced = error;
      throw error;
    }
  }

  #apply(
    image: GroupImage,
    drafts: readonly CommitDraft[],
    sources: readonly (readonly [string, string])[],
    timestampMs: number,
  ): void {
    const { files, facts, index, tail, checkpointer } = this.#parts;
    const { number: segment, epoch } = files.current as SegmentName;
    const end = files.length;
    const chunksAt = end - image.bodyBytes;
    const tasks = drafts.map(({ processor, slot, commit, positions, chain }) => ({
      processor,
      slot,
      state: { commit, positions, chain },
    }));
    const chunks = image.chunks.map(({ topicId, chunk, at }) => ({
      topicId,
      slot: chunk.slot,
      baseOffset: chunk.baseOffset,
      count: chunk.count,
      segment,
      position: chunksAt + at,
      length: chunk.end - chunk.start,
    }));
    facts.apply({ topics: image.topics, sources, tasks, chunks });
    for (const chunk of chunks) index.add(chunk.topicId, chunk.slot, chunk);
    facts.setSegment(segment, { epoch, length: end, lastMs: timestampMs });
    this.#next = { sequence: image.sequence, segment, epoch, position: end };
    tail.add(image.chunks, image.heldBytes);
    checkpointer.add(this.#next, image.head, image.stores, image.head.length + image.bodyBytes);
  }

  #announce(result: CommitResult): void {
    for (const listener of this.#listeners) {
      try {
        listener(result);
      } catch (error) {
        // The group is durable, so the commit can't fail any more; a listener that throws is a bug.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Why the last checkpoint failed (a full disk, say); commits go on, but a start has more to read. */
  get checkpointError(): OpenCdnError | undefined {
    return this.#schedule.error;
  }

  /** Position of a source, undefined when it never wrote. */
  sourcePosition(source: string): string | undefined {
    return this.#facts.sources.get(source);
  }

  /** Where a task stopped with its last commit. */
  taskState(processor: string, slot: number): TaskState | undefined {
    return this.#facts.tasks.get(LogFacts.taskKey(processor, slot));
  }

  /** Visits the committed entries of a store in byte order of the keys; the bytes hold during the visit. */
  loadStore(
    processor: string,
    slot: number,
    store: string,
    visit: (key: Uint8Array, value: Uint8Array) => void,
  ): void {
    const { checkpointer, db } = this.#parts;
    if (checkpointer.stateBytes > 0) checkpointer.runNow();
    const space = this.#facts.spaces.get(storeSpace(processor, slot, store));
    if (space === undefined) return;
    db.eachEntry(space, ({ keyBytes, keyStart, keyEnd, value, valueLength }) => {
      visit(keyBytes.subarray(keyStart, keyEnd), value.subarray(0, valueLength));
    });
  }

  /**
   * The latest values of a table's slot, packed as chunks, and the offset of the tail that follows. Offsets inside
   * the chunks mean nothing. Empty for a topic that is no table.
   */
  snapshot(topic: string, slot: number): { readonly chunks: Chunk[]; readonly offset: number } {
    const state = this.#facts.topics.byName(topic);
    if (state === undefined) return { chunks: [], offset: 0 };
    const offset = state.ends[slot] ?? 0;
    if (!state.table) return { chunks: [], offset };
    const { db, index, reader } = this.#parts;
    const from = index.recent(state.id, slot)[0]?.baseOffset ?? offset;
    const recent = reader.between(state, slot, from, offset);
    const space = this.#facts.spaces.get(tableSpace(topic, slot));
    const timestampMs = this.#options.nowMs();
    return { chunks: readSnapshot({ db, space, recent, topic, slot, timestampMs }), offset };
  }

  /** Every topic and slot that was ever written. */
  topics(): TopicStatus[] {
    const all: TopicStatus[] = [];
    for (const state of this.#facts.topics.all()) {
      for (let slot = 0; slot < this.slots; slot++) {
        const endOffset = state.ends[slot] as number;
        if (endOffset === 0) continue;
        const startOffset = state.starts[slot] as number;
        const sizeBytes = state.sizes[slot] as number;
        all.push({ topic: state.name, slot, startOffset, endOffset, sizeBytes });
      }
    }
    return all;
  }

  /** Unlinks the oldest segments whose chunks are all older than the retention; gives the bytes freed. */
  async retain(nowMs: number): Promise<number> {
    const before = nowMs - (this.#options.retentionMs ?? defaultRetentionMs);
    const { files, checkpointer } = this.#parts;
    const old = oldSegments(this.#facts, before, files.current?.number);
    if (old.length === 0) return 0;
    this.#checkOpen();
    // Their groups have to be in LMDB: afterwards nobody can read them again. One under way may not have them all.
    if (checkpointer.running) await checkpointer.run();
    await checkpointer.run();
    return await this.#enqueue(async () => {
      this.#checkOpen();
      forgetSegments(this.#parts, old);
      return removeSegments(files, old);
    });
  }

  /** Calls `listener` with each group that became durable, in commit order; gives the way to stop it. */
  onCommitted(listener: (result: CommitResult) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits for what was called before, brings LMDB up to the log, and gives up the ownership. */
  close(): Promise<void> {
    this.#closing ??= this.#queue.then(() => this.#close());
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { db, files, checkpointer, ownership } = this.#parts;
    this.#listeners.clear();
    try {
      if (this.#fenced === undefined) checkpointer.runNow();
    } catch {
      // The log holds everything; the next start brings LMDB up to it, as after a kill.
    }
    try {
      if (this.#fenced === undefined) ownership.release();
    } catch {
      // The next claim finds a dead owner instead of none.
    } finally {
      await checkpointer.settled();
      files.close();
      await db.close();
    }
  }
}

function closed(): OpenCdnError {
  return new OpenCdnError("OCDN_DISCONNECTED", "writing to the log: it is closed");
}

/** A folder that was made just now is durable only when the names that lead to its files are. */
function syncNames(folder: string, state: string): void {
  try {
    for (const name of [state, folder, path.dirname(folder)]) realDisk.syncFolder(name);
  } catch (error) {
    throw diskError(`creating the data folder ${folder}`, error);
  }
}

async function giveUp(db: StateDb, ownership: Ownership | undefined): Promise<void> {
  try {
    ownership?.release();
  } catch {
    // The next claim finds a dead owner instead of none.
  }
  await db.close();
}
