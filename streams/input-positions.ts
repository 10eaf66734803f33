import type { Position } from "./log.ts";
import type { TaskInput } from "./task-inputs.ts";

/** Next offset of every input and slot of a task. */
export class InputPositions {
  readonly #inputs: readonly TaskInput[];
  readonly #next: Float64Array[];
  /** The same when the last commit was sealed. */
  readonly #sealed: Float64Array[];

  constructor(inputs: readonly TaskInput[], slots: number) {
    this.#inputs = inputs;
    this.#next = inputs.map(() => new Float64Array(slots));
    this.#sealed = inputs.map(() => new Float64Array(slots));
  }

  get(input: number, slot: number): number {
    return (this.#next[input] as Float64Array)[slot] as number;
  }

  took(input: number, slot: number, offset: number): void {
    (this.#next[input] as Float64Array)[slot] = offset + 1;
  }

  /** Positions that moved since the last call: a task may read hundreds of slots and move in one. */
  takeMoved(): Position[] {
    const positions: Position[] = [];
    this.#inputs.forEach((input, index) => {
      const sealed = this.#sealed[index] as Float64Array;
      for (const slot of input.slots) {
        const offset = this.get(index, slot);
        if (offset === sealed[slot]) continue;
        sealed[slot] = offset;
        positions.push({ topic: input.topic.name, slot, offset });
      }
    });
    return positions;
  }

  /** All of them, to come back to. */
  copy(): readonly Float64Array[] {
    return this.#next.map((offsets) => offsets.slice());
  }

  /** Comes back to what `copy` gave. */
  rewind(copy: readonly Float64Array[]): void {
    copy.forEach((offsets, index) => {
      (this.#next[index] as Float64Array).set(offsets);
      (this.#sealed[index] as Float64Array).set(offsets);
    });
  }

  /** Begins where the engine kept that the task stopped. */
  restore(positions: readonly Position[]): void {
    for (const next of this.#next) next.fill(0);
    for (const { topic, slot, offset } of positions) {
      this.#inputs.forEach((input, index) => {
        if (input.topic.name === topic) (this.#next[index] as Float64Array)[slot] = offset;
      });
    }
    this.rewind(this.copy());
  }
}
