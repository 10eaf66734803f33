import { hashKey } from "../hash.ts";
import { equalRange } from "../store-bytes.ts";
import type { StateDb } from "./state-db.ts";

const fields = 5;
const bufferField = 0;
const keyStartField = 1;
const keyEndField = 2;
const valueStartField = 3;
const valueEndField = 4;
const leastCapacity = 1_024;
const indexBits = 20;

/** Most entries of a batch: the index of an entry has 20 bits in the sorted order. */
export const maxEntries: number = 2 ** indexBits - 1;
/** Most spaces of a batch: their rank has 16 bits. */
const maxSpaces = 2 ** 16 - 1;

interface Space {
  readonly id: number;
  readonly rank: number;
  /** Bytes that all its keys begin with, and one of these keys. */
  common: number;
  first: number;
  count: number;
}

/**
 * Changes of entries, the last one of each key. Keys and values stay where they are (30 bytes of memory a change with
 * the hash table), and `order` puts neighbours in LMDB's trees together, so that a page is written once.
 */
export class EntryBatch {
  count: number = 0;
  readonly #buffers: Uint8Array[] = [];
  readonly #views: DataView[] = [];
  #entries: Int32Array;
  #spaceOf: Uint16Array;
  /** Open addressing: entry index plus one, 0 for free. */
  #table: Int32Array;
  #mask: number;
  readonly #spaces: Space[] = [];
  readonly #ranks = new Map<number, number>();

  /** `expected` is a guess of the number of changes, to grow less often. */
  constructor(expected: number) {
    let capacity = leastCapacity;
    while (capacity < expected && capacity < maxEntries) capacity *= 2;
    this.#entries = new Int32Array(capacity * fields);
    this.#spaceOf = new Uint16Array(capacity);
    this.#table = new Int32Array(capacity * 2);
    this.#mask = capacity * 2 - 1;
  }

  /** Whether `more` further changes of `spaces` further spaces fit. */
  fits(more: number, spaces: number): boolean {
    return this.count + more <= maxEntries && this.#spaces.length + spaces <= maxSpaces;
  }

  /** Begins with changes that lie in `bytes`; gives the number to call `add` with. */
  buffer(bytes: Uint8Array): number {
    this.#buffers.push(bytes);
    this.#views.push(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
    return this.#buffers.length - 1;
  }

  /** Adds a change; `valueStart` -1 removes the key. It replaces an earlier change of the same key. */
  add(
    space: number,
    buffer: number,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    if (this.count === this.#spaceOf.length) this.#grow();
    const rank = this.#rank(space);
    const view = this.#views[buffer] as DataView;
    let at = hashOf(view, keyStart, keyEnd, rank) & this.#mask;
    for (;;) {
      const found = this.#table[at] as number;
      if (found === 0) break;
      if (this.#same(found - 1, rank, view, keyStart, keyEnd)) {
        this.#set(found - 1, buffer, keyStart, keyEnd, valueStart, valueEnd);
        return;
      }
      at = (at + 1) & this.#mask;
    }
    const index = this.count;
    this.count = index + 1;
    this.#table[at] = index + 1;
    this.#spaceOf[index] = rank;
    this.#set(index, buffer, keyStart, keyEnd, valueStart, valueEnd);
    const bytes = this.#buffers[buffer] as Uint8Array;
    this.#narrow(this.#spaces[rank] as Space, index, bytes, keyStart, keyEnd);
  }

  #rank(space: number): number {
    let rank = this.#ranks.get(space);
    if (rank === undefined) {
      rank = this.#spaces.length;
      this.#ranks.set(space, rank);
      this.#spaces.push({ id: space, rank, common: Number.POSITIVE_INFINITY, first: -1, count: 0 });
    }
    return rank;
  }

  #set(
    index: number,
    buffer: number,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const at = index * fields;
    const entries = this.#entries;
    entries[at + bufferField] = buffer;
    entries[at + keyStartField] = keyStart;
    entries[at + keyEndField] = keyEnd;
    entries[at + valueStartField] = valueStart;
    entries[at + valueEndField] = valueEnd;
  }

  #same(index: number, rank: number, key: DataView, start: number, end: number): boolean {
    const at = index * fields;
    const other = this.#entries[at + keyStartField] as number;
    if ((this.#entries[at + keyEndField] as number) - other !== end - start) return false;
    if (this.#spaceOf[index] !== rank) return false;
    const theirs = this.#views[this.#entries[at + bufferField] as number] as DataView;
    return equalRange(key, start, theirs, other, end - start);
  }

  #narrow(space: Space, index: number, bytes: Uint8Array, start: number, end: number): void {
    space.count += 1;
    if (space.first < 0) {
      space.first = index;
      space.common = end - start;
      return;
    }
    const at = space.first * fields;
    const theirs = this.#buffers[this.#entries[at + bufferField] as number] as Uint8Array;
    const other = this.#entries[at + keyStartField] as number;
    const most = Math.min(space.common, end - start);
    let common = 0;
    while (common < most && bytes[start + common] === theirs[other + common]) common += 1;
    space.common = common;
  }

  #grow(): void {
    const capacity = this.#spaceOf.length * 2;
    const entries = new Int32Array(capacity * fields);
    entries.set(this.#entries);
    this.#entries = entries;
    const spaceOf = new Uint16Array(capacity);
    spaceOf.set(this.#spaceOf);
    this.#spaceOf = spaceOf;
    this.#table = new Int32Array(capacity * 2);
    this.#mask = capacity * 2 - 1;
    for (let index = 0; index < this.count; index++) {
      const at = index * fields;
      const view = this.#views[entries[at + bufferField] as number] as DataView;
      const keyStart = entries[at + keyStartField] as number;
      const rank = spaceOf[index] as number;
      let place = hashOf(view, keyStart, entries[at + keyEndField] as number, rank) & this.#mask;
      while (this.#table[place] !== 0) place = (place + 1) & this.#mask;
      this.#table[place] = index + 1;
    }
  }

  /**
   * Indices of the changes for `put`: space by space, in each by the first differing bytes of the key. Yields between
   * spaces, because sorting a million changes takes a while.
   */
  *order(): Generator<void, Uint32Array> {
    const starts = new Uint32Array(this.#spaces.length);
    let start = 0;
    for (const { rank, count } of this.#spaces) {
      starts[rank] = start;
      start += count;
    }
    const order = new Uint32Array(this.count);
    const next = starts.slice();
    for (let index = 0; index < this.count; index++) {
      const rank = this.#spaceOf[index] as number;
      const at = next[rank] as number;
      order[at] = index;
      next[rank] = at + 1;
    }
    for (const space of this.#spaces) {
      const from = starts[space.rank] as number;
      this.#sort(order.subarray(from, from + space.count), space.common);
      yield;
    }
    return order;
  }

  /** Sorts numbers of 64 bits: the key's next 44 bits above the index. */
  #sort(indices: Uint32Array, common: number): void {
    const words = new Uint32Array(indices.length * 2);
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] as number;
      const high = this.#prefix(index, common);
      const low = this.#prefix(index, common + 4) >>> indexBits;
      words[i * 2] = ((low << indexBits) | index) >>> 0;
      words[i * 2 + 1] = high;
    }
    new BigUint64Array(words.buffer).sort();
    for (let i = 0; i < indices.length; i++) indices[i] = (words[i * 2] as number) & maxEntries;
  }

  /** The four bytes behind the common ones as a number, zeros where the key is shorter. */
  #prefix(index: number, common: number): number {
    const at = index * fields;
    const bytes = this.#buffers[this.#entries[at + bufferField] as number] as Uint8Array;
    const start = (this.#entries[at + keyStartField] as number) + common;
    const end = this.#entries[at + keyEndField] as number;
    let prefix = 0;
    for (let i = start; i < start + 4; i++) {
      prefix = (prefix << 8) | (i < end ? (bytes[i] as number) : 0);
    }
    return prefix >>> 0;
  }

  /** Writes the change `index`; inside a write transaction. */
  put(db: StateDb, index: number): void {
    const at = index * fields;
    const entries = this.#entries;
    const bytes = this.#buffers[entries[at + bufferField] as number] as Uint8Array;
    const space = (this.#spaces[this.#spaceOf[index] as number] as Space).id;
    const keyStart = entries[at + keyStartField] as number;
    const keyEnd = entries[at + keyEndField] as number;
    const valueStart = entries[at + valueStartField] as number;
    if (valueStart < 0) db.removeEntry(space, bytes, keyStart, keyEnd);
    else {
      const valueEnd = entries[at + valueEndField] as number;
      db.putEntry(space, bytes, keyStart, keyEnd, valueStart, valueEnd);
    }
  }
}

function hashOf(key: DataView, start: number, end: number, rank: number): number {
  return hashKey(key, start, end) ^ Math.imul(rank, 0x9e3779b9);
}
