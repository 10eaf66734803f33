/**
 * Whether the tables are those of the log. They are stale from a start without engine until they caught up, and
 * when the engine has been away for longer than `staleAfterMs`; stale tables are used all the same.
 */
export class Freshness {
  readonly #staleAfterMs: number;
  readonly #nowMs: () => number;
  #caughtUp = false;
  #awaySinceMs: number | undefined;

  constructor(options: { readonly staleAfterMs: number; readonly nowMs: () => number }) {
    this.#staleAfterMs = options.staleAfterMs;
    this.#nowMs = options.nowMs;
    this.#awaySinceMs = this.#nowMs();
  }

  get connected(): boolean {
    return this.#awaySinceMs === undefined;
  }

  get stale(): boolean {
    if (!this.#caughtUp) return true;
    return (
      this.#awaySinceMs !== undefined && this.#nowMs() - this.#awaySinceMs > this.#staleAfterMs
    );
  }

  /** The tables equal the log's, as they were a moment ago. */
  caughtUp(): void {
    this.#caughtUp = true;
  }

  /** The engine can be reached, or no longer. */
  reach(connected: boolean): void {
    if (connected) this.#awaySinceMs = undefined;
    else this.#awaySinceMs ??= this.#nowMs();
  }
}
