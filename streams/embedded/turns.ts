/**
 * Turns of the event loop for work that can wait, one piece a turn for all who ask: however many there are, what
 * comes in between (commits, sockets, timers) waits for one piece only.
 */
export class Turns {
  readonly #waiting = new Set<() => void>();
  #scheduled = false;

  /** Calls `work` once in a later turn, after what asked before; asking again before then changes nothing. */
  request(work: () => void): void {
    this.#waiting.add(work);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const [work] = this.#waiting;
      if (work === undefined) return;
      this.#waiting.delete(work);
      if (this.#waiting.size > 0) this.#schedule();
      work();
    });
  }
}
