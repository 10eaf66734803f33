import { OpenCdnError } from "./errors.ts";
import { keyText } from "./identity.ts";
import { maxKeyBytes } from "./limits.ts";
import type { PackedStore } from "./store.ts";

/** A timer that is due: `key` at `atMs`. */
export interface DueTimer {
  readonly key: string;
  readonly atMs: number;
}

/** Timers of one input at one time: windows of many keys close together, so they are sorted once, when they are due. */
interface Bucket {
  readonly keys: string[];
  /** Keys before it were given out. */
  next: number;
  sorted: boolean;
  /** Some key has a surrogate, whose order code units do not tell. */
  surrogates: boolean;
}

interface Lane {
  /** A binary heap of the times that have a bucket. */
  readonly times: number[];
  readonly buckets: Map<number, Bucket>;
}

const headBytes = 9;
const nothing = new Uint8Array(0);
const surrogate = /[\ud800-\udfff]/;

/**
 * Event-time timers of one task. The truth is a packed store (so that timers are undone, digested and kept like
 * everything else); buckets by time in front of it give the next one. A bucket may hold timers that the store no longer
 * has (after a rollback): they are skipped.
 *
 * Entry key: u8 input, f64 big endian atMs, key; entry value: empty. A timer costs about 60 bytes.
 */
export class Timers {
  readonly #store: PackedStore;
  readonly #lanes: Lane[];
  readonly #entry: Buffer = Buffer.alloc(headBytes + 3 * maxKeyBytes);

  constructor(store: PackedStore, inputs: number) {
    this.#store = store;
    this.#lanes = Array.from({ length: inputs }, () => ({ times: [], buckets: new Map() }));
  }

  /** Fills the buckets from the store: after a start and after an abort. */
  rebuild(): void {
    for (const lane of this.#lanes) {
      lane.times.length = 0;
      lane.buckets.clear();
    }
    this.#store.scan(nothing, (bytes, keyStart, keyEnd) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset + keyStart, headBytes);
      const key = keyText(bytes, keyStart + headBytes, keyEnd);
      const lane = this.#lanes[view.getUint8(0)];
      if (lane !== undefined) enter(lane, key, view.getFloat64(1));
      return undefined;
    });
  }

  pending(input: number): boolean {
    return (this.#lanes[input]?.times.length ?? 0) > 0;
  }

  get anyPending(): boolean {
    return this.#lanes.some((lane) => lane.times.length > 0);
  }

  /** False when certainly no timer of `input` is due at `streamMs`. */
  mayBeDue(input: number, streamMs: number): boolean {
    const atMs = (this.#lanes[input] as Lane).times[0];
    return atMs !== undefined && atMs <= streamMs;
  }

  /** Throws OCDN_LIMIT for a key that is too long for a store. */
  schedule(input: number, key: string, atMs: number): void {
    const length = this.#write(input, atMs, key);
    if (this.#store.find(this.#entry, 0, length)) return;
    this.#store.put(this.#entry, 0, length, nothing, 0, 0);
    enter(this.#lanes[input] as Lane, key, atMs);
  }

  /** Removes and gives the first timer of `input` that is due at `streamMs`, in (atMs, key) order. */
  takeDue(input: number, streamMs: number): DueTimer | undefined {
    const lane = this.#lanes[input] as Lane;
    for (;;) {
      const atMs = lane.times[0];
      if (atMs === undefined || atMs > streamMs) return undefined;
      const bucket = lane.buckets.get(atMs) as Bucket;
      if (bucket.next === bucket.keys.length) {
        popTime(lane.times);
        lane.buckets.delete(atMs);
        continue;
      }
      if (!bucket.sorted) sortRest(bucket);
      const key = bucket.keys[bucket.next] as string;
      bucket.next += 1;
      const length = this.#write(input, atMs, key);
      if (this.#store.delete(this.#entry, 0, length)) return { key, atMs };
    }
  }

  #write(input: number, atMs: number, key: string): number {
    if (key.length > maxKeyBytes) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `scheduling a timer: a key of ${key.length} characters is too long`,
      );
    }
    this.#entry[0] = input;
    this.#entry.writeDoubleBE(atMs, 1);
    return headBytes + this.#entry.write(key, headBytes, "utf8");
  }
}

function enter(lane: Lane, key: string, atMs: number): void {
  let bucket = lane.buckets.get(atMs);
  if (bucket === undefined) {
    bucket = { keys: [], next: 0, sorted: true, surrogates: false };
    lane.buckets.set(atMs, bucket);
    pushTime(lane.times, atMs);
  }
  bucket.keys.push(key);
  bucket.sorted = bucket.keys.length - bucket.next === 1;
  bucket.surrogates ||= surrogate.test(key);
}

function sortRest(bucket: Bucket): void {
  const rest = bucket.keys.splice(bucket.next);
  if (bucket.surrogates) rest.sort((a, b) => (utf8Before(a, b) ? -1 : 1));
  else rest.sort();
  for (const key of rest) bucket.keys.push(key);
  bucket.sorted = true;
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

function pushTime(times: number[], atMs: number): void {
  let at = times.length;
  times.push(atMs);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if ((times[parent] as number) <= atMs) break;
    times[at] = times[parent] as number;
    at = parent;
  }
  times[at] = atMs;
}

function popTime(times: number[]): void {
  const last = times.pop();
  if (last === undefined || times.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= times.length) break;
    if (child + 1 < times.length && (times[child + 1] as number) < (times[child] as number))
      child += 1;
    if ((times[child] as number) >= last) break;
    times[at] = times[child] as number;
    at = child;
  }
  times[at] = last;
}
