import type { Chunk } from "../chunk.ts";
import type { ChunkReader } from "../task-run.ts";

/** What was received of one topic and slot and is still wanted. */
interface Lane {
  /** In the order of their offsets. */
  readonly chunks: Chunk[];
  /** Everything below it was released. */
  start: number;
  /** Offset after the last record that was received. */
  end: number;
  sizeBytes: number;
}

/**
 * Records that were received and that some task has not committed yet. They are kept until then, so that a task that
 * has to take them again after an aborted transaction finds them here. Offsets may have gaps: markers of
 * transactions take some.
 */
export class Inbox implements ChunkReader {
  readonly #lanes = new Map<string, Lane>();
  #sizeBytes = 0;

  /** Bytes of all records held: what receiving more has to wait for. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Begins to hold a topic and slot at an offset; what was held of it is dropped. */
  open(topic: string, slot: number, offset: number): void {
    this.close(topic, slot);
    this.#lanes.set(place(topic, slot), { chunks: [], start: offset, end: offset, sizeBytes: 0 });
  }

  /** Forgets a topic and slot. */
  close(topic: string, slot: number): void {
    const lane = this.#lanes.get(place(topic, slot));
    if (lane === undefined) return;
    this.#sizeBytes -= lane.sizeBytes;
    this.#lanes.delete(place(topic, slot));
  }

  /**
   * Adds the next records of an open topic and slot. What is not open is dropped, and so is what was received before
   * (a client that resumes may begin a batch too early). Gives whether there is something new to take.
   */
  add(chunk: Chunk): boolean {
    const lane = this.#lanes.get(place(chunk.topic, chunk.slot));
    const end = chunk.baseOffset + chunk.count;
    if (lane === undefined || end <= lane.end) return false;
    lane.chunks.push(chunk);
    lane.end = end;
    const sizeBytes = chunk.end - chunk.start;
    lane.sizeBytes += sizeBytes;
    this.#sizeBytes += sizeBytes;
    return true;
  }

  /** Drops what lies wholly below an offset that every task of the process has committed. */
  release(topic: string, slot: number, offset: number): void {
    const lane = this.#lanes.get(place(topic, slot));
    if (lane === undefined || offset <= lane.start) return;
    lane.start = offset;
    let gone = 0;
    for (const chunk of lane.chunks) {
      if (chunk.baseOffset + chunk.count > offset) break;
      gone += 1;
      lane.sizeBytes -= chunk.end - chunk.start;
      this.#sizeBytes -= chunk.end - chunk.start;
    }
    lane.chunks.splice(0, gone);
  }

  startOffset(topic: string, slot: number): number {
    return this.#lanes.get(place(topic, slot))?.start ?? 0;
  }

  /** Offset after the last record received; 0 for what is not open. */
  endOffset(topic: string, slot: number): number {
    return this.#lanes.get(place(topic, slot))?.end ?? 0;
  }

  read(topic: string, slot: number, offset: number, maxBytes: number): Chunk[] {
    const chunks = this.#lanes.get(place(topic, slot))?.chunks ?? [];
    let from = firstWithEndAbove(chunks, offset);
    const found: Chunk[] = [];
    for (let size = 0; size < maxBytes && from < chunks.length; from++) {
      const chunk = chunks[from] as Chunk;
      found.push(chunk);
      size += chunk.end - chunk.start;
    }
    return found;
  }
}

function place(topic: string, slot: number): string {
  return `${topic}/${slot}`;
}

/** Index of the first chunk with a record at `offset` or later. */
function firstWithEndAbove(chunks: readonly Chunk[], offset: number): number {
  let from = 0;
  let to = chunks.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const { baseOffset, count } = chunks[middle] as Chunk;
    if (baseOffset + count <= offset) from = middle + 1;
    else to = middle;
  }
  return from;
}
