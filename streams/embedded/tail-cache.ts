import type { Chunk } from "../chunk.ts";
import type { PlacedChunk } from "./group-writer.ts";

/** Recent chunks of one topic and slot, without gaps, from `head` on. */
interface Lane {
  chunks: Chunk[];
  head: number;
}

interface CachedGroup {
  readonly bytes: number;
  readonly lanes: readonly Lane[];
}

const compactAt = 64;

/** The newest chunks of a log, kept in memory up to a number of bytes; whole groups leave, the oldest first. */
export class TailCache {
  readonly #maxBytes: number;
  readonly #lanes = new Map<number, Lane>();
  #groups: CachedGroup[] = [];
  #firstGroup = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(chunks: readonly PlacedChunk[], bytes: number): void {
    const lanes = chunks.map(({ topicId, chunk }) => {
      const lane = this.#lane(topicId * 65_536 + chunk.slot);
      lane.chunks.push(chunk);
      return lane;
    });
    this.#groups.push({ bytes, lanes });
    this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes && this.#groups.length - this.#firstGroup > 1)
      this.#evict();
  }

  #lane(place: number): Lane {
    let lane = this.#lanes.get(place);
    if (lane === undefined) {
      lane = { chunks: [], head: 0 };
      this.#lanes.set(place, lane);
    }
    return lane;
  }

  #evict(): void {
    const group = this.#groups[this.#firstGroup] as CachedGroup;
    this.#firstGroup += 1;
    this.#bytes -= group.bytes;
    for (const lane of group.lanes) {
      lane.head += 1;
      if (lane.head > compactAt && lane.head * 2 > lane.chunks.length) {
        lane.chunks = lane.chunks.slice(lane.head);
        lane.head = 0;
      } else {
        // The array keeps its place but not the memory behind the chunk.
        lane.chunks[lane.head - 1] = undefined as unknown as Chunk;
      }
    }
    if (this.#firstGroup > compactAt && this.#firstGroup * 2 > this.#groups.length) {
      this.#groups = this.#groups.slice(this.#firstGroup);
      this.#firstGroup = 0;
    }
  }

  /** First offset held of a topic and slot; Infinity when none is. */
  firstOffset(topicId: number, slot: number): number {
    const lane = this.#lanes.get(topicId * 65_536 + slot);
    if (lane === undefined || lane.head >= lane.chunks.length) return Number.POSITIVE_INFINITY;
    return (lane.chunks[lane.head] as Chunk).baseOffset;
  }

  /** Appends to `into` the chunks from the one that holds `offset` on, at least one and then up to `maxBytes`. */
  read(topicId: number, slot: number, offset: number, maxBytes: number, into: Chunk[]): void {
    const lane = this.#lanes.get(topicId * 65_536 + slot);
    if (lane === undefined) return;
    const { chunks } = lane;
    let low = lane.head;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((chunks[middle] as Chunk).baseOffset <= offset) low = middle;
      else high = middle - 1;
    }
    let bytes = 0;
    for (let index = low; index < chunks.length; index++) {
      const chunk = chunks[index] as Chunk;
      bytes += chunk.end - chunk.start;
      if (bytes > maxBytes && into.length > 0) return;
      into.push(chunk);
    }
  }
}
