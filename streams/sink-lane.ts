/** What a sink could not take, as it goes to the dead letters. */
export interface RefusedRecord {
  readonly topic: string;
  readonly slot: number;
  /** -1 for a record of a snapshot, which has no offset. */
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly code: string;
  readonly message: string;
}

interface Entry {
  /** Position after this entry; undefined inside a snapshot. */
  readonly next: number | undefined;
  done: boolean;
}

/**
 * How far one topic and slot is acknowledged. Records finish in any order; the position is behind the last one
 * before which all are finished.
 */
export class SinkLane {
  readonly topic: string;
  readonly slot: number;
  /** Offset of the next record to take after a restart; undefined while no snapshot is complete. */
  position: number | undefined;
  /** Refused records that are not committed, in the order in which they were refused. */
  refused: RefusedRecord[] = [];
  #entries: Entry[] = [];

  constructor(topic: string, slot: number, position: number | undefined) {
    this.topic = topic;
    this.slot = slot;
    this.position = position;
  }

  /** Records that wait for an earlier one to finish, unfinished ones included. */
  get waiting(): number {
    return this.#entries.length;
  }

  /** A record was taken; call what this gives when it is finished. */
  take(next: number | undefined): () => void {
    const entry: Entry = { next, done: false };
    this.#entries.push(entry);
    return () => {
      entry.done = true;
      this.#advance();
    };
  }

  /** A record was taken and finished at once, or a snapshot is complete and the tail begins at `next`. */
  pass(next: number | undefined): void {
    if (this.#entries.length > 0) this.#entries.push({ next, done: true });
    else this.position = next ?? this.position;
  }

  /** A snapshot begins: nothing before it counts until it is complete. */
  restart(): void {
    this.#entries = [];
    this.position = undefined;
  }

  /** Takes out the refused records that a commit at `position` covers. */
  takeRefused(position: number | undefined): RefusedRecord[] {
    if (position === undefined || this.refused.length === 0) return [];
    const covered = this.refused.filter(({ offset }) => offset < position);
    this.refused = this.refused.filter(({ offset }) => offset >= position);
    return covered;
  }

  #advance(): void {
    let count = 0;
    for (const entry of this.#entries) {
      if (!entry.done) break;
      this.position = entry.next ?? this.position;
      count += 1;
    }
    this.#entries.splice(0, count);
  }
}
