import type { PackedStore } from "../../../streams/store.ts";
import { maxRouteKeyBytes } from "./route-key.ts";

const valueBytes = 24;
const value = new Uint8Array(valueBytes);
const valueView = new DataView(value.buffer);
const place = new Uint8Array(4);
const placeView = new DataView(place.buffer);
const ringValue = new Uint8Array(maxRouteKeyBytes + 4);
const counterKey = new TextEncoder().encode("#");
const counter = new Uint8Array(8);
const counterView = new DataView(counter.buffer);

/**
 * The newest withdrawn routes of a task, so that an announcement is known to be a re-announcement. `withdrawn`:
 * route key (with path id) -> [withdrawnMs, 8][origin, 4][message, 4][number, 8]; `ring`: number modulo the
 * capacity -> route key. A withdrawal that takes a place of the ring removes the one that had it.
 */
export class WithdrawalMemory {
  readonly #withdrawn: PackedStore;
  readonly #ring: PackedStore;
  readonly #capacity: number;
  /** Of the withdrawal that `take` found. */
  withdrawnMs: number = 0;
  originAsn: number = 0;
  message: number = 0;

  constructor(withdrawn: PackedStore, ring: PackedStore, capacity: number) {
    this.#withdrawn = withdrawn;
    this.#ring = ring;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#withdrawn.size;
  }

  /** Remembers a withdrawal; a route that is remembered already stays as it was. */
  remember(
    key: Uint8Array,
    keyEnd: number,
    withdrawnMs: number,
    originAsn: number,
    message: number,
  ): void {
    if (this.#withdrawn.find(key, 0, keyEnd)) return;
    const number = this.#next();
    placeView.setUint32(0, number % this.#capacity);
    this.#evict(number - this.#capacity);
    valueView.setFloat64(0, withdrawnMs, true);
    valueView.setUint32(8, originAsn, true);
    valueView.setUint32(12, message, true);
    valueView.setFloat64(16, number, true);
    this.#withdrawn.put(key, 0, keyEnd, value, 0, valueBytes);
    this.#ring.put(place, 0, 4, key, 0, keyEnd);
  }

  /** Finds and forgets the withdrawal of this route. */
  take(key: Uint8Array, keyEnd: number): boolean {
    const store = this.#withdrawn;
    if (store.size === 0 || !store.find(key, 0, keyEnd)) return false;
    const { view, valueStart } = store;
    this.withdrawnMs = view.getFloat64(valueStart, true);
    this.originAsn = view.getUint32(valueStart + 8, true);
    this.message = view.getUint32(valueStart + 12, true);
    store.delete(key, 0, keyEnd);
    return true;
  }

  /** Forgets the withdrawal that has the place in `place`, unless it came back since. */
  #evict(number: number): void {
    const ring = this.#ring;
    if (!ring.find(place, 0, 4)) return;
    const length = ring.valueEnd - ring.valueStart;
    for (let i = 0; i < length; i++) ringValue[i] = ring.bytes[ring.valueStart + i] as number;
    const store = this.#withdrawn;
    if (!store.find(ringValue, 0, length)) return;
    if (store.view.getFloat64(store.valueStart + 16, true) === number) {
      store.delete(ringValue, 0, length);
    }
  }

  /** Number of this withdrawal; the count lies in the ring's store beside the places. */
  #next(): number {
    const ring = this.#ring;
    const found = ring.find(counterKey, 0, counterKey.length);
    const number = found ? ring.view.getFloat64(ring.valueStart, true) : 0;
    counterView.setFloat64(0, number + 1, true);
    ring.put(counterKey, 0, counterKey.length, counter, 0, 8);
    return number;
  }
}
