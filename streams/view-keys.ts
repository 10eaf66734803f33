/**
 * The keys of one table that a view holds, by slot. A snapshot says what is there now; what the view holds beyond
 * it has left while nobody looked. Costs the text of each key and about 50 bytes.
 */
export class ViewKeys {
  readonly #held = new Map<number, Set<string>>();
  /** Keys that a snapshot under way sent so far. */
  readonly #sent = new Map<number, Set<string>>();

  /** A record came: one with a value is held from now on, a tombstone no longer. */
  took(slot: number, key: string, hasValue: boolean): void {
    for (const keys of [this.#heldIn(slot), this.#sent.get(slot)]) {
      if (hasValue) keys?.add(key);
      else keys?.delete(key);
    }
  }

  /** A snapshot of the slot begins, perhaps once more. */
  begin(slot: number): void {
    this.#sent.set(slot, new Set());
  }

  /** The snapshot is complete: gives the keys that it no longer had, which are not held any more. */
  complete(slot: number): string[] {
    const sent = this.#sent.get(slot);
    if (sent === undefined) return [];
    const gone = [...this.#heldIn(slot)].filter((key) => !sent.has(key));
    this.#held.set(slot, sent);
    this.#sent.delete(slot);
    return gone;
  }

  /** Gives up everything: another log begins. */
  takeAll(): { readonly slot: number; readonly key: string }[] {
    const all = [...this.#held].flatMap(([slot, keys]) => [...keys].map((key) => ({ slot, key })));
    this.#held.clear();
    this.#sent.clear();
    return all;
  }

  #heldIn(slot: number): Set<string> {
    let keys = this.#held.get(slot);
    if (keys === undefined) {
      keys = new Set();
      this.#held.set(slot, keys);
    }
    return keys;
  }
}
