import type { SchemaTable } from "../schemas/schema-table.ts";
import type { RecordBatch } from "./batch.ts";
import type { Chunk } from "./chunk.ts";
import type { OpenCdnError } from "./errors.ts";

/** Offset of the next record to read in one topic and slot. */
export interface Position {
  readonly topic: string;
  readonly slot: number;
  readonly offset: number;
}

/**
 * Records and the position of the source that they come from, committed together. `previous` is the position
 * that the source believes is in the log (undefined: none yet). The log appends when that is so, answers
 * `duplicate` when its position already equals `position`, and fails with OCDN_SOURCE_POSITION otherwise.
 */
export interface AppendRequest {
  readonly source: string;
  readonly previous: string | undefined;
  readonly position: string;
  readonly batch: RecordBatch;
}

export interface AppendResult {
  readonly duplicate: boolean;
}

/**
 * Where a follower begins: `snapshot` at a table's latest values and then the tail (a stream begins at its end),
 * at the oldest record, at the end, or at given offsets (a topic and slot that is not among them begins with a
 * snapshot when it is a table, at its oldest record when it is a stream).
 */
export type FollowFrom = "snapshot" | "earliest" | "latest" | readonly Position[];

export interface FollowRequest {
  readonly topics: readonly string[];
  readonly from: FollowFrom;
  /**
   * Called in order. A snapshot's chunks carry offsets that are not contiguous, so `offset` of a record inside
   * them is meaningless; `snapshot` says so. Where it returns a promise, the next call waits for it; a follower
   * that waits too long is dropped and re-synchronised like any other that is too slow.
   */
  readonly onChunk: (chunk: Chunk, snapshot: boolean) => void | Promise<void>;
  /**
   * A snapshot of one slot of a table begins, or is complete: keys of that slot that were not sent in between
   * are no longer in the table. One that begins again before it was complete starts afresh. The tail that follows
   * begins at `offset`.
   */
  readonly onSnapshot?: (
    topic: string,
    slot: number,
    phase: "begins" | "complete",
    offset: number,
  ) => void;
  /** The follower caught up with the end as it was when it asked (called again after each re-connection). */
  readonly onCaughtUp?: () => void;
  /** Records were skipped for a follower that was too slow or too late; tables are re-sent as a snapshot. */
  readonly onDropped?: (count: number) => void;
  /** Connected or not; a follower re-connects by itself and resumes from its offsets. */
  readonly onState?: (connected: boolean) => void;
  /** The log could not be read (it is damaged, say). Over a connection the follower tries again after a while. */
  readonly onError?: (error: OpenCdnError) => void;
}

export interface Follower {
  /** Next offsets, to resume from later. */
  positions(): Position[];
  close(): void;
}

export interface TopicStatus {
  readonly topic: string;
  readonly slot: number;
  readonly startOffset: number;
  readonly endOffset: number;
  readonly sizeBytes: number;
}

/**
 * A log as gateways, sources, sinks and the command line see it, on any engine. Every wait is bounded; when the
 * engine cannot be reached calls fail with OCDN_DISCONNECTED or OCDN_TIMEOUT.
 */
export interface Log {
  readonly logId: string;
  readonly slots: number;
  /** True when historical input was loaded into it; its facts are no evidence about now. */
  readonly historical: boolean;
  readonly schemas: SchemaTable;
  /** Resolves when the records are durable. */
  append(request: AppendRequest): Promise<AppendResult>;
  sourcePosition(source: string): Promise<string | undefined>;
  /** Chunks that hold records from `offset` on, at most about `maxBytes`, none at the end of the log. */
  read(topic: string, slot: number, offset: number, maxBytes: number): Promise<Chunk[]>;
  follow(request: FollowRequest): Follower;
  status(): Promise<TopicStatus[]>;
  close(): Promise<void>;
}
