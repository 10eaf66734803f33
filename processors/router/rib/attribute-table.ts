import { asPathLength, originAsn } from "../../../domain/as-path.ts";
import type { BgpAttributes } from "../../../schemas/generated/events.ts";
import type { PackedStore } from "../../../streams/store.ts";
import { AttributePacker } from "./packed-attributes.ts";

/** Bytes before the packed attributes: count, origin, path length. */
const headBytes = 10;

const packer = new AttributePacker();
const key = new Uint8Array(4);
let copy = new Uint8Array(4_096);

/**
 * Attributes, each set once however many routes have it. Its id is a hash of its bytes; where two sets collide the
 * second takes the next free id, so an id means the same bytes for as long as anything refers to it.
 *
 * The store: id -> `[routes, 4][origin, 4][path length, 2][packed attributes]`.
 */
export class AttributeTable {
  readonly #store: PackedStore;
  /** Of the set that `intern` or `load` met last. */
  originAsn: number = 0;
  pathLength: number = 0;
  #packedEnd = 0;

  constructor(store: PackedStore) {
    this.#store = store;
  }

  /** Id of these attributes. A new set is kept by `acquire`, which must come before the next `intern`. */
  intern(attributes: BgpAttributes): number {
    const store = this.#store;
    const end = packer.pack(attributes, headBytes);
    this.#packedEnd = end;
    let id = hashBytes(packer.bytes, headBytes, end);
    for (; ; id = (id + 1) >>> 0) {
      if (!this.#find(id)) break;
      if (equals(store, packer.bytes, end)) {
        this.#readHead();
        return id;
      }
    }
    this.originAsn = originAsn(attributes.asPath);
    this.pathLength = Math.min(asPathLength(attributes.asPath), 0xffff);
    return id;
  }

  /** Reads origin and path length of a set; false when no route refers to it. */
  load(id: number): boolean {
    if (!this.#find(id)) return false;
    this.#readHead();
    return true;
  }

  /** `count` more routes refer to the set that `intern` gave last, whose origin and path length are given. */
  acquire(id: number, count: number, origin: number, pathLength: number): void {
    if (count === 0) return;
    const store = this.#store;
    const before = this.#find(id) ? store.view.getUint32(store.valueStart, true) : 0;
    packer.view.setUint32(0, before + count, true);
    packer.view.setUint32(4, origin, true);
    packer.view.setUint16(8, pathLength, true);
    store.put(key, 0, 4, packer.bytes, 0, this.#packedEnd);
  }

  /** `count` fewer routes refer to this set; without any it is forgotten. */
  release(id: number, count: number): void {
    const store = this.#store;
    if (!this.#find(id)) return;
    const left = store.view.getUint32(store.valueStart, true) - count;
    if (left <= 0) {
      store.delete(key, 0, 4);
      return;
    }
    const size = store.valueEnd - store.valueStart;
    if (copy.length < size) copy = new Uint8Array(2 * size);
    copy.set(store.bytes.subarray(store.valueStart, store.valueEnd));
    copy[0] = left;
    copy[1] = left >>> 8;
    copy[2] = left >>> 16;
    copy[3] = left >>> 24;
    store.put(key, 0, 4, copy, 0, size);
  }

  #find(id: number): boolean {
    key[0] = id >>> 24;
    key[1] = id >>> 16;
    key[2] = id >>> 8;
    key[3] = id;
    return this.#store.find(key, 0, 4);
  }

  #readHead(): void {
    const { view, valueStart } = this.#store;
    this.originAsn = view.getUint32(valueStart + 4, true);
    this.pathLength = view.getUint16(valueStart + 8, true);
  }
}

/** Where the packed attributes begin in a value of the store. */
export const packedAttributesAt: number = headBytes;

function equals(store: PackedStore, bytes: Uint8Array, end: number): boolean {
  const { bytes: known, valueStart, valueEnd } = store;
  if (valueEnd - valueStart !== end) return false;
  for (let i = headBytes; i < end; i++) if (known[valueStart + i] !== bytes[i]) return false;
  return true;
}

/** FNV-1a over words of 4 bytes with a final mix (murmur3's): fast on the 100 bytes of a set. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
