/** What a sweep needs of a view. */
export interface Sweepable {
  readonly size: number;
  keys(): Iterable<string>;
  remove(key: string): void;
}

export interface SnapshotSweepOptions {
  readonly slots: number;
  readonly slotOf: (key: string) => number;
  readonly view: Sweepable;
}

/**
 * Takes keys out of a view that the snapshots of its table no longer hold. The first round of snapshots, one a
 * slot, is swept once at its end, in one pass over the view; later ones slot by slot.
 */
export class SnapshotSweep {
  readonly #options: SnapshotSweepOptions;
  /** Slots whose first snapshot is not complete. */
  readonly #missing = new Set<number>();
  /** Keys that the first round sent; undefined when the view was empty before it. */
  #first: Set<string> | undefined;
  /** Keys that a later snapshot of this slot sent so far. */
  readonly #later = new Map<number, Set<string>>();

  constructor(options: SnapshotSweepOptions) {
    this.#options = options;
    this.restart();
  }

  /** The next snapshots are a first round: those of another log. */
  restart(): void {
    for (let slot = 0; slot < this.#options.slots; slot++) this.#missing.add(slot);
    this.#first = this.#options.view.size === 0 ? undefined : new Set();
    this.#later.clear();
  }

  begin(slot: number): void {
    if (!this.#missing.has(slot)) this.#later.set(slot, new Set());
  }

  /** A key came, by a snapshot or by the tail. */
  sent(slot: number, key: string): void {
    if (this.#missing.size > 0) this.#first?.add(key);
    this.#later.get(slot)?.add(key);
  }

  /** A key was removed by the tail. */
  removed(slot: number, key: string): void {
    this.#first?.delete(key);
    this.#later.get(slot)?.delete(key);
  }

  complete(slot: number): void {
    const { view, slotOf } = this.#options;
    const later = this.#later.get(slot);
    if (later !== undefined) {
      this.#later.delete(slot);
      this.#drop((key) => !later.has(key) && slotOf(key) === slot);
    } else if (this.#missing.delete(slot) && this.#missing.size === 0) {
      const first = this.#first;
      this.#first = undefined;
      if (first !== undefined && view.size > first.size) this.#drop((key) => !first.has(key));
    }
  }

  #drop(isGone: (key: string) => boolean): void {
    const { view } = this.#options;
    const gone: string[] = [];
    for (const key of view.keys()) if (isGone(key)) gone.push(key);
    for (const key of gone) view.remove(key);
  }
}
