import { randomUUID } from "node:crypto";
import path from "node:path";
import type { EventSchema } from "../../schemas/event-schema.ts";
import { CodecFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import type { Section } from "../batch.ts";
import type { Chunk } from "../chunk.ts";
import type { CommitDraft, TaskState } from "../commit.ts";
import { OpenCdnError } from "../errors.ts";
import { defaultRetentionMs, defaultSlots, maxSlots } from "../limits.ts";
import type { TopicStatus } from "../log.ts";
import { Checkpointer, storeSpace, tableSpace } from "./checkpointer.ts";
import { ChunkIndex } from "./chunk-index.ts";
import { prepareFolder } from "./data-folder.ts";
import { type Disk, realDisk } from "./disk.ts";
import { type GroupImage, GroupWriter } from "./group-writer.ts";
import { type Checkpoint, LogFacts, loadCheckpoint } from "./log-facts.ts";
import { type Liveness, Ownership, ownerIsAlive } from "./owner.ts";
import { recover, tidySegments } from "./recovery.ts";
import { forgetSegments, oldSegments, removeSegments } from "./retention.ts";
import { SegmentFiles } from "./segment-files.ts";
import { segmentHeaderBytes } from "./segment-format.ts";
import { readSnapshot } from "./snapshot.ts";
import { StateDb } from "./state-db.ts";
import {
  checkpointBytes,
  checkpointMs,
  checkpointStateBytes,
  defaultSegmentBytes,
  maxCheckpointLag,
  maxQueuedCommits,
  maxSegmentBytes,
  minSegmentBytes,
  tailCacheBytes,
} from "./storage-limits.ts";
import { TailCache } from "./tail-cache.ts";
import type { TopicState } from "./topic-table.ts";

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
  /** Names of the topics whose latest values are kept. */
  readonly tables: ReadonlySet<string>;
  /** Wall clock, ms since the epoch. */
  readonly nowMs: () => number;
}

/** What tests put in place of the outside world. */
export interface EmbeddedLogWorld {
  readonly disk?: Disk;
  readonly ownerIsAlive?: Liveness;
}

/** Records of a source with its position after them. */
export interface SourceAppend {
  readonly source: string;
  readonly previous: string | undefined;
  readonly position: string;
  readonly sections: readonly Section[];
}

export interface CommitGroup {
  readonly drafts: readonly CommitDraft[];
  readonly appends: readonly SourceAppend[];
}

export type AppendOutcome =
  | { readonly kind: "appended" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "conflict"; readonly position: string | undefined };

export interface CommitResult {
  /** One outcome for each append of the group. */
  readonly appends: readonly AppendOutcome[];
  /** The chunks that were committed, in order for each topic and slot; they stay valid. */
  readonly chunks: readonly Chunk[];
}

interface Identity {
  readonly logId: string;
  readonly slots: number;
  readonly historical: boolean;
}

interface Parts {
  readonly options: EmbeddedLogOptions;
  readonly identity: Identity;
  readonly schemas: SchemaTable;
  readonly db: StateDb;
  readonly files: SegmentFiles;
  readonly facts: LogFacts;
  readonly index: ChunkIndex;
  readonly ownership: Ownership;
  readonly checkpointer: Checkpointer;
  readonly next: Checkpoint;
  readonly recoveredGroups: number;
  readonly cutBytes: number;
}

const identityFact = "log";
const schemasFact = "schemas";

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
  readonly #db: StateDb;
  readonly #files: SegmentFiles;
  readonly #facts: LogFacts;
  readonly #index: ChunkIndex;
  readonly #ownership: Ownership;
  readonly #checkpointer: Checkpointer;
  readonly #tail = new TailCache(tailCacheBytes);
  readonly #writer: GroupWriter;
  readonly #segmentBytes: number;
  readonly #listeners = new Set<(result: CommitResult) => void>();
  #next: Checkpoint;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #lastMs = 0;
  #checkpointedMs: number;
  #fenced: OpenCdnError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts) {
    const { options, identity } = parts;
    this.folder = options.folder;
    this.logId = identity.logId;
    this.slots = identity.slots;
    this.historical = identity.historical;
    this.schemas = parts.schemas;
    this.recovered = { groups: parts.recoveredGroups, cutBytes: parts.cutBytes };
    this.#options = options;
    this.#db = parts.db;
    this.#files = parts.files;
    this.#facts = parts.facts;
    this.#index = parts.index;
    this.#ownership = parts.ownership;
    this.#checkpointer = parts.checkpointer;
    this.#next = parts.next;
    this.#writer = new GroupWriter(parts.facts.topics, (topic) => options.tables.has(topic));
    this.#segmentBytes = Math.min(
      Math.max(options.segmentBytes ?? defaultSegmentBytes, minSegmentBytes),
      maxSegmentBytes,
    );
    this.#checkpointedMs = options.nowMs();
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
    const db = new StateDb(paths.state);
    let ownership: Ownership | undefined;
    try {
      ownership = await Ownership.claim(db, folder, world.ownerIsAlive ?? ownerIsAlive);
      const disk = world.disk ?? realDisk;
      return new EmbeddedLog(restore({ ...options, folder }, db, ownership, paths.segments, disk));
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
    const copy = schemaTableOf(Buffer.from(JSON.stringify(this.schemas)));
    for (const schema of unknown) copy.register(schema);
    this.#db.write("registering schemas", true, () => {
      this.#ownership.checkInTransaction();
      this.#db.setFact(schemasFact, Buffer.from(JSON.stringify(copy)));
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
    if (state === undefined) return [];
    return this.#read(state, slot, offset, maxBytes);
  }

  #read(topic: TopicState, slot: number, offset: number, maxBytes: number): Chunk[] {
    const from = Math.max(offset, topic.starts[slot] ?? 0);
    if (!(from < (topic.ends[slot] ?? 0))) return [];
    const tailStart = this.#tail.firstOffset(topic.id, slot);
    if (from >= tailStart) {
      const chunks: Chunk[] = [];
      this.#tail.read(topic.id, slot, from, maxBytes, chunks);
      return chunks;
    }
    const stop = Math.min(tailStart, topic.ends[slot] as number);
    return this.#files.read(topic, slot, this.#index.find(topic.id, slot, from, maxBytes, stop));
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
    const { outcomes, sources, sections } = judge(group.appends, this.#facts.sources);
    if (group.drafts.length === 0 && sources.size === 0) return { appends: outcomes, chunks: [] };
    this.#keepPace();
    this.#rotate();
    const timestampMs = Math.max(this.#options.nowMs(), this.#lastMs);
    const sequence = this.#next.sequence + 1;
    const { epoch } = this.#ownership;
    const { drafts } = group;
    const image = this.#writer.build({
      sequence,
      epoch,
      timestampMs,
      drafts,
      sections,
      sources: [...sources],
    });
    const position = this.#files.length;
    await this.#files.append(image.head, image.body);
    this.#checkOwner();
    this.#lastMs = timestampMs;
    this.#apply(image, drafts, [...sources], position, timestampMs);
    const result = { appends: outcomes, chunks: image.chunks.map(({ chunk }) => chunk) };
    this.#announce(result);
    this.#checkpointIfDue(timestampMs);
    return result;
  }

  /** An acknowledged group was durable while we still owned the folder, so whoever takes it over finds it. */
  #checkOwner(): void {
    try {
      this.#ownership.check();
    } catch (error) {
      if (error instanceof OpenCdnError && error.code === "OCDN_FENCED") this.#fenced = error;
      throw error;
    }
  }

  #rotate(): void {
    const { current, length } = this.#files;
    if (current !== undefined && length < this.#segmentBytes) return;
    this.#files.begin(this.#ownership.epoch);
  }

  #apply(
    image: GroupImage,
    drafts: readonly CommitDraft[],
    sources: readonly (readonly [string, string])[],
    position: number,
    timestampMs: number,
  ): void {
    const { number: segment, epoch } = this.#files.current as { number: number; epoch: number };
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
      position: position + image.head.length + at,
      length: chunk.end - chunk.start,
    }));
    this.#facts.apply({ topics: image.topics, sources, tasks, chunks });
    for (const chunk of chunks) this.#index.add(chunk.topicId, chunk.slot, chunk);
    const end = this.#files.length;
    this.#facts.setSegment(segment, { epoch, length: end, lastMs: timestampMs });
    this.#next = { sequence: image.sequence, segment, epoch, position: end };
    this.#tail.add(image.chunks, image.body.length);
    this.#checkpointer.add(this.#next, image.head, image.stores, end - position);
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

  /** When checkpoints fall behind, commits wait for one, so that memory and the next start stay bounded. */
  #keepPace(): void {
    const { logBytes, stateBytes } = this.#checkpointer;
    if (
      logBytes > maxCheckpointLag * checkpointBytes ||
      stateBytes > maxCheckpointLag * checkpointStateBytes
    ) {
      this.#checkpointer.runNow();
      this.#checkpointedMs = this.#options.nowMs();
    }
  }

  #checkpointIfDue(nowMs: number): void {
    const { logBytes, stateBytes, running } = this.#checkpointer;
    const due =
      logBytes > checkpointBytes ||
      stateBytes > checkpointStateBytes ||
      nowMs - this.#checkpointedMs > checkpointMs;
    if (running || !due) return;
    this.#checkpointedMs = nowMs;
    // Nothing is lost when it fails: what it would have written stays in the log, and it is tried again.
    this.#checkpointer.run().catch((error: unknown) => this.#checkpointFailed(error));
  }

  #checkpointFailed(error: unknown): void {
    if (error instanceof OpenCdnError && error.code === "OCDN_FENCED") this.#fenced = error;
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
    if (this.#checkpointer.stateBytes > 0) this.#checkpointer.runNow();
    const space = this.#facts.spaces.get(storeSpace(processor, slot, store));
    if (space === undefined) return;
    this.#db.eachEntry(space, ({ keyBytes, keyStart, keyEnd, value, valueLength }) => {
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
    const from = this.#index.recent(state.id, slot)[0]?.baseOffset ?? offset;
    const space = this.#facts.spaces.get(tableSpace(topic, slot));
    const recent = this.#chunksBetween(state, slot, from, offset);
    const timestampMs = this.#options.nowMs();
    return {
      chunks: readSnapshot({ db: this.#db, space, recent, topic, slot, timestampMs }),
      offset,
    };
  }

  *#chunksBetween(topic: TopicState, slot: number, from: number, to: number): Generator<Chunk> {
    let next = from;
    while (next < to) {
      for (const chunk of this.#read(topic, slot, next, maxReadBytes)) {
        yield chunk;
        next = chunk.baseOffset + chunk.count;
      }
    }
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
    const facts = this.#facts;
    const files = this.#files;
    const old = oldSegments(facts, before, files.current?.number);
    if (old.length === 0) return 0;
    this.#checkOpen();
    // Their groups have to be in LMDB: afterwards nobody can read them again. One under way may not have them all.
    if (this.#checkpointer.running) await this.#checkpointer.run();
    await this.#checkpointer.run();
    return await this.#enqueue(async () => {
      this.#checkOpen();
      forgetSegments({ db: this.#db, facts, index: this.#index, ownership: this.#ownership }, old);
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
    this.#listeners.clear();
    try {
      if (this.#fenced === undefined) {
        this.#checkpointer.runNow();
        this.#ownership.release();
      }
    } catch {
      // The log holds everything; the next start brings LMDB up to it, as after a kill.
    } finally {
      this.#files.close();
      await this.#db.close();
    }
  }
}

function closed(): OpenCdnError {
  return new OpenCdnError("OCDN_DISCONNECTED", "writing to the log: it is closed");
}

/** Bytes that are read at a time when a stretch of a topic is walked. */
const maxReadBytes = 4 * 1_048_576;

/** What each append of a group comes to, and what is written of them. */
function judge(
  appends: readonly SourceAppend[],
  known: ReadonlyMap<string, string>,
): { outcomes: AppendOutcome[]; sources: Map<string, string>; sections: Section[] } {
  const sources = new Map<string, string>();
  const sections: Section[] = [];
  const outcomes = appends.map((append): AppendOutcome => {
    const position = sources.get(append.source) ?? known.get(append.source);
    if (position !== append.previous) {
      if (position === append.position) return { kind: "duplicate" };
      return { kind: "conflict", position };
    }
    sources.set(append.source, append.position);
    for (const section of append.sections) sections.push(section);
    return { kind: "appended" };
  });
  return { outcomes, sources, sections };
}

async function giveUp(db: StateDb, ownership: Ownership | undefined): Promise<void> {
  try {
    ownership?.release();
  } catch {
    // The next claim finds a dead owner instead of none.
  }
  await db.close();
}

/** Brings the state of an owned folder into memory and LMDB up to the log. */
function restore(
  options: EmbeddedLogOptions,
  db: StateDb,
  ownership: Ownership,
  segments: string,
  disk: Disk,
): Parts {
  const identity = identify(db, ownership, options);
  const { logId, slots } = identity;
  const schemas = schemaTableOf(db.fact(schemasFact));
  const facts = new LogFacts(slots);
  facts.load(db);
  const index = new ChunkIndex(db);
  const files = new SegmentFiles({ folder: segments, disk, logId, sync: options.sync ?? true });
  const chunks = function* (topic: TopicState, slot: number, from: number, to: number) {
    for (let next = from; next < to; ) {
      const places = index.find(topic.id, slot, next, maxReadBytes, to);
      yield* files.read(topic, slot, places);
      const last = places.at(-1) as { baseOffset: number; count: number };
      next = last.baseOffset + last.count;
    }
  };
  const { epoch } = ownership;
  const from = loadCheckpoint(db) ?? firstCheckpoint(epoch);
  const checkpointer = new Checkpointer({ db, facts, index, ownership, chunks }, from);
  const { groups, next } = recover({ logId, files, facts, index, checkpointer }, from, epoch);
  files.startAfter(next.segment - 1);
  checkpointer.moveTo(next);
  checkpointer.runNow();
  const cutBytes = tidySegments(files, facts.segments, epoch);
  const parts = { options, identity, schemas, db, files, facts, index, ownership, checkpointer };
  return { ...parts, next, recoveredGroups: groups, cutBytes };
}

function firstCheckpoint(epoch: number): Checkpoint {
  return { sequence: 0, segment: 1, epoch, position: segmentHeaderBytes };
}

/** What the folder is, written down when it is new. */
function identify(db: StateDb, ownership: Ownership, options: EmbeddedLogOptions): Identity {
  const stored = db.fact(identityFact);
  if (stored !== undefined) {
    const identity = JSON.parse(stored.toString()) as Identity;
    if (options.slots !== undefined && options.slots !== identity.slots) {
      throw new OpenCdnError(
        "OCDN_SLOTS_DIFFER",
        `opening ${options.folder}: the log has ${identity.slots} slots, not ${options.slots}`,
      );
    }
    return identity;
  }
  const slots = options.slots ?? defaultSlots;
  if (!Number.isInteger(slots) || slots < 1 || slots > maxSlots) {
    throw new OpenCdnError(
      "OCDN_CONFIG",
      `creating ${options.folder}: a log has 1 to ${maxSlots} slots, not ${slots}`,
    );
  }
  const identity = {
    logId: options.logId ?? randomUUID(),
    slots,
    historical: options.historical ?? false,
  };
  db.write("creating a log", true, () => {
    ownership.checkInTransaction();
    db.setFact(identityFact, Buffer.from(JSON.stringify(identity)));
  });
  return identity;
}

function schemaTableOf(stored: Buffer | undefined): SchemaTable {
  if (stored === undefined) return new SchemaTable();
  const table = SchemaTable.fromJSON(JSON.parse(stored.toString()));
  if (table instanceof CodecFailure) {
    throw new OpenCdnError("OCDN_FOLDER_CORRUPT", `reading the schemas of a log: ${table.message}`);
  }
  return table;
}
