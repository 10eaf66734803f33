import { keyText } from "./identity.ts";
import type { PackedStore } from "./store.ts";

/** A timer: `key` at `atMs` of the stream time of input `input`. */
interface Timer {
  readonly input: number;
  readonly atMs: number;
  readonly key: string;
}

const text = new TextEncoder();
const headBytes = 9;
const nothing = new Uint8Array(0);

/**
 * Event-time timers of one task. The truth is a packed store (so that timers are undone, digested and kept like
 * everything else); a binary heap for each input in front of it gives the next one. The heap may hold timers that the
 * store no longer has (after a rollback): they are skipped.
 *
 * Entry key: u8 input, f64 big endian atMs, key; entry value: empty. A timer costs about 60 bytes.
 */
export class Timers {
  readonly #store: PackedStore;
  readonly #heaps: Timer[][];

  constructor(store: PackedStore, inputs: number) {
    this.#store = store;
    this.#heaps = Array.from({ length: inputs }, () => []);
  }

  /** Fills the heaps from the store: after a start and after an abort. */
  rebuild(): void {
    for (const heap of this.#heaps) heap.length = 0;
    this.#store.scan(nothing, (bytes, keyStart, keyEnd) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset + keyStart, headBytes);
      const timer: Timer = {
        input: view.getUint8(0),
        atMs: view.getFloat64(1),
        key: keyText(bytes, keyStart + headBytes, keyEnd),
      };
      this.#heaps[timer.input]?.push(timer);
      return undefined;
    });
    // The scan is in byte order, (atMs, key) within an input, and a sorted array is a heap.
  }

  pending(input: number): boolean {
    return (this.#heaps[input]?.length ?? 0) > 0;
  }

  get anyPending(): boolean {
    return this.#heaps.some((heap) => heap.length > 0);
  }

  schedule(input: number, key: string, atMs: number): void {
    const entry = entryKey(input, atMs, key);
    if (this.#store.find(entry, 0, entry.length)) return;
    this.#store.put(entry, 0, entry.length, nothing, 0, 0);
    push(this.#heaps[input] as Timer[], { input, atMs, key });
  }

  /** Next timer of `input` that is due at `streamMs`, without taking it. */
  due(
    input: number,
    streamMs: number,
  ): { readonly key: string; readonly atMs: number } | undefined {
    const heap = this.#heaps[input] as Timer[];
    for (;;) {
      const first = heap[0];
      if (first === undefined || first.atMs > streamMs) return undefined;
      const entry = entryKey(input, first.atMs, first.key);
      if (this.#store.find(entry, 0, entry.length)) return first;
      pop(heap);
    }
  }

  /** Removes the timer that `due` gave. */
  take(input: number, timer: { readonly key: string; readonly atMs: number }): void {
    const entry = entryKey(input, timer.atMs, timer.key);
    this.#store.delete(entry, 0, entry.length);
    pop(this.#heaps[input] as Timer[]);
  }
}

function entryKey(input: number, atMs: number, key: string): Uint8Array {
  const bytes = text.encode(key);
  const entry = new Uint8Array(headBytes + bytes.length);
  const view = new DataView(entry.buffer);
  view.setUint8(0, input);
  view.setFloat64(1, atMs);
  entry.set(bytes, headBytes);
  return entry;
}

function before(a: Timer, b: Timer): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : utf8Before(a.key, b.key);
}

/**
 * Whether `a` comes before `b` in the byte order of UTF-8, in which the store sorts keys. That is the order of code
 * points: code units tell it but where a surrogate meets a unit above the surrogates.
 */
export function utf8Before(a: string, b: string): boolean {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    return left < 0xd800 || right < 0xd800 ? left < right : rank(left) < rank(right);
  }
  return a.length < b.length;
}

/** Surrogates stand for code points above all others of the basic plane. */
function rank(unit: number): number {
  return unit < 0xe000 ? unit + 0x1_0000 : unit;
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length;
  heap.push(timer);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(timer, heap[parent] as Timer)) break;
    heap[at] = heap[parent] as Timer;
    at = parent;
  }
  heap[at] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    const right = child + 1;
    if (right < heap.length && before(heap[right] as Timer, heap[child] as Timer)) child = right;
    if (!before(heap[child] as Timer, last)) break;
    heap[at] = heap[child] as Timer;
    at = child;
  }
  heap[at] = last;
}
