import type { Chunk } from "../chunk.ts";
import type { Position } from "../log.ts";
import type { CommitResult } from "./embedded-log.ts";
import type { OwnedLog } from "./log-owner.ts";
import type { FollowMessage } from "./protocol-requests.ts";
import {
  catchUpQueueBytes,
  catchUpReadBytes,
  catchUpTurnBytes,
  maxFollowerQueueBytes,
  maxTableLagRecords,
} from "./socket-limits.ts";
import { trimChunk } from "./trim-chunk.ts";
import type { Turns } from "./turns.ts";

/** Where a feed puts what it gives; it calls in order and never while `waitingBytes` is over its bounds. */
export interface FeedOutput {
  /** Bytes handed over that the reader has not taken. */
  readonly waitingBytes: number;
  chunk(chunk: Chunk, snapshot: boolean): void;
  snapshot(phase: "begins" | "complete", position: Position): void;
  caughtUp(): void;
  dropped(count: number): void;
  /** The log cannot be read; nothing follows. */
  failed(error: unknown): void;
  /** What comes until `flush` may travel together. */
  hold(): void;
  flush(): void;
}

export type FeedRequest = Omit<FollowMessage, "kind">;

/** One topic and slot of a feed. */
interface Lane {
  readonly topic: string;
  readonly slot: number;
  readonly table: boolean;
  /** Offset of the next record to give, once no snapshot is due. */
  next: number;
  /** End of the log when the feed began. */
  readonly target: number;
  reached: boolean;
  /** In the queue of lanes that have to be read; the others are given the tail as it is committed. */
  behind: boolean;
  snapshotDue: boolean;
  /** Chunks of the snapshot that are not given yet, in order. */
  snapshot:
    | { readonly chunks: readonly Chunk[]; given: number; readonly offset: number }
    | undefined;
}

/**
 * What one follower gets, in order for each topic and slot. While the reader keeps up, committed chunks are
 * handed over as they are; when too much waits for it the lane falls behind and is read from the log as the
 * reader takes it, so that a slow reader costs bounded memory and no time of the owner. A lane whose records are
 * gone, or a table's lane too far behind, is re-synchronised: a table by a fresh snapshot, a stream from its
 * oldest record, after `dropped` told how many records were skipped.
 */
export class Feed {
  readonly #log: OwnedLog;
  readonly #output: FeedOutput;
  readonly #patient: boolean;
  readonly #lanes = new Map<string, Lane[]>();
  readonly #behind: Lane[] = [];
  readonly #stopListening: () => void;
  readonly #turns: Turns;
  readonly #takeTurn = (): void => this.#turn();
  #unreached = 0;
  #caughtUp = false;
  #closed = false;

  constructor(options: {
    readonly log: OwnedLog;
    readonly output: FeedOutput;
    readonly isTable: (topic: string) => boolean;
    readonly request: FeedRequest;
    /** Shared by all feeds of an owner. */
    readonly turns: Turns;
  }) {
    const { log, request } = options;
    this.#turns = options.turns;
    this.#log = log;
    this.#output = options.output;
    this.#patient = request.start === "earliest";
    const wanted = new Map(request.positions.map((at) => [`${at.slot}/${at.topic}`, at.offset]));
    for (const topic of request.topics) {
      const table = options.isTable(topic);
      const lanes: Lane[] = [];
      for (let slot = 0; slot < log.slots; slot++) {
        lanes.push(this.#lane(topic, slot, table, request, wanted.get(`${slot}/${topic}`)));
      }
      this.#lanes.set(topic, lanes);
    }
    this.#stopListening = log.onCommitted((result) => this.#committed(result));
  }

  /** Next offsets of the topics and slots for which no snapshot is due or under way. */
  positions(): Position[] {
    const positions: Position[] = [];
    for (const lanes of this.#lanes.values()) {
      for (const { topic, slot, next, snapshotDue, snapshot } of lanes) {
        if (!snapshotDue && snapshot === undefined) positions.push({ topic, slot, offset: next });
      }
    }
    return positions;
  }

  /** Gives what the reader has room for, in turns; called at the beginning and whenever it took something. */
  pump(): void {
    if (this.#closed) return;
    if (this.#behind.length === 0) this.#tellCaughtUp();
    else if (this.#room(catchUpQueueBytes)) this.#turns.request(this.#takeTurn);
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
  }

  #lane(
    topic: string,
    slot: number,
    table: boolean,
    request: FeedRequest,
    wanted: number | undefined,
  ): Lane {
    const target = this.#log.endOffset(topic, slot);
    const { start } = request;
    const snapshotDue =
      table && wanted === undefined && (start === "snapshot" || start === "positions");
    let next = wanted ?? target;
    if (wanted === undefined && (start === "earliest" || (start === "positions" && !table))) {
      next = this.#log.startOffset(topic, slot);
    }
    const reached = !snapshotDue && next === target;
    const lane: Lane = {
      topic,
      slot,
      table,
      next,
      target,
      reached,
      behind: !reached,
      snapshotDue,
      snapshot: undefined,
    };
    if (!reached) {
      this.#unreached += 1;
      this.#behind.push(lane);
    }
    return lane;
  }

  #room(bound: number): boolean {
    return !this.#closed && this.#output.waitingBytes < bound;
  }

  /** The tail as it is committed: straight to the reader where nothing else comes first. */
  #committed(result: CommitResult): void {
    if (this.#closed) return;
    this.#output.hold();
    for (const chunk of result.chunks) {
      const lane = this.#lanes.get(chunk.topic)?.[chunk.slot];
      if (lane === undefined || lane.behind || chunk.baseOffset + chunk.count <= lane.next)
        continue;
      if (chunk.baseOffset === lane.next && this.#room(maxFollowerQueueBytes)) {
        lane.next += chunk.count;
        this.#output.chunk(chunk, false);
      } else {
        this.#fallBehind(lane);
      }
    }
    this.#output.flush();
    this.pump();
  }

  #fallBehind(lane: Lane): void {
    lane.behind = true;
    this.#behind.push(lane);
  }

  #turn(): void {
    if (this.#closed) return;
    this.#output.hold();
    try {
      this.#giveBehind();
    } catch (error) {
      this.close();
      this.#output.failed(error);
    } finally {
      this.#output.flush();
    }
    this.pump();
  }

  #tellCaughtUp(): void {
    if (this.#caughtUp || this.#unreached > 0 || !this.#room(catchUpQueueBytes)) return;
    this.#caughtUp = true;
    this.#output.caughtUp();
  }

  #giveBehind(): void {
    let budget = catchUpTurnBytes;
    for (let lane = this.#behind[0]; lane !== undefined; lane = this.#behind[0]) {
      if (budget <= 0 || !this.#room(catchUpQueueBytes)) return;
      budget -= this.#step(lane);
      if (this.#closed) return;
      // A lane under a snapshot keeps its place, so that one snapshot at a time is held in memory.
      if (lane.snapshot !== undefined) continue;
      this.#behind.shift();
      if (lane.behind) this.#behind.push(lane);
    }
  }

  /** Moves one lane on by one read, or by one chunk of its snapshot. Gives the cost in bytes. */
  #step(lane: Lane): number {
    if (lane.snapshot !== undefined) return this.#stepSnapshot(lane, lane.snapshot);
    if (!lane.snapshotDue) this.#resynchronise(lane);
    if (lane.snapshotDue) return this.#beginSnapshot(lane);
    return this.#readOn(lane);
  }

  #readOn(lane: Lane): number {
    const { topic, slot } = lane;
    let cost = 64;
    if (lane.next < this.#log.endOffset(topic, slot)) {
      for (const chunk of this.#log.read(topic, slot, lane.next, catchUpReadBytes)) {
        if (!this.#room(catchUpQueueBytes)) return cost;
        const rest = trimChunk(chunk, lane.next);
        if (rest.count === 0) continue;
        if (rest.baseOffset > lane.next) this.#output.dropped(rest.baseOffset - lane.next);
        lane.next = rest.baseOffset + rest.count;
        cost += rest.end - rest.start;
        this.#output.chunk(rest, false);
      }
    }
    this.#reach(lane);
    lane.behind = lane.next < this.#log.endOffset(topic, slot);
    return cost;
  }

  #resynchronise(lane: Lane): void {
    const { topic, slot, next } = lane;
    const start = this.#log.startOffset(topic, slot);
    const end = this.#log.endOffset(topic, slot);
    const bounded = lane.table && (lane.reached || !this.#patient);
    const tooFar = bounded && end - next > maxTableLagRecords;
    if (next >= start && next <= end && !tooFar) return;
    if (lane.table) {
      lane.snapshotDue = true;
      this.#output.dropped(Math.max(0, end - next));
    } else {
      lane.next = start;
      this.#output.dropped(Math.max(0, start - next));
    }
  }

  #beginSnapshot(lane: Lane): number {
    const { topic, slot } = lane;
    const { chunks, offset } = this.#log.snapshot(topic, slot);
    lane.snapshotDue = false;
    lane.snapshot = { chunks, given: 0, offset };
    this.#output.snapshot("begins", { topic, slot, offset });
    return 1_024;
  }

  #stepSnapshot(lane: Lane, snapshot: NonNullable<Lane["snapshot"]>): number {
    const chunk = snapshot.chunks[snapshot.given];
    if (chunk !== undefined) {
      snapshot.given += 1;
      this.#output.chunk(chunk, true);
      return chunk.end - chunk.start;
    }
    const { topic, slot } = lane;
    lane.snapshot = undefined;
    lane.next = snapshot.offset;
    this.#output.snapshot("complete", { topic, slot, offset: lane.next });
    this.#reach(lane);
    lane.behind = lane.next < this.#log.endOffset(topic, slot);
    return 64;
  }

  #reach(lane: Lane): void {
    if (lane.reached || lane.next < lane.target) return;
    lane.reached = true;
    this.#unreached -= 1;
  }
}
