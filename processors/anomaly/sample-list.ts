import type { PackedStore } from "../../streams/store.ts";

/**
 * A short list of timed samples under one key of a packed store, sorted by time. A sample is f64 eventMs and `width`
 * f64 numbers, little endian, so a list costs (8 + 8 x width) bytes a sample. Reading copies the list into buffers
 * that the next call reuses.
 */
export class SampleList {
  readonly #width: number;
  readonly #most: number;
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** `most` bounds the samples kept of a key: the oldest go first. */
  constructor(width: number, most: number) {
    this.#width = width;
    this.#most = most;
    this.#bytes = new Uint8Array((most + 1) * (8 + 8 * width));
    this.#view = new DataView(this.#bytes.buffer);
  }

  get size(): number {
    return this.#length;
  }

  timeMs(index: number): number {
    return this.#view.getFloat64(index * this.#stride, true);
  }

  value(index: number, column: number): number {
    return this.#view.getFloat64(index * this.#stride + 8 + column * 8, true);
  }

  /** Reads the list of a key; an absent one is empty. */
  load(store: PackedStore, key: Uint8Array): void {
    this.#length = 0;
    if (!store.find(key, 0, key.length)) return;
    const { bytes, valueStart, valueEnd } = store;
    this.#bytes.set(bytes.subarray(valueStart, valueEnd));
    this.#length = (valueEnd - valueStart) / this.#stride;
  }

  /** Puts a sample in its place by time, after those of the same time. */
  add(eventMs: number, values: readonly number[]): void {
    let at = this.#length;
    while (at > 0 && this.timeMs(at - 1) > eventMs) at -= 1;
    const stride = this.#stride;
    this.#bytes.copyWithin((at + 1) * stride, at * stride, this.#length * stride);
    this.#view.setFloat64(at * stride, eventMs, true);
    for (let column = 0; column < this.#width; column++) {
      this.#view.setFloat64(at * stride + 8 + column * 8, values[column] ?? 0, true);
    }
    this.#length += 1;
    if (this.#length > this.#most) this.#dropFirst(1);
  }

  /** Drops what is not after `afterMs`. */
  prune(afterMs: number): void {
    let count = 0;
    while (count < this.#length && this.timeMs(count) <= afterMs) count += 1;
    this.#dropFirst(count);
  }

  /** Writes the list back; an empty one is deleted. */
  save(store: PackedStore, key: Uint8Array): void {
    if (this.#length === 0) store.delete(key, 0, key.length);
    else store.put(key, 0, key.length, this.#bytes, 0, this.#length * this.#stride);
  }

  get #stride(): number {
    return 8 + 8 * this.#width;
  }

  #dropFirst(count: number): void {
    if (count === 0) return;
    this.#bytes.copyWithin(0, count * this.#stride, this.#length * this.#stride);
    this.#length -= count;
  }
}
