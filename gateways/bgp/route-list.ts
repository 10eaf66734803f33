import type { AddressFamily } from "../../domain/address.ts";
import { maxPrefixLength } from "../../domain/prefix.ts";
import { NO_PATH_ID, PrefixListReader, type PrefixListWriter } from "../../domain/prefix-list.ts";
import { uint32 } from "./mrt-format.ts";

/**
 * Appends the routes of `bytes[start..end)` (RFC 4271 section 4.3, with path ids RFC 7911 section
 * 3). False when they do not fill it exactly or a length is none of the family; those before the
 * fault are appended.
 */
export function addRoutes(
  writer: PrefixListWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  family: AddressFamily,
  addPath: boolean,
): boolean {
  const longest = maxPrefixLength(family);
  let at = start;
  while (at < end) {
    let pathId = NO_PATH_ID;
    if (addPath) {
      if (at + 4 >= end) return false;
      pathId = uint32(bytes, at);
      at += 4;
    }
    const length = bytes[at++] as number;
    const next = at + ((length + 7) >> 3);
    if (length > longest || next > end) return false;
    if (!writer.add(family, bytes, at, length, pathId)) return false;
    at = next;
  }
  return true;
}

/** Cuts a packed list into pieces of at most `maxBytes` (22 or more), each a list of its own. */
export function splitList(list: Uint8Array, maxBytes: number): Uint8Array[] {
  if (list.length <= maxBytes) return list.length === 0 ? [] : [list];
  const reader = new PrefixListReader().open(list);
  const pieces: Uint8Array[] = [];
  let from = 0;
  let end = 0;
  while (reader.next()) {
    const entryEnd = reader.start + ((reader.length + 7) >> 3);
    if (entryEnd - from > maxBytes) {
      pieces.push(list.subarray(from, end));
      from = end;
    }
    end = entryEnd;
  }
  pieces.push(list.subarray(from, end));
  return pieces;
}

const SLAB_BYTES = 65_536;
const empty: Uint8Array = new Uint8Array(0);

/** Memory for small lists that live as long as their event: many share one allocation. */
export class ListSlab {
  #slab = new Uint8Array(SLAB_BYTES);
  #at = 0;

  /** A copy of what the writer holds. */
  copy(writer: PrefixListWriter): Uint8Array {
    const size = writer.sizeBytes;
    if (size === 0) return empty;
    if (this.#at + size > this.#slab.length) {
      this.#slab = new Uint8Array(Math.max(size, SLAB_BYTES));
      this.#at = 0;
    }
    const from = this.#at;
    this.#at = writer.copyTo(this.#slab, from);
    return new Uint8Array(this.#slab.buffer, from, size);
  }
}
