/**
 * A step function over the keys of `domain/block.ts`: from `starts[i]` up to the next start (or the
 * family's last key) the value is `values[i]`. Sorted, without gaps, neighbours differ.
 */
export interface Segments {
  readonly starts: Float64Array;
  readonly values: Uint32Array;
}

/** Guesses of more segments are not believed: the arrays grow by themselves. */
const MAX_GUESS = 2 ** 24;

/** Builds segments from the left to the right. */
export class SegmentBuilder {
  #starts: Float64Array;
  #values: Uint32Array;
  #count = 0;

  /** `capacity` is a guess of the number of segments; memory that stays unused costs nothing. */
  constructor(capacity = 1_024) {
    const count = Math.max(1, Math.min(MAX_GUESS, capacity));
    this.#starts = new Float64Array(count);
    this.#values = new Uint32Array(count);
  }

  /** From `start` on the value is `value`. Starts must rise. */
  push(start: number, value: number): void {
    const count = this.#count;
    if (count > 0) {
      if (this.#values[count - 1] === value) return;
      if (!((this.#starts[count - 1] as number) < start)) {
        throw new Error(`segments: ${start} does not come after ${this.#starts[count - 1]}`);
      }
    }
    if (count === this.#starts.length) this.#grow();
    this.#starts[count] = start;
    this.#values[count] = value;
    this.#count = count + 1;
  }

  /** What was built; it begins at key 0. */
  finish(): Segments {
    if (this.#count === 0) this.push(0, 0);
    return {
      starts: this.#starts.subarray(0, this.#count),
      values: this.#values.subarray(0, this.#count),
    };
  }

  #grow(): void {
    const starts = new Float64Array(2 * this.#count);
    starts.set(this.#starts);
    this.#starts = starts;
    const values = new Uint32Array(2 * this.#count);
    values.set(this.#values);
    this.#values = values;
  }
}
