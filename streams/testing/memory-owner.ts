import { SchemaTable } from "../../schemas/schema-table.ts";
import { RecordBatch, type Section } from "../batch.ts";
import { type Chunk, RecordCursor } from "../chunk.ts";
import type { AppendOutcome, CommitResult, SourceAppend } from "../embedded/embedded-log.ts";
import type { OwnedLog, Owner } from "../embedded/log-owner.ts";
import type { TopicStatus } from "../log.ts";

interface Lane {
  readonly topic: string;
  readonly slot: number;
  readonly chunks: Chunk[];
  readonly latest: Map<string, { key: Uint8Array; value: Uint8Array }>;
  start: number;
  end: number;
}

export interface MemoryOwnerOptions {
  readonly logId?: string;
  readonly slots?: number;
  readonly historical?: boolean;
  readonly tables?: readonly string[];
  readonly schemas?: SchemaTable;
}

/**
 * An owner of a log in memory, for tests of what stands around a log. Appends commit at the end of the turn, or
 * when the test says so (`held`).
 */
export class MemoryOwner implements Owner {
  readonly log: OwnedLog;
  readonly schemas: SchemaTable;
  /** Reads so far, to see who was read for. */
  reads: number = 0;
  /** While true nothing commits. */
  held: boolean = false;
  /** Next submissions fail with this. */
  failure: Error | undefined;
  readonly #slots: number;
  readonly #tables: ReadonlySet<string>;
  readonly #lanes = new Map<string, Lane>();
  readonly #sources = new Map<string, string>();
  readonly #listeners = new Set<(result: CommitResult) => void>();
  #queue: { append: SourceAppend; resolve: (outcome: AppendOutcome) => void }[] = [];

  constructor(options: MemoryOwnerOptions = {}) {
    this.#slots = options.slots ?? 2;
    this.#tables = new Set(options.tables);
    this.schemas = options.schemas ?? new SchemaTable();
    this.log = {
      logId: options.logId ?? "memory-log",
      slots: this.#slots,
      historical: options.historical ?? false,
      schemas: this.schemas,
      startOffset: (topic, slot) => this.#lane(topic, slot).start,
      endOffset: (topic, slot) => this.#lane(topic, slot).end,
      read: (topic, slot, offset, maxBytes) => this.#read(topic, slot, offset, maxBytes),
      snapshot: (topic, slot) => this.#snapshot(topic, slot),
      sourcePosition: (source) => this.#sources.get(source),
      topics: () => this.#status(),
      onCommitted: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }

  /** How many listen for commits: feeds that are open. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Appends that wait for a commit. */
  get waiting(): number {
    return this.#queue.length;
  }

  submit(append: SourceAppend): Promise<AppendOutcome> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const copy = { ...append, sections: append.sections.map(copyOf) };
    return new Promise((resolve) => {
      this.#queue.push({ append: copy, resolve });
      queueMicrotask(() => this.commit());
    });
  }

  /** Commits what waits as one group, unless held. */
  commit(): void {
    if (this.held || this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    const chunks: Chunk[] = [];
    const outcomes = queue.map(({ append }) => this.#apply(append, chunks));
    for (const listener of this.#listeners) listener({ appends: outcomes, chunks });
    for (const [index, { resolve }] of queue.entries()) resolve(outcomes[index] as AppendOutcome);
  }

  /** Puts a source's position where somebody else would have left it. */
  setSource(source: string, position: string): void {
    this.#sources.set(source, position);
  }

  /** Forgets what waits for a commit: its callers never hear of it. */
  lose(): void {
    this.#queue = [];
  }

  /** Removes what retention would: chunks that end at or before `offset`. */
  forget(topic: string, slot: number, offset: number): void {
    const lane = this.#lane(topic, slot);
    while ((lane.chunks[0]?.baseOffset ?? offset) < offset) {
      const first = lane.chunks[0] as Chunk;
      if (first.baseOffset + first.count > offset) return;
      lane.chunks.shift();
      lane.start = first.baseOffset + first.count;
    }
  }

  #apply(append: SourceAppend, chunks: Chunk[]): AppendOutcome {
    const position = this.#sources.get(append.source);
    if (position === append.position) return { kind: "duplicate" };
    if (position !== append.previous) return { kind: "conflict", position };
    this.#sources.set(append.source, append.position);
    for (const section of append.sections) {
      const lane = this.#lane(section.topic, section.slot);
      const chunk = chunkOf(section, lane.end);
      lane.chunks.push(chunk);
      lane.end += section.count;
      if (this.#tables.has(section.topic)) keepLatest(lane, chunk);
      chunks.push(chunk);
    }
    return { kind: "appended" };
  }

  #lane(topic: string, slot: number): Lane {
    const place = `${topic}/${slot}`;
    let lane = this.#lanes.get(place);
    if (lane === undefined) {
      lane = { topic, slot, chunks: [], latest: new Map(), start: 0, end: 0 };
      this.#lanes.set(place, lane);
    }
    return lane;
  }

  #read(topic: string, slot: number, offset: number, maxBytes: number): Chunk[] {
    this.reads += 1;
    const found: Chunk[] = [];
    let size = 0;
    for (const chunk of this.#lane(topic, slot).chunks) {
      if (chunk.baseOffset + chunk.count <= offset) continue;
      size += chunk.end - chunk.start;
      if (found.length > 0 && size > maxBytes) break;
      found.push(chunk);
    }
    return found;
  }

  #snapshot(topic: string, slot: number): { chunks: Chunk[]; offset: number } {
    const lane = this.#lane(topic, slot);
    const chunks: Chunk[] = [];
    // Two records a chunk, so that a snapshot has several.
    const entries = [...lane.latest.values()];
    for (let i = 0; i < entries.length; i += 2) {
      const batch = new RecordBatch();
      for (const { key, value } of entries.slice(i, i + 2)) {
        batch.add(topic, slot, key, 0, key.length, value, 0, value.length);
      }
      chunks.push(chunkOf(batch.sections()[0] as Section, i));
    }
    return { chunks, offset: lane.end };
  }

  #status(): TopicStatus[] {
    const used = [...this.#lanes.values()].filter((lane) => lane.end > 0);
    return used.map(({ topic, slot, start, end, chunks }) => {
      const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.end - chunk.start, 0);
      return { topic, slot, startOffset: start, endOffset: end, sizeBytes };
    });
  }
}

function copyOf(section: Section): Section {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(section)), section) as Section;
  copy.bytes = section.bytes.slice(0, section.length);
  copy.view = new DataView(copy.bytes.buffer);
  return copy;
}

/** A chunk of a section's records. */
export function chunkOf(section: Section, baseOffset: number, timestampMs: number = 1_000): Chunk {
  const { topic, slot, count, length } = section;
  const buffer = Buffer.from(section.bytes.subarray(0, length));
  const view = new DataView(buffer.buffer, buffer.byteOffset, length);
  return { topic, slot, baseOffset, count, timestampMs, buffer, view, start: 0, end: length };
}

function keepLatest(lane: Lane, chunk: Chunk): void {
  const cursor = new RecordCursor().open(chunk);
  while (cursor.next()) {
    const key = Uint8Array.from(cursor.buffer.subarray(cursor.keyStart, cursor.keyEnd));
    const name = Buffer.from(key).toString("latin1");
    lane.latest.delete(name);
    if (cursor.valueStart < 0) continue;
    const value = Uint8Array.from(cursor.buffer.subarray(cursor.valueStart, cursor.valueEnd));
    lane.latest.set(name, { key, value });
  }
}
