import { copyRange } from "./store-bytes.ts";

const stride = 4;
const firstElements = 64;
const firstUndoBytes = 1_024;
/** Memory that a generation keeps for the next one; a larger burst gives its memory back. */
const keptBytes = 4_194_304;

/** Length of an old value that was not there. */
export const absent: number = -1;

/**
 * What a generation changed: every entry touched since the last seal once, in the order of the first touch, with
 * the value it had before (or `absent`). Old values lie in one buffer.
 */
export class Generation {
  count: number = 0;
  /** Old values. */
  bytes: Buffer = Buffer.allocUnsafeSlow(firstUndoBytes);
  view: DataView = new DataView(this.bytes.buffer);
  #used = 0;
  /** Four words an element: entry id, mark, start and length of the old value. */
  #elements = new Int32Array(stride * firstElements);

  /** Bytes of old values and elements. */
  get usedBytes(): number {
    return this.#used + this.count * stride * 4;
  }

  get sizeBytes(): number {
    return this.bytes.length + this.#elements.byteLength;
  }

  /** Adds an element and gives its index. `length` is `absent` for an entry that was not there. */
  add(
    id: number,
    mark: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    length: number,
  ): number {
    const index = this.count;
    const at = index * stride;
    if (at === this.#elements.length) {
      const grown = new Int32Array(at * 2);
      grown.set(this.#elements);
      this.#elements = grown;
    }
    const elements = this.#elements;
    elements[at] = id;
    elements[at + 1] = mark;
    elements[at + 2] = this.#used;
    elements[at + 3] = length;
    if (length > 0) this.#save(bytes, view, start, length);
    this.count = index + 1;
    return index;
  }

  /** Whether element `index` is there and is about entry `id`. */
  holds(index: number, id: number): boolean {
    return index < this.count && this.#elements[index * stride] === id;
  }

  id(index: number): number {
    return this.#elements[index * stride] as number;
  }

  mark(index: number): number {
    return this.#elements[index * stride + 1] as number;
  }

  setMark(index: number, mark: number): void {
    this.#elements[index * stride + 1] = mark;
  }

  oldStart(index: number): number {
    return this.#elements[index * stride + 2] as number;
  }

  oldLength(index: number): number {
    return this.#elements[index * stride + 3] as number;
  }

  reset(): void {
    this.count = 0;
    this.#used = 0;
    if (this.sizeBytes <= keptBytes) return;
    this.#elements = new Int32Array(stride * firstElements);
    this.#setBytes(Buffer.allocUnsafeSlow(firstUndoBytes));
  }

  #save(bytes: Uint8Array, view: DataView, start: number, length: number): void {
    const used = this.#used;
    if (used + length > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(used + length, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, used);
      this.#setBytes(grown);
    }
    copyRange(bytes, view, start, length, this.bytes, this.view, used);
    this.#used = used + length;
  }

  #setBytes(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
