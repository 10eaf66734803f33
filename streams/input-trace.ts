import { frameHeaderBytes } from "./identity.ts";
import { RunningHash } from "./running-hash.ts";

/** Inputs a commit may have for every one of them to get a check of its own. */
const exactUpTo = 64;
/** Inputs that share one check byte in a larger commit: 0.125 bytes a record. */
const groupSize = 8;

/**
 * The hash over everything that a commit took, in order, and short checks that let a replay name the record that
 * differs: two bytes a record in a commit of up to 64 records, one byte for each eight records in a larger one. A check
 * is taken of the hash so far, so from the first record that differs on all of them do.
 */
export class InputTrace {
  readonly #hash = new RunningHash();
  readonly #exact = Buffer.alloc(exactUpTo * 2);
  #groups = Buffer.alloc(1_024);

  get count(): number {
    return this.#hash.count;
  }

  /** Adds one record: key and payload without its frame; a tombstone has `valueStart` -1. */
  add(
    view: DataView,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const hash = this.#hash;
    const payload = valueStart < 0 ? -1 : Math.min(valueStart + frameHeaderBytes, valueEnd);
    const index = hash.count;
    hash.add(view, keyStart, keyEnd, payload, valueEnd);
    if (index < exactUpTo) this.#exact.writeUInt16LE(hash.check(), index * 2);
    if (index % groupSize === groupSize - 1) this.#endGroup((index + 1) / groupSize - 1);
  }

  /** The hash (16 bytes) and the checks; the trace begins anew. */
  take(): { readonly hash: Buffer; readonly checks: Buffer } {
    const { count } = this.#hash;
    const hash = Buffer.from(this.#hash.digest());
    if (count % groupSize > 0) this.#endGroup(Math.floor(count / groupSize));
    const checks =
      count <= exactUpTo
        ? this.#exact.subarray(0, count * 2)
        : this.#groups.subarray(0, Math.ceil(count / groupSize));
    this.#hash.reset();
    return { hash, checks: Buffer.from(checks) };
  }

  #endGroup(group: number): void {
    if (group === this.#groups.length) {
      const grown = Buffer.alloc(group * 2);
      this.#groups.copy(grown);
      this.#groups = grown;
    }
    this.#groups[group] = this.#hash.check() >>> 8;
  }
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
