/**
 * Packed records: the one shape in which records of one topic and slot travel, from a producer's batch through
 * the segment file to a task. A record is, little endian:
 *   u32 value length (0xffffffff: tombstone), u16 key length, key bytes, value bytes (a Confluent frame).
 */
export const recordHeaderBytes: number = 6;
export const tombstoneLength: number = 0xffffffff;

/**
 * Some records of one topic and slot, in place inside `buffer[start..end)`; `view` covers the same bytes as
 * `buffer`, index for index.
 */
export interface Chunk {
  readonly topic: string;
  readonly slot: number;
  readonly baseOffset: number;
  readonly count: number;
  /** When the chunk was appended, ms since the epoch. */
  readonly timestampMs: number;
  readonly buffer: Buffer;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

/**
 * Walks the records of a chunk in place. After `next()` gave true the fields describe one record;
 * `valueStart` is -1 for a tombstone.
 */
export class RecordCursor {
  buffer: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  keyStart: number = 0;
  keyEnd: number = 0;
  valueStart: number = 0;
  valueEnd: number = 0;
  offset: number = 0;
  timestampMs: number = 0;
  topic: string = "";
  slot: number = 0;
  #position = 0;
  #end = 0;
  #nextOffset = 0;

  /** Begins at the record with offset `fromOffset`, or at the first one when it is lower. */
  open(chunk: Chunk, fromOffset: number = 0): this {
    this.buffer = chunk.buffer;
    this.view = chunk.view;
    this.topic = chunk.topic;
    this.slot = chunk.slot;
    this.timestampMs = chunk.timestampMs;
    this.#position = chunk.start;
    this.#end = chunk.end;
    this.#nextOffset = chunk.baseOffset;
    while (this.#nextOffset < fromOffset && this.next()) {
      // skip what was taken before
    }
    return this;
  }

  /** Offset of the record that the following `next()` gives. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  get done(): boolean {
    return this.#position >= this.#end;
  }

  next(): boolean {
    const at = this.#position;
    if (at + recordHeaderBytes > this.#end) return false;
    const valueLength = this.view.getUint32(at, true);
    const keyLength = this.view.getUint16(at + 4, true);
    this.keyStart = at + recordHeaderBytes;
    this.keyEnd = this.keyStart + keyLength;
    if (valueLength === tombstoneLength) {
      this.valueStart = -1;
      this.valueEnd = -1;
      this.#position = this.keyEnd;
    } else {
      this.valueStart = this.keyEnd;
      this.valueEnd = this.keyEnd + valueLength;
      this.#position = this.valueEnd;
    }
    this.offset = this.#nextOffset;
    this.#nextOffset += 1;
    return true;
  }
}

/**
 * Checks that `bytes[start..end)` is a whole number of well-formed packed records within the limits.
 * Gives the count, or -1 when it is not. Everything that comes from outside goes through this before a cursor.
 */
export function countPackedRecords(
  view: DataView,
  start: number,
  end: number,
  limits: { readonly maxKeyBytes: number; readonly maxRecordBytes: number },
): number {
  let at = start;
  let count = 0;
  while (at < end) {
    if (at + recordHeaderBytes > end) return -1;
    const valueLength = view.getUint32(at, true);
    const keyLength = view.getUint16(at + 4, true);
    if (keyLength > limits.maxKeyBytes) return -1;
    const tombstone = valueLength === tombstoneLength;
    if (!tombstone && valueLength > limits.maxRecordBytes) return -1;
    at += recordHeaderBytes + keyLength + (tombstone ? 0 : valueLength);
    if (at > end) return -1;
    count += 1;
  }
  return count;
}
