import { hashKey } from "./hash.ts";
import {
  blockHeaderBytes,
  chunkOf,
  classBytes,
  classOf,
  StoreArena,
  wordOf,
} from "./store-arena.ts";
import { compareRanges, copyRange, equalRange } from "./store-bytes.ts";
import { absent } from "./store-generation.ts";
import { StoreIndex } from "./store-index.ts";

/** Words of a block's header. */
export const lengthWord: number = 0;
export const elementWord: number = 1;
export const keyWord: number = 2;
const keyMask = 0xffff;
const classShift = 16;

/** Key length in a header's third word. */
export function keyLengthOf(word: number): number {
  return word & keyMask;
}

/**
 * Entries of a store by id. An entry keeps its id for its lifetime, whatever block it lies in. A block is, in
 * 32-bit words: value length (`absent` for an entry that is deleted but may still be undone), element of the
 * generation that touched it last, key length and size class; then the key and the value. An entry costs its bytes
 * + 12 rounded to 8, + 4, + 11 to 23 in the index.
 */
export class StoreEntries {
  readonly arena: StoreArena;
  /** Block of each id; negative for an id that is free. */
  refs: Int32Array = new Int32Array(16);
  /** Every id in use is below. */
  end: number = 0;
  readonly #index = new StoreIndex();
  #freeId = -1;
  #lastId = -1;

  constructor(maxBytes: number) {
    this.arena = new StoreArena(maxBytes);
  }

  /** Entries, absent ones included. */
  get count(): number {
    return this.#index.count;
  }

  get sizeBytes(): number {
    return this.arena.sizeBytes + this.#index.sizeBytes + this.refs.byteLength;
  }

  /** Id of the entry with this key, absent ones included; -1 without one. The last one is found at once. */
  locate(key: DataView, keyStart: number, keyEnd: number): number {
    const last = this.#lastId;
    if (last >= 0 && this.#hasKey(last, key, keyStart, keyEnd)) return last;
    const hash = hashKey(key, keyStart, keyEnd);
    const { pairs, mask, shift } = this.#index;
    for (let at = hash >>> shift; ; at = (at + 1) & mask) {
      const id = (pairs[2 * at + 1] as number) - 1;
      if (id < 0) return -1;
      if (pairs[2 * at] === hash && this.#hasKey(id, key, keyStart, keyEnd)) {
        this.#lastId = id;
        return id;
      }
    }
  }

  /** Adds an absent entry in a block with room for a value of `valueLength`; -1 when the arena is full. */
  insert(
    key: Uint8Array,
    keyView: DataView,
    keyStart: number,
    keyEnd: number,
    valueLength: number,
  ): number {
    const keyLength = keyEnd - keyStart;
    const sizeClass = classOf(blockHeaderBytes + keyLength + valueLength);
    const ref = this.arena.allocate(sizeClass, false);
    if (ref < 0) return -1;
    const words = this.arena.words[chunkOf(ref)] as Int32Array;
    const word = wordOf(ref);
    words[word + lengthWord] = absent;
    words[word + elementWord] = 0;
    words[word + keyWord] = keyLength | (sizeClass << classShift);
    const bytes = this.arena.bytes[chunkOf(ref)] as Buffer;
    const view = this.arena.views[chunkOf(ref)] as DataView;
    copyRange(key, keyView, keyStart, keyLength, bytes, view, word * 4 + blockHeaderBytes);
    const id = this.#takeId();
    this.refs[id] = ref;
    this.#index.add(hashKey(keyView, keyStart, keyEnd), id);
    this.#lastId = id;
    return id;
  }

  /**
   * Sets the value of an entry, in place where it fits and leaves less than three quarters of the block empty.
   * False, with nothing changed, when the arena is full and the write is not `forced`.
   */
  setValue(
    id: number,
    value: Uint8Array,
    valueView: DataView,
    start: number,
    length: number,
    forced: boolean,
  ): boolean {
    const ref = this.refs[id] as number;
    const words = this.arena.words[chunkOf(ref)] as Int32Array;
    const word = wordOf(ref);
    const keyWordValue = words[word + keyWord] as number;
    const needed = blockHeaderBytes + (keyWordValue & keyMask) + length;
    const capacity = classBytes[keyWordValue >>> classShift] as number;
    if (needed > capacity || (needed * 4 < capacity && capacity > 64)) {
      return this.#move(id, value, valueView, start, length, forced);
    }
    const bytes = this.arena.bytes[chunkOf(ref)] as Buffer;
    const view = this.arena.views[chunkOf(ref)] as DataView;
    copyRange(value, valueView, start, length, bytes, view, word * 4 + needed - length);
    words[word + lengthWord] = length;
    return true;
  }

  isAbsent(id: number): boolean {
    const ref = this.refs[id] as number;
    return (this.arena.words[chunkOf(ref)] as Int32Array)[wordOf(ref)] === absent;
  }

  setAbsent(id: number): void {
    const ref = this.refs[id] as number;
    (this.arena.words[chunkOf(ref)] as Int32Array)[wordOf(ref)] = absent;
  }

  /** Removes an entry and frees its block and id. */
  drop(id: number): void {
    const ref = this.refs[id] as number;
    const word = wordOf(ref);
    const keyWordValue = (this.arena.words[chunkOf(ref)] as Int32Array)[word + keyWord] as number;
    const keyStart = word * 4 + blockHeaderBytes;
    const view = this.arena.views[chunkOf(ref)] as DataView;
    this.#index.remove(hashKey(view, keyStart, keyStart + (keyWordValue & keyMask)), id);
    this.arena.free(ref, keyWordValue >>> classShift);
    this.refs[id] = -2 - this.#freeId;
    this.#freeId = id;
    if (this.#lastId === id) this.#lastId = -1;
  }

  /** Order of two entries by the bytes of their keys. */
  compareKeys(a: number, b: number): number {
    const aRef = this.refs[a] as number;
    const bRef = this.refs[b] as number;
    return compareRanges(
      this.arena.views[chunkOf(aRef)] as DataView,
      wordOf(aRef) * 4 + blockHeaderBytes,
      this.#keyLength(aRef),
      this.arena.views[chunkOf(bRef)] as DataView,
      wordOf(bRef) * 4 + blockHeaderBytes,
      this.#keyLength(bRef),
    );
  }

  clear(): void {
    this.arena.clear();
    this.#index.clear();
    this.refs = new Int32Array(16);
    this.end = 0;
    this.#freeId = -1;
    this.#lastId = -1;
  }

  #move(
    id: number,
    value: Uint8Array,
    valueView: DataView,
    start: number,
    length: number,
    forced: boolean,
  ): boolean {
    const { arena } = this;
    const from = this.refs[id] as number;
    const keyLength = this.#keyLength(from);
    const sizeClass = classOf(blockHeaderBytes + keyLength + length);
    const to = arena.allocate(sizeClass, forced);
    if (to < 0) return false;
    const fromWords = arena.words[chunkOf(from)] as Int32Array;
    const fromWord = wordOf(from);
    const words = arena.words[chunkOf(to)] as Int32Array;
    const word = wordOf(to);
    words[word + lengthWord] = length;
    words[word + elementWord] = fromWords[fromWord + elementWord] as number;
    words[word + keyWord] = keyLength | (sizeClass << classShift);
    const bytes = arena.bytes[chunkOf(to)] as Buffer;
    const view = arena.views[chunkOf(to)] as DataView;
    const fromBytes = arena.bytes[chunkOf(from)] as Buffer;
    const fromView = arena.views[chunkOf(from)] as DataView;
    const keyStart = fromWord * 4 + blockHeaderBytes;
    const at = word * 4 + blockHeaderBytes;
    copyRange(fromBytes, fromView, keyStart, keyLength, bytes, view, at);
    copyRange(value, valueView, start, length, bytes, view, at + keyLength);
    arena.free(from, (fromWords[fromWord + keyWord] as number) >>> classShift);
    this.refs[id] = to;
    return true;
  }

  #keyLength(ref: number): number {
    const words = this.arena.words[chunkOf(ref)] as Int32Array;
    return (words[wordOf(ref) + keyWord] as number) & keyMask;
  }

  #hasKey(id: number, key: DataView, keyStart: number, keyEnd: number): boolean {
    const ref = this.refs[id] as number;
    const length = keyEnd - keyStart;
    if (this.#keyLength(ref) !== length) return false;
    const view = this.arena.views[chunkOf(ref)] as DataView;
    return equalRange(key, keyStart, view, wordOf(ref) * 4 + blockHeaderBytes, length);
  }

  #takeId(): number {
    const free = this.#freeId;
    if (free >= 0) {
      this.#freeId = -2 - (this.refs[free] as number);
      return free;
    }
    const id = this.end;
    if (id === this.refs.length) {
      const grown = new Int32Array(id * 2);
      grown.set(this.refs);
      this.refs = grown;
    }
    this.end = id + 1;
    return id;
  }
}
