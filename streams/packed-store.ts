import { Section } from "./batch.ts";
import type { StoreChanges } from "./commit.ts";
import { OpenCdnError } from "./errors.ts";
import { hashPair, MultisetDigest, newLanes } from "./hash.ts";
import { maxKeyBytes, maxRecordBytes, maxStoreBytes, maxStoreEntries } from "./limits.ts";
import type { PackedStore as StoreContract } from "./store.ts";
import { blockHeaderBytes, chunkOf, wordOf } from "./store-arena.ts";
import { equalRange, ViewOfLast } from "./store-bytes.ts";
import { elementWord, keyLengthOf, keyWord, lengthWord, StoreEntries } from "./store-entries.ts";
import { absent, Generation } from "./store-generation.ts";

/** Visits an entry in place; false stops. */
export type EntryVisitor = (
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  valueStart: number,
  valueEnd: number,
) => boolean | undefined;

/** What a sealed generation changed, and what the store then held. */
export interface SealedStore {
  readonly changes: StoreChanges;
  /** Digest of all entries, 16 bytes. */
  readonly digest: Uint8Array;
  readonly entries: number;
}

export interface PackedStoreOptions {
  readonly maxEntries?: number;
  readonly maxBytes?: number;
}

const noBytes = Buffer.alloc(0);
const noView = new DataView(new ArrayBuffer(0));
/** A larger section of changes is given back after a seal. */
const keptSectionBytes = 1_048_576;

/**
 * The store behind a task: a byte map in packed memory with undo, digest and snapshot.
 *
 * Changes belong to the open generation until `seal()`; a sealed one can be undone until `committed()`. One may be
 * sealed while the next is open. Inside the open generation `mark()` and `rollbackToMark()` undo a record.
 */
export class PackedStore implements StoreContract {
  readonly name: string;
  bytes: Buffer = noBytes;
  view: DataView = noView;
  valueStart: number = 0;
  valueEnd: number = 0;
  readonly #maxEntries: number;
  readonly #entries: StoreEntries;
  #size = 0;
  #open = new Generation();
  #spare = new Generation();
  #sealed: Generation | undefined;
  /** Values at the mark, of entries that the open generation had touched before it. */
  readonly #marked = new Generation();
  #mark = 1;
  #markCount = 0;
  #touched = false;
  /** Entry that the last `find` found and nothing has moved since; -1 for none. */
  #found = -1;
  readonly #digest = new MultisetDigest();
  readonly #digestBefore = new MultisetDigest();
  /** Digest of the last seal while it holds: most stores of a task are not touched by a commit. */
  #lastDigest: Uint8Array | undefined;
  readonly #unchanged: StoreChanges;
  readonly #lanes = newLanes();
  readonly #keys = new ViewOfLast();
  readonly #values = new ViewOfLast();
  #section: Section;
  #visiting = false;

  constructor(name: string, options: PackedStoreOptions = {}) {
    this.name = name;
    this.#maxEntries = options.maxEntries ?? maxStoreEntries;
    this.#entries = new StoreEntries(options.maxBytes ?? maxStoreBytes);
    this.#section = new Section(name, 0);
    this.#unchanged = { store: name, count: 0, bytes: noBytes, view: noView, length: 0 };
  }

  get size(): number {
    return this.#size;
  }

  /** Memory held: blocks, index, undo. */
  get memoryBytes(): number {
    const undo = this.#open.sizeBytes + (this.#sealed ?? this.#spare).sizeBytes;
    return this.#entries.sizeBytes + undo + this.#marked.sizeBytes;
  }

  /** Bytes of undo of the open generation; an engine may seal early when they are many. */
  get openBytes(): number {
    return this.#open.usedBytes;
  }

  find(key: Uint8Array, keyStart: number, keyEnd: number): boolean {
    const id = this.#entries.locate(this.#keys.of(key), keyStart, keyEnd);
    const found = id >= 0 && this.#point(id);
    this.#found = found ? id : -1;
    return found;
  }

  edit(): void {
    this.#expectUnvisited();
    if (this.#found < 0) throw new Error(`store ${this.name}: an edit of nothing found`);
    this.#record(this.#found, true);
  }

  /** Throws OCDN_LIMIT, and changes nothing, when a bound of limits.ts would be passed. */
  put(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const length = valueEnd - valueStart;
    const id = this.#idForWrite(key, keyStart, keyEnd, length);
    const values = this.#values.of(value);
    this.#found = -1;
    const present = this.#point(id);
    if (
      present &&
      this.valueEnd - this.valueStart === length &&
      equalRange(this.view, this.valueStart, values, valueStart, length)
    ) {
      return;
    }
    this.#record(id, present);
    if (!this.#entries.setValue(id, value, values, valueStart, length, false)) this.#refuseBytes();
    if (!present) this.#size += 1;
  }

  delete(key: Uint8Array, keyStart: number, keyEnd: number): boolean {
    this.#expectUnvisited();
    const id = this.#entries.locate(this.#keys.of(key), keyStart, keyEnd);
    this.#found = -1;
    if (id < 0 || !this.#point(id)) return false;
    this.#record(id, true);
    this.#entries.setAbsent(id);
    this.#size -= 1;
    return true;
  }

  scan(prefix: Uint8Array, visit: EntryVisitor): void {
    const ids: number[] = [];
    const entries = this.#entries;
    const wanted = this.#keys.of(prefix);
    for (let id = 0; id < entries.end; id++) {
      const ref = entries.refs[id] as number;
      if (ref < 0) continue;
      const words = entries.arena.words[chunkOf(ref)] as Int32Array;
      const word = wordOf(ref);
      if (words[word + lengthWord] === absent) continue;
      if (keyLengthOf(words[word + keyWord] as number) < prefix.length) continue;
      const view = entries.arena.views[chunkOf(ref)] as DataView;
      const start = word * 4 + blockHeaderBytes;
      if (equalRange(view, start, wanted, 0, prefix.length)) ids.push(id);
    }
    ids.sort((a, b) => entries.compareKeys(a, b));
    this.#visit(visit, ids);
  }

  /** Visits all entries in an order that depends on history; cheap. The visitor may not change the store. */
  forEachUnordered(visit: EntryVisitor): void {
    this.#visit(visit);
  }

  /** As `forEachUnordered`, only while nothing has changed since the seal: what belongs to the sealed digest. */
  snapshot(visit: EntryVisitor): void {
    this.#expectUnchanged("a snapshot");
    this.#visit(visit);
  }

  /**
   * Sets an entry while a store is filled from disk: no undo, no change record; `value` undefined deletes. Only
   * while no change is open or sealed. Throws OCDN_LIMIT like `put`.
   */
  load(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#expectUnchanged("a load");
    this.#lastDigest = undefined;
    this.#found = -1;
    if (this.#sealed !== undefined) throw new Error(`store ${this.name}: a load while sealed`);
    const entries = this.#entries;
    if (value === undefined) {
      const id = entries.locate(this.#keys.of(key), 0, key.length);
      if (id < 0) return;
      this.#takeFromDigest(id);
      entries.drop(id);
      this.#size -= 1;
      return;
    }
    const id = this.#idForWrite(key, 0, key.length, value.length);
    const present = !entries.isAbsent(id);
    if (present) this.#takeFromDigest(id);
    const values = this.#values.of(value);
    const done = entries.setValue(id, value, values, 0, value.length, false);
    this.#addToDigest(id);
    if (!done) this.#refuseBytes();
    if (!present) this.#size += 1;
  }

  /** From here on `rollbackToMark` undoes what is done. Seal, abort and roll-back set a mark themselves. */
  mark(): void {
    if (this.#touched) this.#setMark();
  }

  #setMark(): void {
    this.#touched = false;
    this.#found = -1;
    this.#mark = (this.#mark + 1) | 0;
    this.#markCount = this.#open.count;
    if (this.#marked.count > 0) this.#marked.reset();
  }

  /** Undoes everything since the mark. */
  rollbackToMark(): void {
    const open = this.#open;
    for (let i = open.count - 1; i >= this.#markCount; i--) this.#restore(open, i);
    for (let i = this.#marked.count - 1; i >= 0; i--) this.#restore(this.#marked, i);
    this.#setMark();
  }

  /**
   * Ends the open generation. Gives its changes (every entry that differs from the last seal once, in the order
   * of first touch, in memory of their own), the digest and the number of entries.
   */
  seal(): SealedStore {
    if (this.#sealed !== undefined) throw new Error(`store ${this.name}: sealed twice`);
    const open = this.#open;
    this.#digestBefore.copyFrom(this.#digest);
    const changes = open.count === 0 ? this.#unchanged : this.#sealChanges(open);
    if (changes.count > 0) this.#lastDigest = undefined;
    this.#lastDigest ??= this.#digest.digest();
    this.#sealed = open;
    this.#open = this.#spare;
    this.#keys.forget();
    this.#values.forget();
    this.#setMark();
    return { changes, digest: this.#lastDigest, entries: this.#size };
  }

  #sealChanges(open: Generation): StoreChanges {
    const section = this.#section;
    for (let i = 0; i < open.count; i++) this.#sealElement(open, i, section);
    const { name: store } = this;
    const { count } = section;
    const bytes = section.bytes.slice(0, section.length);
    section.count = 0;
    section.length = 0;
    if (section.bytes.length > keptSectionBytes) this.#section = new Section(this.name, 0);
    return { store, count, bytes, view: new DataView(bytes.buffer), length: bytes.length };
  }

  /** The sealed generation is durable: its undo is dropped. */
  committed(): void {
    const sealed = this.#sealed;
    if (sealed === undefined) throw new Error(`store ${this.name}: committed, but not sealed`);
    this.#found = -1;
    const entries = this.#entries;
    const someAbsent = entries.count > this.#size;
    for (let i = 0; someAbsent && i < sealed.count; i++) {
      const id = sealed.id(i);
      if (entries.isAbsent(id) && !this.#open.holds(this.#elementOf(id), id)) entries.drop(id);
    }
    this.#retire(sealed);
  }

  /** Undoes every generation that is not committed, newest first. */
  abort(): void {
    const open = this.#open;
    const sealed = this.#sealed;
    for (let i = open.count - 1; i >= 0; i--) this.#restore(open, i);
    if (sealed !== undefined) {
      for (let i = sealed.count - 1; i >= 0; i--) this.#restore(sealed, i);
      this.#digest.copyFrom(this.#digestBefore);
      this.#lastDigest = undefined;
      this.#dropAbsent(sealed);
      this.#retire(sealed);
    }
    this.#dropAbsent(open);
    open.reset();
    this.#setMark();
  }

  /** Digest of all entries as they are now, 16 bytes: the sum of the hashes of (key, value). */
  digest(): Uint8Array {
    this.#found = -1;
    const sealed = new MultisetDigest();
    sealed.copyFrom(this.#digest);
    for (let i = 0; i < this.#open.count; i++) {
      this.#takeOldFromDigest(this.#open, i);
      const id = this.#open.id(i);
      if (!this.#entries.isAbsent(id)) this.#addToDigest(id);
    }
    const digest = this.#digest.digest();
    this.#digest.copyFrom(sealed);
    return digest;
  }

  /** Forgets everything, generations included. */
  clear(): void {
    this.#entries.clear();
    this.#size = 0;
    this.#open.reset();
    if (this.#sealed !== undefined) this.#retire(this.#sealed);
    this.#digest.reset();
    this.#lastDigest = undefined;
    this.#setMark();
  }

  /** Moves the cursor to an entry's value; false when it is absent. */
  #point(id: number): boolean {
    const { arena, refs } = this.#entries;
    const ref = refs[id] as number;
    const chunk = chunkOf(ref);
    const words = arena.words[chunk] as Int32Array;
    const word = wordOf(ref);
    const length = words[word + lengthWord] as number;
    const start = word * 4 + blockHeaderBytes + keyLengthOf(words[word + keyWord] as number);
    this.bytes = arena.bytes[chunk] as Buffer;
    this.view = arena.views[chunk] as DataView;
    this.valueStart = start;
    this.valueEnd = start + length;
    return length !== absent;
  }

  #idForWrite(key: Uint8Array, keyStart: number, keyEnd: number, valueLength: number): number {
    this.#expectUnvisited();
    if (keyEnd - keyStart > maxKeyBytes || valueLength > maxRecordBytes) {
      this.#refuse(`a key of ${keyEnd - keyStart} or a value of ${valueLength} bytes is too long`);
    }
    const entries = this.#entries;
    const keys = this.#keys.of(key);
    const found = entries.locate(keys, keyStart, keyEnd);
    if (found >= 0) return found;
    if (entries.count >= this.#maxEntries) this.#refuse(`${this.#maxEntries} entries are held`);
    const id = entries.insert(key, keys, keyStart, keyEnd, valueLength);
    if (id < 0) this.#refuseBytes();
    return id;
  }

  /** Keeps the value under the cursor before it changes, unless the generation and the mark have one already. */
  #record(id: number, present: boolean): void {
    this.#touched = true;
    const open = this.#open;
    const length = present ? this.valueEnd - this.valueStart : absent;
    const element = this.#elementOf(id);
    if (!open.holds(element, id)) {
      const added = open.add(id, this.#mark, this.bytes, this.view, this.valueStart, length);
      this.#setElement(id, added);
    } else if (element < this.#markCount && open.mark(element) !== this.#mark) {
      open.setMark(element, this.#mark);
      this.#marked.add(id, 0, this.bytes, this.view, this.valueStart, length);
    }
  }

  #elementOf(id: number): number {
    const ref = this.#entries.refs[id] as number;
    return (this.#entries.arena.words[chunkOf(ref)] as Int32Array)[
      wordOf(ref) + elementWord
    ] as number;
  }

  #setElement(id: number, element: number): void {
    const ref = this.#entries.refs[id] as number;
    (this.#entries.arena.words[chunkOf(ref)] as Int32Array)[wordOf(ref) + elementWord] = element;
  }

  /** Undoes element `index` of a generation; never fails for want of memory in the arena. */
  #restore(generation: Generation, index: number): void {
    const id = generation.id(index);
    const length = generation.oldLength(index);
    const present = !this.#entries.isAbsent(id);
    if (length === absent) {
      if (present) this.#size -= 1;
      this.#entries.setAbsent(id);
      return;
    }
    if (!present) this.#size += 1;
    const start = generation.oldStart(index);
    this.#entries.setValue(id, generation.bytes, generation.view, start, length, true);
  }

  #sealElement(generation: Generation, index: number, section: Section): void {
    const id = generation.id(index);
    const start = generation.oldStart(index);
    const length = generation.oldLength(index);
    const present = this.#point(id);
    const { bytes, view, valueStart, valueEnd } = this;
    const same = present
      ? length === valueEnd - valueStart &&
        equalRange(view, valueStart, generation.view, start, length)
      : length === absent;
    if (same) return;
    const lanes = this.#lanes;
    const keyStart = this.#keyStartOf(id);
    if (length !== absent) {
      hashPair(view, keyStart, valueStart, generation.view, start, start + length, lanes);
      this.#digest.remove(lanes);
    }
    if (present) {
      hashPair(view, keyStart, valueStart, view, valueStart, valueEnd, lanes);
      this.#digest.add(lanes);
    }
    section.add(bytes, keyStart, valueStart, present ? bytes : undefined, valueStart, valueEnd);
  }

  #keyStartOf(id: number): number {
    return wordOf(this.#entries.refs[id] as number) * 4 + blockHeaderBytes;
  }

  #takeOldFromDigest(generation: Generation, index: number): void {
    const length = generation.oldLength(index);
    if (length === absent) return;
    const id = generation.id(index);
    this.#point(id);
    const { view, valueStart } = this;
    const start = generation.oldStart(index);
    const keyStart = this.#keyStartOf(id);
    hashPair(view, keyStart, valueStart, generation.view, start, start + length, this.#lanes);
    this.#digest.remove(this.#lanes);
  }

  #hashEntry(id: number): void {
    this.#point(id);
    const { view, valueStart, valueEnd } = this;
    hashPair(view, this.#keyStartOf(id), valueStart, view, valueStart, valueEnd, this.#lanes);
  }

  #addToDigest(id: number): void {
    this.#hashEntry(id);
    this.#digest.add(this.#lanes);
  }

  #takeFromDigest(id: number): void {
    this.#hashEntry(id);
    this.#digest.remove(this.#lanes);
  }

  #dropAbsent(generation: Generation): void {
    const entries = this.#entries;
    for (let i = 0; i < generation.count; i++) {
      const id = generation.id(i);
      if ((entries.refs[id] as number) >= 0 && entries.isAbsent(id)) entries.drop(id);
    }
  }

  #retire(sealed: Generation): void {
    sealed.reset();
    this.#spare = sealed;
    this.#sealed = undefined;
  }

  #visit(visit: EntryVisitor, ids?: readonly number[]): void {
    this.#expectUnvisited();
    this.#found = -1;
    this.#visiting = true;
    try {
      const count = ids === undefined ? this.#entries.end : ids.length;
      for (let i = 0; i < count; i++) {
        const id = ids === undefined ? i : (ids[i] as number);
        if ((this.#entries.refs[id] as number) < 0 || !this.#point(id)) continue;
        const { bytes, valueStart, valueEnd } = this;
        if (visit(bytes, this.#keyStartOf(id), valueStart, valueStart, valueEnd) === false) return;
      }
    } finally {
      this.#visiting = false;
    }
  }

  #expectUnvisited(): void {
    if (this.#visiting) throw new Error(`store ${this.name}: changed or scanned by a visitor`);
  }

  #expectUnchanged(what: string): void {
    if (this.#open.count > 0) throw new Error(`store ${this.name}: ${what} amid changes`);
  }

  #refuseBytes(): never {
    this.#refuse("its memory is full");
  }

  #refuse(reason: string): never {
    throw new OpenCdnError("OCDN_LIMIT", `writing to the store ${this.name}: ${reason}`);
  }
}
