const SLOT = 4;
const USED = 0;
const HIGH = 1;
const LOW = 2;
const VALUE = 3;
/** Guesses of more entries are not believed: a map grows by itself. */
const MAX_GUESS = 2 ** 21;

/**
 * A map from pairs of 32-bit integers to 32-bit integers, with open addressing in one typed array:
 * 16 bytes a slot, so that a look-up touches one line of the cache; half of the slots stay free.
 */
export class IntMap {
  #slots: Int32Array;
  #mask: number;
  #size = 0;

  constructor(capacity = 1_024) {
    const count = 2 ** Math.ceil(Math.log2(2 * Math.min(MAX_GUESS, Math.max(8, capacity))));
    this.#slots = new Int32Array(SLOT * count);
    this.#mask = count - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The value of a pair, signed, or undefined. */
  get(high: number, low: number): number | undefined {
    const at = this.#find(high | 0, low | 0);
    return this.#slots[at + USED] === 0 ? undefined : this.#slots[at + VALUE];
  }

  /** Sets or replaces the value of a pair. */
  set(high: number, low: number, value: number): void {
    const at = this.#find(high | 0, low | 0);
    const slots = this.#slots;
    slots[at + VALUE] = value;
    if (slots[at + USED] !== 0) return;
    slots[at + USED] = 1;
    slots[at + HIGH] = high;
    slots[at + LOW] = low;
    this.#size++;
    if (2 * this.#size > this.#mask) this.#grow();
  }

  /** Where the slot of a pair, or the free one for it, begins. */
  #find(high: number, low: number): number {
    const slots = this.#slots;
    let hash = Math.imul(high ^ Math.imul(low, 0x9e3779b1), 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & this.#mask;
    for (;;) {
      const at = SLOT * slot;
      if (slots[at + USED] === 0) return at;
      if (slots[at + LOW] === low && slots[at + HIGH] === high) return at;
      slot = (slot + 1) & this.#mask;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length);
    this.#mask = 2 * this.#mask + 1;
    this.#size = 0;
    for (let at = 0; at < old.length; at += SLOT) {
      if (old[at + USED] === 0) continue;
      this.set(old[at + HIGH] as number, old[at + LOW] as number, old[at + VALUE] as number);
    }
  }
}
