import type { AttributeVerdict } from "./attribute-decoder.ts";
import { attributeCacheSlots, maxCachedAttributeBytes } from "./limits.ts";

interface Entry {
  readonly key: Uint8Array;
  readonly mark: number;
  readonly verdict: AttributeVerdict;
}

/**
 * Decoded attributes by their bytes: a table names the same path thousands of times. Direct
 * mapped, so memory is bounded and a newer run takes the place of an older one with the same slot.
 * `mark` holds what the answer depends on beside the bytes.
 */
export class AttributeCache {
  readonly #slots: (Entry | undefined)[] = new Array(attributeCacheSlots).fill(undefined);
  #slot = 0;

  /** What is known of `bytes[start..end)`; a miss must be answered by `put` or by nothing. */
  get(bytes: Uint8Array, start: number, end: number, mark: number): AttributeVerdict | undefined {
    this.#slot = hash(bytes, start, end, mark) & (attributeCacheSlots - 1);
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
    this.#slots[this.#slot] = { key: new Uint8Array(bytes.subarray(start, end)), mark, verdict };
  }
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
