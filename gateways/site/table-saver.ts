import { OpenCdnError } from "../../streams/errors.ts";
import { type PersistedTables, savePersistedTables } from "./persisted-tables.ts";

/** A first change waits so long for company. */
const gatherMs = 100;

export interface TableSaverOptions {
  readonly file: string;
  /** Shortest time between two saves; a change after a longer time without one is saved almost at once. */
  readonly intervalMs: number;
  /** The tables as they are now. */
  readonly collect: () => PersistedTables;
  /** Called with the failure of a save; the next change tries again. */
  readonly onFailure?: (error: OpenCdnError) => void;
}

/** Saves the tables of a gateway after they changed: one save at a time, no more often than configured. */
export class TableSaver {
  readonly #options: TableSaverOptions;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #changed = false;
  #savedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: TableSaverOptions) {
    this.#options = options;
  }

  /** The tables changed: they are saved within the interval. */
  changed(): void {
    this.#changed = true;
    this.#timer ??= setTimeout(() => void this.flush(), this.#waitMs()).unref();
  }

  #waitMs(): number {
    const { intervalMs } = this.#options;
    const restMs = this.#savedAtMs + intervalMs - performance.now();
    return Math.max(restMs, Math.min(gatherMs, intervalMs));
  }

  /** Saves now what changed since the last save, and resolves when it is on the disk. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#save());
    await this.#saving;
  }

  async #save(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    this.#savedAtMs = performance.now();
    try {
      await savePersistedTables(this.#options.file, this.#options.collect());
    } catch (error) {
      this.#changed = true;
      if (!(error instanceof OpenCdnError)) throw error;
      this.#options.onFailure?.(error);
    }
  }
}
