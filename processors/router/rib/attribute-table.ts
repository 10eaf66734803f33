import { asPathLength, originAsn } from "../../../domain/as-path.ts";
import type { BgpAttributes } from "../../../schemas/generated/events.ts";
import type { PackedStore } from "../../../streams/store.ts";
import { AttributePacker } from "./packed-attributes.ts";

/** Bytes of an entry of the references: count, origin, path length. */
const referenceBytes = 10;

const packer = new AttributePacker();
const key = new Uint8Array(4);
const reference = new Uint8Array(referenceBytes);
const referenceView = new DataView(reference.buffer);

/**
 * Attributes, each set once however many routes have it. Its id is a hash of its bytes; where two sets collide the
 * second takes the next free id, so an id means the same bytes for as long as anything refers to it.
 *
 * `attributes`: id -> packed attributes; `references`: id -> [routes, 4][origin, 4][path length, 2]. The counts are
 * apart, so that counting writes 10 bytes and not 100.
 */
export class AttributeTable {
  readonly #attributes: PackedStore;
  readonly #references: PackedStore;
  /** Of the set that `intern` or `load` met last. */
  originAsn: number = 0;
  pathLength: number = 0;

  constructor(attributes: PackedStore, references: PackedStore) {
    this.#attributes = attributes;
    this.#references = references;
  }

  /** Id of these attributes; nothing refers to a new set until `acquire`. */
  intern(attributes: BgpAttributes): number {
    const length = packer.pack(attributes);
    let id = hashBytes(packer.bytes, length);
    for (; ; id = (id + 1) >>> 0) {
      writeId(id);
      if (!this.#attributes.find(key, 0, 4)) break;
      if (equals(this.#attributes, packer.bytes, length)) {
        if (this.load(id)) return id;
        break;
      }
    }
    this.#attributes.put(key, 0, 4, packer.bytes, 0, length);
    this.originAsn = originAsn(attributes.asPath);
    this.pathLength = Math.min(asPathLength(attributes.asPath), 0xffff);
    return id;
  }

  /** Reads origin and path length of a set that routes refer to; false when none does. */
  load(id: number): boolean {
    writeId(id);
    const store = this.#references;
    if (!store.find(key, 0, 4)) return false;
    const at = store.valueStart;
    this.originAsn = store.view.getUint32(at + 4, true);
    this.pathLength = store.view.getUint16(at + 8, true);
    return true;
  }

  /** `count` more routes refer to the set that `intern` gave last. */
  acquire(id: number, count: number): void {
    const { originAsn: origin, pathLength } = this;
    const before = this.#count(id);
    if (count === 0) {
      if (before === 0) this.#forget(id);
      return;
    }
    referenceView.setUint32(0, before + count, true);
    referenceView.setUint32(4, origin, true);
    referenceView.setUint16(8, pathLength, true);
    this.#references.put(key, 0, 4, reference, 0, referenceBytes);
  }

  /** `count` fewer routes refer to this set; without any it is forgotten. */
  release(id: number, count: number): void {
    const store = this.#references;
    const before = this.#count(id);
    if (before <= count) {
      this.#forget(id);
      return;
    }
    const { bytes, valueStart } = store;
    for (let i = 4; i < referenceBytes; i++) reference[i] = bytes[valueStart + i] as number;
    referenceView.setUint32(0, before - count, true);
    store.put(key, 0, 4, reference, 0, referenceBytes);
  }

  /** Leaves `key` at the id and the references at its entry. */
  #count(id: number): number {
    writeId(id);
    const store = this.#references;
    return store.find(key, 0, 4) ? store.view.getUint32(store.valueStart, true) : 0;
  }

  #forget(id: number): void {
    writeId(id);
    this.#references.delete(key, 0, 4);
    this.#attributes.delete(key, 0, 4);
  }
}

function writeId(id: number): void {
  key[0] = id >>> 24;
  key[1] = id >>> 16;
  key[2] = id >>> 8;
  key[3] = id;
}

function equals(store: PackedStore, bytes: Uint8Array, length: number): boolean {
  const { bytes: known, valueStart, valueEnd } = store;
  if (valueEnd - valueStart !== length) return false;
  for (let i = 0; i < length; i++) if (known[valueStart + i] !== bytes[i]) return false;
  return true;
}

/** FNV-1a over words of 4 bytes with a final mix (murmur3's): fast on the 100 bytes of a set. */
function hashBytes(bytes: Uint8Array, length: number): number {
  let hash = 0x811c9dc5 ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  for (; at < length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
