import { hashPair, OrderedHash } from "./hash.ts";
import { frameHeaderBytes } from "./identity.ts";

/** Inputs a commit may have for every one of them to get a check of its own. */
const exactUpTo = 64;
/** Inputs that share one check byte in a larger commit: 0.125 bytes a record. */
const groupSize = 8;

/**
 * The hash over everything that a commit took, in order, and short checks that let a replay name the record that
 * differs: two bytes a record in a commit of up to 64 records, one byte for each eight records in a larger one.
 */
export class InputTrace {
  readonly #pair = new Int32Array(4);
  readonly #all = new OrderedHash();
  #checks = new Uint16Array(1_024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds one record: key and payload without its frame; a tombstone has `valueStart` -1. */
  add(
    view: DataView,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const payload = valueStart < 0 ? -1 : Math.min(valueStart + frameHeaderBytes, valueEnd);
    hashPair(view, keyStart, keyEnd, view, payload, valueEnd, this.#pair);
    this.#all.add(this.#pair);
    if (this.#count === this.#checks.length) {
      const grown = new Uint16Array(this.#checks.length * 2);
      grown.set(this.#checks);
      this.#checks = grown;
    }
    this.#checks[this.#count] = this.#pair[0] as number;
    this.#count += 1;
  }

  /** The hash (16 bytes) and the checks; the trace begins anew. */
  take(): { readonly hash: Buffer; readonly checks: Buffer } {
    const hash = Buffer.from(this.#all.digest());
    const checks = packChecks(this.#checks, this.#count);
    this.#all.reset();
    this.#count = 0;
    return { hash, checks };
  }
}

function packChecks(checks: Uint16Array, count: number): Buffer {
  if (count <= exactUpTo) {
    const exact = Buffer.alloc(count * 2);
    for (let i = 0; i < count; i++) exact.writeUInt16LE(checks[i] as number, i * 2);
    return exact;
  }
  const groups = Buffer.alloc(Math.ceil(count / groupSize));
  for (let i = 0; i < count; i++) {
    const group = Math.floor(i / groupSize);
    // Rotation makes the check depend on the order within the group.
    const turned =
      (((checks[i] as number) << (i % groupSize)) |
        ((checks[i] as number) >> (8 - (i % groupSize)))) &
      0xff;
    groups[group] = (groups[group] as number) ^ turned;
  }
  return groups;
}

/**
 * First record in which two check lists of `count` records differ: its index and how many records from there on
 * are meant (1, or up to 8); undefined when they are equal.
 */
export function firstDifferentCheck(
  a: Uint8Array,
  b: Uint8Array,
  count: number,
): { readonly index: number; readonly width: number } | undefined {
  const width = count <= exactUpTo ? 2 : 1;
  const records = count <= exactUpTo ? 1 : groupSize;
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) {
      const index = Math.floor(i / width) * records;
      return { index, width: Math.min(records, count - index) };
    }
  }
  return undefined;
}
