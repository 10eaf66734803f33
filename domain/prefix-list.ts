import { type AddressFamily, addressBytes } from "./address.ts";
import { maxPrefixLength } from "./prefix.ts";

/**
 * A packed list of prefixes in the order of their source, one entry after the other:
 * `[flags][path id, 4 bytes big endian, if flagged][length in bits][ceil(length / 8) bytes]`.
 * Flag 1 says IPv6, flag 2 that a path id follows (RFC 7911). Host bits are zero, so equal
 * routes have equal bytes.
 */
const FLAG_IPV6 = 1;
const FLAG_PATH_ID = 2;
const KNOWN_FLAGS = FLAG_IPV6 | FLAG_PATH_ID;

/** Largest list that is read or written: the bound of one record on the log (256 KiB). */
export const MAX_PREFIX_LIST_BYTES = 262_144;

/** Largest entry: flags, path id, length and 16 bytes. */
export const MAX_PREFIX_ENTRY_BYTES = 22;

/** Path id of an entry that has none; a real one is 0..2^32-1. */
export const NO_PATH_ID = -1;

export type PrefixListFault = "tooLong" | "flags" | "length" | "hostBits" | "truncated";

/** Why a packed list cannot be read, and the byte where its bad entry begins. */
export interface PrefixListFailure {
  readonly kind: "failure";
  readonly code: PrefixListFault;
  readonly offset: number;
}

/** Collects prefixes into one packed list; its memory is reused after `reset`. */
export class PrefixListWriter {
  #bytes: Uint8Array;
  #length = 0;
  #count = 0;

  constructor(capacityBytes: number = 4096) {
    this.#bytes = new Uint8Array(Math.max(capacityBytes, MAX_PREFIX_ENTRY_BYTES));
  }

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#length;
  }

  /**
   * Appends the prefix whose `ceil(length / 8)` bytes stand at `source[at]`; host bits are
   * cleared. False, and nothing written, when the length is not one of the family, when the
   * bytes are not there, or when the list would exceed MAX_PREFIX_LIST_BYTES.
   */
  add(
    family: AddressFamily,
    source: Uint8Array,
    at: number,
    length: number,
    pathId: number = NO_PATH_ID,
  ): boolean {
    const size = (length + 7) >> 3;
    if (length < 0 || length > maxPrefixLength(family) || at + size > source.length) return false;
    let end = this.#length;
    if (end + MAX_PREFIX_ENTRY_BYTES > this.#bytes.length && !this.#grow()) return false;
    const bytes = this.#bytes;
    if (pathId === NO_PATH_ID) {
      bytes[end++] = family === 6 ? FLAG_IPV6 : 0;
    } else {
      bytes[end++] = family === 6 ? FLAG_IPV6 | FLAG_PATH_ID : FLAG_PATH_ID;
      bytes[end++] = pathId >>> 24;
      bytes[end++] = pathId >>> 16;
      bytes[end++] = pathId >>> 8;
      bytes[end++] = pathId;
    }
    bytes[end++] = length;
    for (let byte = 0; byte < size; byte++) bytes[end++] = source[at + byte] as number;
    const rest = length & 7;
    if (rest !== 0) bytes[end - 1] = (bytes[end - 1] as number) & (0xff00 >> rest);
    this.#length = end;
    this.#count++;
    return true;
  }

  /** Copies the list written so far to `target[at]` and returns where it ends. */
  copyTo(target: Uint8Array, at: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    if (length > 64) target.set(bytes.subarray(0, length), at);
    else for (let byte = 0; byte < length; byte++) target[at + byte] = bytes[byte] as number;
    return at + length;
  }

  /** A copy of the list written so far. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
    this.#count = 0;
  }

  #grow(): boolean {
    if (this.#bytes.length >= MAX_PREFIX_LIST_BYTES) return false;
    const grown = new Uint8Array(Math.min(this.#bytes.length * 2, MAX_PREFIX_LIST_BYTES));
    grown.set(this.#bytes);
    this.#bytes = grown;
    return this.#length + MAX_PREFIX_ENTRY_BYTES <= grown.length;
  }
}

/**
 * Visits a packed list without an allocation: `open(list)`, then `next()` until it is false;
 * after a true `next()` the fields describe the entry. The prefix bytes stand at
 * `list[start]`. A list that is not canonical ends early and leaves `failure`.
 */
export class PrefixListReader {
  family: AddressFamily = 4;
  /** Bits of the prefix. */
  length: number = 0;
  pathId: number = NO_PATH_ID;
  /** Where the prefix bytes of the entry begin. */
  start: number = 0;
  list: Uint8Array = new Uint8Array(0);
  failure: PrefixListFailure | undefined = undefined;
  #at = 0;
  #end = 0;

  /** Begins with `list[from..to)`. */
  open(list: Uint8Array, from: number = 0, to: number = list.length): this {
    this.list = list;
    this.failure = undefined;
    this.#at = from;
    this.#end = to;
    if (to - from > MAX_PREFIX_LIST_BYTES) this.#fail("tooLong", from);
    return this;
  }

  next(): boolean {
    const from = this.#at;
    const end = this.#end;
    if (from >= end) return false;
    const list = this.list;
    let at = from;
    const flags = list[at++] as number;
    if ((flags & ~KNOWN_FLAGS) !== 0) return this.#fail("flags", from);
    if ((flags & FLAG_PATH_ID) === 0) {
      this.pathId = NO_PATH_ID;
    } else {
      if (at + 4 > end) return this.#fail("truncated", from);
      this.pathId = readUint32(list, at);
      at += 4;
    }
    if (at >= end) return this.#fail("truncated", from);
    const length = list[at++] as number;
    const family = (flags & FLAG_IPV6) === 0 ? 4 : 6;
    if (length > maxPrefixLength(family)) return this.#fail("length", from);
    const after = at + ((length + 7) >> 3);
    if (after > end) return this.#fail("truncated", from);
    const rest = length & 7;
    if (rest !== 0 && ((list[after - 1] as number) & (0xff >> rest)) !== 0) {
      return this.#fail("hostBits", from);
    }
    this.family = family;
    this.length = length;
    this.start = at;
    this.#at = after;
    return true;
  }

  /** Writes the 4 or 16 bytes of the entry's network address to `target[at]`. */
  addressInto(target: Uint8Array, at: number): void {
    const size = (this.length + 7) >> 3;
    for (let byte = 0; byte < size; byte++) target[at + byte] = this.list[this.start + byte] ?? 0;
    target.fill(0, at + size, at + addressBytes(this.family));
  }

  #fail(code: PrefixListFault, offset: number): false {
    this.failure = { kind: "failure", code, offset };
    this.#at = this.#end;
    return false;
  }
}

/** Number of prefixes in a list, or why it cannot be read. */
export function countPrefixes(list: Uint8Array): number | PrefixListFailure {
  const reader = new PrefixListReader().open(list);
  let count = 0;
  while (reader.next()) count++;
  return reader.failure ?? count;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  );
}
