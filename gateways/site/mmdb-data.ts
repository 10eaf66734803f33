import { isUtf8 } from "node:buffer";
import { geoFault } from "./geo-fault.ts";
import { IntMap } from "./int-map.ts";
import { MAX_CHECKS_PER_BYTE, MAX_RECORD_DEPTH, MAX_RECORD_VALUES, MIN_CHECKS } from "./limits.ts";

/** Types of the MaxMind DB format 2.0 ("Data Field Format"). */
export const POINTER = 1;
export const STRING = 2;
export const DOUBLE = 3;
export const UINT16 = 5;
export const UINT32 = 6;
export const MAP = 7;
export const INT32 = 8;
export const ARRAY = 11;
export const BOOLEAN = 14;
export const FLOAT = 15;
const EXTENDED = 0;
const BYTES = 4;
const UINT64 = 9;
const UINT128 = 10;

/** Most bytes of each number type; a double has 8 and a float 4, neither more nor less. */
const maxSizes: readonly number[] = [0, 0, 0, 8, 0, 2, 4, 0, 4, 8, 16, 0, 0, 0, 1, 4];
const pointerBases: readonly number[] = [0, 2_048, 526_336, 0];
const IN_PROGRESS = -1;
const VALUE_UNIT = 64;
/** Bytes of a data section for each pointer target, a guess. */
const TARGET_BYTES = 128;

/**
 * The data section of a database (or its metadata), read with bounds. `check` walks a value with
 * everything it points to, once for each pointer target, and throws `OCDN_GEO` for whatever could
 * hang or blow up a decoder; after it, `open` and `skip` need no further checks.
 */
export class MmdbData {
  readonly bytes: Buffer;
  /** Type, size (entries for maps and arrays) and payload of the value that `open` was given. */
  type = 0;
  size = 0;
  payload = 0;
  /** Where the bytes after the opened value begin: after its pointer, or after its scalar. */
  next = 0;
  readonly #file: string;
  readonly #start: number;
  readonly #end: number;
  /** Checked pointer targets: height plus 64 times the number of values. */
  readonly #checked: IntMap;
  #values = 0;
  #budget: number;

  constructor(file: string, bytes: Buffer, start: number, end: number) {
    this.#file = file;
    this.bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#checked = new IntMap((end - start) / TARGET_BYTES);
    this.#budget = MIN_CHECKS + MAX_CHECKS_PER_BYTE * (end - start);
  }

  /** Reads the control bytes at `offset` and follows a pointer. */
  open(offset: number): void {
    this.#control(offset);
    if (this.type !== POINTER) return;
    const after = this.next;
    this.#control(this.payload);
    if (this.type === POINTER) this.#fail("a pointer points to a pointer", offset);
    this.next = after;
  }

  #control(offset: number): void {
    const { bytes } = this;
    if (offset < this.#start || offset >= this.#end) this.#fail("a value lies outside", offset);
    const control = bytes[offset] as number;
    let at = offset + 1;
    let type = control >> 5;
    if (type === POINTER) {
      this.#pointer(control, at);
      return;
    }
    if (type === EXTENDED) {
      type = (bytes[at++] ?? 0) + 7;
      if (type < INT32) this.#fail("an extended type is none", offset);
    }
    let size = control & 0x1f;
    if (size >= 29) {
      const extra = size - 28;
      if (at + extra > this.#end) this.#fail("a size is cut off", offset);
      const value = this.#unsigned(at, extra);
      size = (extra === 1 ? 29 : extra === 2 ? 285 : 65_821) + value;
      at += extra;
    }
    this.type = type;
    this.size = size;
    this.payload = at;
    this.next = type === BOOLEAN ? at : at + size;
  }

  #pointer(control: number, at: number): void {
    const kind = (control >> 3) & 3;
    const extra = kind + 1;
    if (at + extra > this.#end) this.#fail("a pointer is cut off", at - 1);
    const high = kind === 3 ? 0 : (control & 7) << (8 * extra);
    const value = high + this.#unsigned(at, extra);
    this.type = POINTER;
    this.size = 0;
    this.payload = this.#start + value + (pointerBases[kind] as number);
    this.next = at + extra;
    if (this.payload >= this.#end) this.#fail("a pointer points outside", at - 1);
  }

  /** One to four bytes, big endian: several times as fast as `readUIntBE`, which is most of a load. */
  #unsigned(at: number, count: number): number {
    const { bytes } = this;
    let value = 0;
    for (let byte = 0; byte < count; byte++) value = (value << 8) | (bytes[at + byte] as number);
    return value >>> 0;
  }

  /** Checks the value at `offset` with all it points to. */
  check(offset: number): void {
    this.#values = 0;
    this.#checkValue(offset, 0);
  }

  /**
   * Begins the check of the record at `offset`: the number of its entries when it is a map, whose
   * first key then lies at `next`, else -1. Go on with `checkKey` and `checkEntry` in turn.
   */
  beginRecord(offset: number): number {
    this.#values = 0;
    this.open(offset);
    if (this.type !== MAP) {
      this.check(offset);
      return -1;
    }
    this.#checkRoom(offset);
    this.next = this.payload;
    return this.size;
  }

  /** Checks the key at `offset`; its text lies at `payload`, its value at `next`. */
  checkKey(offset: number): void {
    this.open(offset);
    const { payload, size } = this;
    if (this.type !== STRING) this.#fail("a key is no text", offset);
    if (payload + size > this.#end) this.#fail("a key is cut off", offset);
    this.#checkText(payload, payload + size);
  }

  /** Checks the value of an entry of a record; the next key lies at `next`. */
  checkEntry(offset: number): void {
    this.#checkValue(offset, 1);
  }

  /** Checks a target once; returns height plus 64 times the number of values. */
  #checkTarget(offset: number, depth: number): number {
    const known = this.#checked.get(0, offset);
    if (known === IN_PROGRESS) this.#fail("the data is cyclic", offset);
    if (known !== undefined) {
      if (depth + (known % VALUE_UNIT) > MAX_RECORD_DEPTH) this.#failDepth(offset);
      return known;
    }
    this.#control(offset);
    if (this.type === POINTER) this.#fail("a pointer points to a pointer", offset);
    this.#checked.set(0, offset, IN_PROGRESS);
    const before = this.#values;
    const height = this.#checkValue(offset, depth);
    const packed = height + VALUE_UNIT * (this.#values - before);
    this.#checked.set(0, offset, packed);
    return packed;
  }

  /** Checks the value at `offset`, sets `next` after it and returns its height. */
  #checkValue(offset: number, depth: number): number {
    if (depth > MAX_RECORD_DEPTH) this.#failDepth(offset);
    if (++this.#values > MAX_RECORD_VALUES) this.#failSize(offset);
    if (--this.#budget < 0) this.#fail("pointers overlap too often", offset);
    this.#control(offset);
    const { type, size, payload, next } = this;
    if (type === POINTER) return this.#checkPointer(offset, depth, next);
    if (type === MAP || type === ARRAY) {
      this.#checkRoom(offset);
      return this.#checkEntries(payload, size, type === MAP, depth);
    }
    if (next > this.#end) this.#fail(`a value of ${size} bytes is cut off`, offset);
    if (type === STRING) this.#checkText(payload, next);
    else if (type !== BYTES) this.#checkNumber(type, size, offset);
    return 0;
  }

  #checkPointer(offset: number, depth: number, next: number): number {
    const target = this.payload;
    const before = this.#values;
    const packed = this.#checkTarget(target, depth);
    this.#values = before + Math.floor(packed / VALUE_UNIT);
    if (this.#values > MAX_RECORD_VALUES) this.#failSize(offset);
    this.next = next;
    return packed % VALUE_UNIT;
  }

  /** An opened map or array may not claim more entries than bytes are left. */
  #checkRoom(offset: number): void {
    const { type, size, payload } = this;
    if (size * (type === MAP ? 2 : 1) <= this.#end - payload) return;
    this.#fail(`${type === MAP ? "a map" : "an array"} of ${size} entries is cut off`, offset);
  }

  #checkEntries(payload: number, size: number, keyed: boolean, depth: number): number {
    let height = 0;
    let at = payload;
    for (let entry = 0; entry < size; entry++) {
      if (keyed) {
        this.checkKey(at);
        at = this.next;
      }
      height = Math.max(height, this.#checkValue(at, depth + 1));
      at = this.next;
    }
    this.next = at;
    return height + 1;
  }

  #checkText(from: number, to: number): void {
    for (let at = from; at < to; at++) {
      if ((this.bytes[at] as number) < 0x80) continue;
      if (!isUtf8(this.bytes.subarray(from, to))) this.#fail("a text is no UTF-8", from);
      return;
    }
  }

  #checkNumber(type: number, size: number, offset: number): void {
    const maxSize = maxSizes[type];
    if (maxSize === undefined || maxSize === 0) this.#fail(`type ${type} is unknown`, offset);
    const fixed = type === DOUBLE || type === FLOAT;
    if (size > maxSize || (fixed && size !== maxSize)) {
      this.#fail(`a number of type ${type} has ${size} bytes`, offset);
    }
  }

  /** Where the value after a checked one begins. */
  skip(offset: number): number {
    this.#control(offset);
    if (this.type !== MAP && this.type !== ARRAY) return this.next;
    const values = this.type === MAP ? 2 * this.size : this.size;
    let at = this.payload;
    for (let value = 0; value < values; value++) at = this.skip(at);
    return at;
  }

  /** The text of a checked string at `offset`; empty for another type. */
  text(offset: number): string {
    this.open(offset);
    if (this.type !== STRING) return "";
    return this.bytes.toString("utf8", this.payload, this.payload + this.size);
  }

  /** The number of a checked value at `offset`; NaN for another type and for more than 32 bits. */
  number(offset: number): number {
    this.open(offset);
    const { bytes, type, size, payload } = this;
    if (type === DOUBLE) return bytes.readDoubleBE(payload);
    if (type === FLOAT) return bytes.readFloatBE(payload);
    if (type === UINT16 || type === UINT32) return size === 0 ? 0 : bytes.readUIntBE(payload, size);
    if (type === INT32 && size === 4) return bytes.readInt32BE(payload);
    return Number.NaN;
  }

  #failDepth(offset: number): never {
    return this.#fail(`a record is nested deeper than ${MAX_RECORD_DEPTH} levels`, offset);
  }

  #failSize(offset: number): never {
    return this.#fail(`a record has more than ${MAX_RECORD_VALUES} values`, offset);
  }

  #fail(cause: string, offset: number): never {
    throw geoFault(this.#file, cause, offset);
  }
}

if (MAX_RECORD_DEPTH >= VALUE_UNIT || UINT64 + 1 !== UINT128) {
  throw new Error("mmdb data: the height of a record must fit its packed field");
}
