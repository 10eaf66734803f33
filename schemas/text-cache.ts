import type { NativeBuffer } from "./tap.ts";

const SLOTS = 2_048;
const MAX_BYTES = 32;

/**
 * Strings that were read lately. Events name the same nodes, cells and peers again and again:
 * finding the string again costs half of making it, and a map that is asked with it finds its hash
 * already computed. Holds at most 2,048 strings of 32 ASCII letters; a new one replaces the old one
 * in its slot.
 */
export class TextCache {
  readonly #texts: string[] = new Array<string>(SLOTS).fill("");

  /** The UTF-8 text in `buffer[start, start + size)`. */
  read(buffer: NativeBuffer, start: number, size: number): string {
    if (size > MAX_BYTES) {
      return buffer.utf8Slice(start, start + size);
    }
    const end = start + size;
    let hash = size;
    let bits = 0;
    for (let at = start; at < end; at += 1) {
      const byte = buffer[at] as number;
      hash = (Math.imul(hash, 31) + byte) | 0;
      bits |= byte;
    }
    if (bits > 127) {
      return buffer.utf8Slice(start, end);
    }
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#texts[slot] as string;
    if (known.length === size && isSame(known, buffer, start)) {
      return known;
    }
    const text = buffer.latin1Slice(start, end);
    this.#texts[slot] = text;
    return text;
  }
}

function isSame(text: string, buffer: NativeBuffer, start: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) !== buffer[start + index]) {
      return false;
    }
  }
  return true;
}
