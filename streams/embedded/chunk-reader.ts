import type { Chunk } from "../chunk.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import type { SegmentFiles } from "./segment-files.ts";
import type { TailCache } from "./tail-cache.ts";
import type { TopicState } from "./topic-table.ts";

/** Payload that is read at a time when a stretch of a topic is walked. */
const stretchBytes = 4 * 1_048_576;

/** Reads committed chunks: the tail from memory, what is older from the segments. */
export class ChunkReader {
  readonly #index: ChunkIndex;
  readonly #files: SegmentFiles;
  readonly #tail: TailCache;

  constructor(index: ChunkIndex, files: SegmentFiles, tail: TailCache) {
    this.#index = index;
    this.#files = files;
    this.#tail = tail;
  }

  /**
   * Chunks from the one that holds `offset` (or the oldest kept, when that is later) on, at least one and then up to
   * `maxBytes` of payload; none at the end of the topic's slot.
   */
  read(topic: TopicState, slot: number, offset: number, maxBytes: number): Chunk[] {
    const end = topic.ends[slot] ?? 0;
    const from = Math.max(offset, topic.starts[slot] ?? 0);
    if (!(from < end)) return [];
    const tailStart = this.#tail.firstOffset(topic.id, slot);
    if (from < tailStart) {
      const stop = Math.min(tailStart, end);
      const places = this.#index.find(topic.id, slot, from, maxBytes, stop);
      return this.#files.read(topic, slot, places);
    }
    const chunks: Chunk[] = [];
    this.#tail.read(topic.id, slot, from, maxBytes, chunks);
    return chunks;
  }

  /** All chunks from the one that holds `from` up to offset `to`, read as they are taken. */
  *between(topic: TopicState, slot: number, from: number, to: number): Generator<Chunk, void> {
    for (let next = from; next < to; ) {
      for (const chunk of this.read(topic, slot, next, stretchBytes)) {
        yield chunk;
        next = chunk.baseOffset + chunk.count;
      }
    }
  }
}
