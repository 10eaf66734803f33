import type { RecordStore } from "../streams/store.ts";

/**
 * Records of a store that are decoded once and written once a commit, however many events touch them. Lives in
 * a context's scratch; `flush` belongs into `beforeCommit`. A handler emits first and sets last, so that one that
 * throws leaves nothing behind for its second attempt.
 */
export class CachedRecords<T> {
  readonly #store: RecordStore<T>;
  readonly #known = new Map<string, T | undefined>();
  readonly #dirty = new Set<string>();

  constructor(store: RecordStore<T>) {
    this.#store = store;
  }

  get(key: string): T | undefined {
    if (this.#known.has(key)) return this.#known.get(key);
    const value = this.#store.get(key);
    this.#known.set(key, value);
    return value;
  }

  /** Sets the record, or deletes it where `value` is undefined. */
  set(key: string, value: T | undefined): void {
    this.#known.set(key, value);
    this.#dirty.add(key);
  }

  /** Keys that were set since the last flush, in the order of the first time. */
  dirty(): readonly string[] {
    return [...this.#dirty];
  }

  flush(): void {
    for (const key of this.#dirty) {
      const value = this.#known.get(key);
      if (value === undefined) this.#store.delete(key);
      else this.#store.put(key, value);
    }
    this.#dirty.clear();
  }
}
