import type { AttributeVerdict } from "./attribute-decoder.ts";
import { attributeCacheSlots, maxCachedAttributeBytes } from "./limits.ts";

interface Entry {
  readonly key: Uint8Array;
  readonly mark: number;
  readonly verdict: AttributeVerdict;
}

const FIRST_SLOTS = 1_024;

/**
 * Decoded attributes by their bytes: a table names the same path thousands of times. Direct
 * mapped, so memory is bounded and a newer run takes the place of an older one with the same slot;
 * it grows with its use up to `attributeCacheSlots`. `mark` holds what the answer depends on beside the bytes.
 */
export class AttributeCache {
  #slots: (Entry | undefined)[] = emptySlots(FIRST_SLOTS);
  #slot = 0;
  #puts = 0;

  /** What is known of `bytes[start..end)`; a miss must be answered by `put` or by nothing. */
  get(bytes: Uint8Array, start: number, end: number, mark: number): AttributeVerdict | undefined {
    this.#slot = hash(bytes, start, end, mark) & (this.#slots.length - 1);
    const entry = this.#slots[this.#slot];
    if (entry === undefined || entry.mark !== mark || entry.key.length !== end - start) {
      return undefined;
    }
    const { key } = entry;
    for (let at = 0; at < key.length; at++) if (key[at] !== bytes[start + at]) return undefined;
    return entry.verdict;
  }

  /** Keeps the answer for what was asked last. */
  put(
    bytes: Uint8Array,
    start: number,
    end: number,
    mark: number,
    verdict: AttributeVerdict,
  ): void {
    if (end - start > maxCachedAttributeBytes) return;
    // A copy: `slice` of a Buffer would keep the whole chunk of the file alive.
    if (++this.#puts > this.#slots.length && this.#slots.length < attributeCacheSlots) {
      // Growth begins anew: what is asked often is soon back.
      this.#slots = emptySlots(4 * this.#slots.length);
      this.#puts = 0;
      return;
    }
    this.#slots[this.#slot] = { key: new Uint8Array(bytes.subarray(start, end)), mark, verdict };
  }
}

function emptySlots(count: number): (Entry | undefined)[] {
  return new Array<Entry | undefined>(count).fill(undefined);
}

function hash(bytes: Uint8Array, start: number, end: number, mark: number): number {
  let sum = Math.imul(mark ^ (end - start), 0x9e3779b1);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    sum = Math.imul(sum ^ word, 0x85ebca6b);
    sum ^= sum >>> 15;
  }
  for (; at < end; at++) sum = Math.imul(sum ^ (bytes[at] as number), 0xc2b2ae35);
  sum ^= sum >>> 13;
  return sum >>> 0;
}
