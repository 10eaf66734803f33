import { OpenCdnError } from "../errors.ts";
import type { ChunkPlace } from "./segment-files.ts";
import type { StateDb } from "./state-db.ts";
import { indexBlockEntries } from "./storage-limits.ts";

const entryBytes = 24;
const keyBytes = 12;

/** Chunks of one topic and slot since the last checkpoint, in order. */
interface Lane {
  readonly topicId: number;
  readonly slot: number;
  places: ChunkPlace[];
}

/**
 * Where the chunks of each topic and slot lie. What is newer than the last checkpoint is in memory; the rest in
 * blocks in LMDB, of at most 64 entries (24 bytes each: base offset f64, segment, position, count, length u32) of one
 * segment, under (topic id u16, slot u16, first base offset u64), big endian.
 */
export class ChunkIndex {
  readonly #db: StateDb;
  readonly #lanes = new Map<number, Lane>();
  /** The block that was read last, by lane: readers go forward. */
  readonly #blocks = new Map<number, readonly ChunkPlace[]>();

  constructor(db: StateDb) {
    this.#db = db;
  }

  add(topicId: number, slot: number, place: ChunkPlace): void {
    const key = topicId * 65_536 + slot;
    const lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, { topicId, slot, places: [place] });
    else lane.places.push(place);
  }

  /** Chunks of a topic and slot that no checkpoint holds. */
  recent(topicId: number, slot: number): readonly ChunkPlace[] {
    return this.#lanes.get(topicId * 65_536 + slot)?.places ?? [];
  }

  /**
   * Places from the chunk that holds `offset` on, at least one and then up to `maxBytes` of payload, none that begins
   * at `stopOffset` or later. Throws OCDN_FOLDER_CORRUPT when the index has a gap there.
   */
  find(
    topicId: number,
    slot: number,
    offset: number,
    maxBytes: number,
    stopOffset: number,
  ): ChunkPlace[] {
    const found: ChunkPlace[] = [];
    let bytes = 0;
    let next = offset;
    while (next < stopOffset) {
      const places = this.#placesWith(topicId, slot, next);
      for (let index = indexOf(places, next); index < places.length; index++) {
        const place = places[index] as ChunkPlace;
        bytes += place.length;
        if (place.baseOffset >= stopOffset || (bytes > maxBytes && found.length > 0)) return found;
        found.push(place);
        next = place.baseOffset + place.count;
      }
    }
    return found;
  }

  #placesWith(topicId: number, slot: number, offset: number): readonly ChunkPlace[] {
    const key = topicId * 65_536 + slot;
    const recent = this.recent(topicId, slot);
    if (recent.length > 0 && (recent[0] as ChunkPlace).baseOffset <= offset) return recent;
    const known = this.#blocks.get(key);
    if (known !== undefined && holds(known, offset)) return known;
    const from = blockKey(topicId, slot, 0);
    const block = this.#db.lastPlace(from, blockKey(topicId, slot, offset));
    const places = block === undefined ? [] : decodeBlock(block[1]);
    if (!holds(places, offset)) {
      throw new OpenCdnError(
        "OCDN_FOLDER_CORRUPT",
        `reading the index of a log: no chunk of topic ${topicId}, slot ${slot} holds offset ${offset}`,
      );
    }
    this.#blocks.set(key, places);
    return places;
  }

  /** How many recent places each lane has now; what `save` and `forget` take is what was there then. */
  mark(): ReadonlyMap<number, number> {
    return new Map([...this.#lanes].map(([key, lane]) => [key, lane.places.length]));
  }

  /** Writes the marked places as blocks; inside a write transaction. */
  save(mark: ReadonlyMap<number, number>): void {
    for (const [key, count] of mark) {
      const lane = this.#lanes.get(key);
      if (lane === undefined) continue;
      let start = 0;
      for (let index = 1; index <= count; index++) {
        const first = lane.places[start] as ChunkPlace;
        const full = index - start === indexBlockEntries || index === count;
        if (!full && lane.places[index]?.segment === first.segment) continue;
        const block = encodeBlock(lane.places.slice(start, index));
        this.#db.putPlace(blockKey(lane.topicId, lane.slot, first.baseOffset), block);
        start = index;
      }
    }
  }

  /** Drops the marked places from memory, after their transaction. */
  forget(mark: ReadonlyMap<number, number>): void {
    for (const [key, count] of mark) {
      const lane = this.#lanes.get(key);
      if (lane === undefined) continue;
      if (lane.places.length === count) this.#lanes.delete(key);
      else lane.places = lane.places.slice(count);
    }
  }

  /**
   * Removes the blocks of a topic and slot at its start that lie in `segment`, inside a write transaction. Gives
   * what was removed: the first offset that stays, and the payload bytes that go; undefined when nothing was there.
   */
  removeFirst(
    topicId: number,
    slot: number,
    segment: number,
  ): { readonly startOffset: number; readonly sizeBytes: number } | undefined {
    const keys: Buffer[] = [];
    let startOffset = 0;
    let sizeBytes = 0;
    const end = blockKey(topicId, slot, Number.MAX_SAFE_INTEGER);
    this.#db.eachPlace(blockKey(topicId, slot, 0), end, (key, value) => {
      const places = decodeBlock(value);
      if ((places[0] as ChunkPlace).segment !== segment) return false;
      keys.push(key);
      for (const place of places) sizeBytes += place.length;
      const last = places.at(-1) as ChunkPlace;
      startOffset = last.baseOffset + last.count;
      return true;
    });
    for (const key of keys) this.#db.removePlace(key);
    this.#blocks.delete(topicId * 65_536 + slot);
    return keys.length === 0 ? undefined : { startOffset, sizeBytes };
  }
}

function holds(places: readonly ChunkPlace[], offset: number): boolean {
  const last = places.at(-1);
  if (last === undefined) return false;
  return (places[0] as ChunkPlace).baseOffset <= offset && offset < last.baseOffset + last.count;
}

/** Index of the last place that begins at or before `offset`. */
function indexOf(places: readonly ChunkPlace[], offset: number): number {
  let low = 0;
  let high = places.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((places[middle] as ChunkPlace).baseOffset <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function blockKey(topicId: number, slot: number, offset: number): Buffer {
  const key = Buffer.allocUnsafe(keyBytes);
  key.writeUInt16BE(topicId, 0);
  key.writeUInt16BE(slot, 2);
  key.writeUInt32BE(Math.floor(offset / 4_294_967_296), 4);
  key.writeUInt32BE(offset % 4_294_967_296, 8);
  return key;
}

function encodeBlock(places: readonly ChunkPlace[]): Buffer {
  const block = Buffer.allocUnsafe(places.length * entryBytes);
  let at = 0;
  for (const place of places) {
    block.writeDoubleLE(place.baseOffset, at);
    block.writeUInt32LE(place.segment, at + 8);
    block.writeUInt32LE(place.position, at + 12);
    block.writeUInt32LE(place.count, at + 16);
    block.writeUInt32LE(place.length, at + 20);
    at += entryBytes;
  }
  return block;
}

function decodeBlock(block: Buffer): ChunkPlace[] {
  const places: ChunkPlace[] = [];
  for (let at = 0; at + entryBytes <= block.length; at += entryBytes) {
    places.push({
      baseOffset: block.readDoubleLE(at),
      segment: block.readUInt32LE(at + 8),
      position: block.readUInt32LE(at + 12),
      count: block.readUInt32LE(at + 16),
      length: block.readUInt32LE(at + 20),
    });
  }
  return places;
}
