import { type Chunk, recordHeaderBytes, tombstoneLength } from "../chunk.ts";
import type { StateDb } from "./state-db.ts";
import { snapshotChunkBytes } from "./storage-limits.ts";

export interface SnapshotRequest {
  readonly db: StateDb;
  /** Space of the table's slot in LMDB; undefined when nothing of it is there yet. */
  readonly space: number | undefined;
  /** Chunks that are newer than what LMDB holds for certain, in order. */
  readonly recent: Iterable<Chunk>;
  readonly topic: string;
  readonly slot: number;
  readonly timestampMs: number;
}

/** A record that a recent chunk holds; `valueStart` -1 for a tombstone. */
interface Recent {
  readonly chunk: Chunk;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/**
 * The latest values of one slot of a table, packed as chunks of about 1 MiB: those in LMDB, except where a recent
 * record replaces or removes them, and then the recent ones. Nothing is written.
 */
export function readSnapshot(request: SnapshotRequest): Chunk[] {
  const { db, space, topic, slot, timestampMs } = request;
  const recent = latestOf(request.recent);
  const packer = new SnapshotPacker(topic, slot, timestampMs);
  if (space !== undefined) {
    db.eachEntry(space, ({ keyBytes, keyStart, keyEnd, value, valueLength }) => {
      if (recent.size > 0 && recent.has(textOf(keyBytes, keyStart, keyEnd))) return;
      packer.add(keyBytes, keyStart, keyEnd, value, 0, valueLength);
    });
  }
  for (const { chunk, keyStart, keyEnd, valueStart, valueEnd } of recent.values()) {
    if (valueStart < 0) continue;
    packer.add(chunk.buffer, keyStart, keyEnd, chunk.buffer, valueStart, valueEnd);
  }
  return packer.finish();
}

/** One character a byte, so that different keys are different texts. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

function latestOf(chunks: Iterable<Chunk>): Map<string, Recent> {
  const latest = new Map<string, Recent>();
  for (const chunk of chunks) {
    const { view, buffer, end } = chunk;
    let at = chunk.start;
    while (at < end) {
      const valueLength = view.getUint32(at, true);
      const keyStart = at + recordHeaderBytes;
      const keyEnd = keyStart + view.getUint16(at + 4, true);
      const tombstone = valueLength === tombstoneLength;
      at = tombstone ? keyEnd : keyEnd + valueLength;
      const valueStart = tombstone ? -1 : keyEnd;
      latest.set(textOf(buffer, keyStart, keyEnd), {
        chunk,
        keyStart,
        keyEnd,
        valueStart,
        valueEnd: at,
      });
    }
  }
  return latest;
}

class SnapshotPacker {
  readonly #topic: string;
  readonly #slot: number;
  readonly #timestampMs: number;
  readonly #chunks: Chunk[] = [];
  #buffer = Buffer.alloc(0);
  #view = new DataView(this.#buffer.buffer, 0, 0);
  #length = 0;
  #count = 0;

  constructor(topic: string, slot: number, timestampMs: number) {
    this.#topic = topic;
    this.#slot = slot;
    this.#timestampMs = timestampMs;
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const keyLength = keyEnd - keyStart;
    const valueLength = valueEnd - valueStart;
    const size = recordHeaderBytes + keyLength + valueLength;
    if (this.#length + size > this.#buffer.length) this.#next(size);
    const at = this.#length;
    this.#view.setUint32(at, valueLength, true);
    this.#view.setUint16(at + 4, keyLength, true);
    this.#buffer.set(key.subarray(keyStart, keyEnd), at + recordHeaderBytes);
    this.#buffer.set(value.subarray(valueStart, valueEnd), at + recordHeaderBytes + keyLength);
    this.#length = at + size;
    this.#count += 1;
  }

  #next(least: number): void {
    this.#close();
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(snapshotChunkBytes, least));
    this.#view = new DataView(this.#buffer.buffer, 0, this.#buffer.length);
  }

  #close(): void {
    if (this.#count === 0) return;
    const sparse = this.#length * 2 < this.#buffer.length;
    const buffer = sparse ? Buffer.from(this.#buffer.subarray(0, this.#length)) : this.#buffer;
    this.#chunks.push({
      topic: this.#topic,
      slot: this.#slot,
      baseOffset: 0,
      count: this.#count,
      timestampMs: this.#timestampMs,
      buffer,
      view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length),
      start: 0,
      end: this.#length,
    });
    this.#length = 0;
    this.#count = 0;
  }

  finish(): Chunk[] {
    this.#close();
    return this.#chunks;
  }
}
