import type { PackedStore } from "../../streams/store.ts";

/** Most samples of one pair and second; what comes after them in that second is left out. */
const maxOfSecond = 512;

/**
 * The delays of pairs of countries, one short list a second (f64, 8 bytes a sample), so that adding a sample costs the
 * same however long the window is.
 */
export class DelayWindow {
  readonly #list = new Uint8Array(maxOfSecond * 8);
  readonly #view = new DataView(this.#list.buffer);

  add(store: PackedStore, pair: string, second: number, rttMs: number): void {
    const key = keyOf(pair, second);
    const length = this.#load(store, key);
    if (length === this.#list.length) return;
    this.#view.setFloat64(length, rttMs, true);
    store.put(key, 0, key.length, this.#list, 0, length + 8);
  }

  /** The delays of seconds `from` to `to`, both included. */
  collect(store: PackedStore, pair: string, from: number, to: number): Float64Array {
    const values: number[] = [];
    for (let second = from; second <= to; second++) {
      const length = this.#load(store, keyOf(pair, second));
      for (let at = 0; at < length; at += 8) values.push(this.#view.getFloat64(at, true));
    }
    return Float64Array.from(values);
  }

  forget(store: PackedStore, pair: string, second: number): void {
    const key = keyOf(pair, second);
    store.delete(key, 0, key.length);
  }

  #load(store: PackedStore, key: Uint8Array): number {
    if (!store.find(key, 0, key.length)) return 0;
    const { bytes, valueStart, valueEnd } = store;
    this.#list.set(bytes.subarray(valueStart, valueEnd));
    return valueEnd - valueStart;
  }
}

function keyOf(pair: string, second: number): Uint8Array {
  return Buffer.from(`${pair}|${second}`);
}
