import { type Chunk, RecordCursor } from "../../streams/chunk.ts";
import type { Follower, FollowFrom, Log } from "../../streams/log.ts";

export interface Delivered {
  readonly topic: string;
  readonly slot: number;
  /** -1 in a snapshot, where offsets mean nothing. */
  readonly offset: number;
  readonly key: string;
  /** Undefined for a tombstone. */
  readonly value: string | undefined;
}

/** The records of a chunk as plain objects. */
export function recordsOf(chunk: Chunk, snapshot: boolean = false): Delivered[] {
  const cursor = new RecordCursor().open(chunk);
  const records: Delivered[] = [];
  while (cursor.next()) {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
    records.push({
      topic: chunk.topic,
      slot: chunk.slot,
      offset: snapshot ? -1 : cursor.offset,
      key: buffer.toString("utf8", keyStart, keyEnd),
      value: valueStart < 0 ? undefined : buffer.toString("utf8", valueStart, valueEnd),
    });
  }
  return records;
}

/** Follows and notes everything; its reader can be made to wait. */
export class FollowRecorder {
  readonly follower: Follower;
  readonly records: Delivered[] = [];
  /** `begins topic/slot`, `complete topic/slot`, `caughtUp`, `up`, `down`, in order with nothing else between. */
  readonly events: string[] = [];
  dropped: number = 0;
  caughtUp: number = 0;
  #gate: Promise<void> | undefined;
  #open: (() => void) | undefined;
  #waiters: (() => void)[] = [];

  constructor(
    log: Log,
    topics: readonly string[],
    from: FollowFrom,
    options: { closed?: boolean } = {},
  ) {
    if (options.closed === true) this.hold();
    this.follower = log.follow({
      topics,
      from,
      onChunk: (chunk, snapshot) => {
        this.records.push(...recordsOf(chunk, snapshot));
        this.#wake();
        return this.#gate;
      },
      onSnapshot: (topic, slot, phase) => this.#note(`${phase} ${topic}/${slot}`),
      onCaughtUp: () => {
        this.caughtUp += 1;
        this.#note("caughtUp");
      },
      onDropped: (count) => {
        this.dropped += count;
        this.#note("dropped");
      },
      onState: (connected) => this.#note(connected ? "up" : "down"),
    });
  }

  /** From the next chunk on the reader waits. */
  hold(): void {
    this.#gate ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  release(): void {
    this.#open?.();
    this.#gate = undefined;
  }

  /** Resolves as soon as `holds()` is true, which is asked after everything that comes. */
  async until(holds: (recorder: this) => boolean): Promise<void> {
    while (!holds(this)) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #note(event: string): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
