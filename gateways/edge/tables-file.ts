import { join } from "node:path";
import type { Logger } from "pino";
import { loadPersistedTables } from "../site/persisted-tables.ts";
import { TableSaver } from "../site/table-saver.ts";
import { removeUnfinished } from "../site/unfinished-files.ts";
import { persistedOf, restoreViews } from "./persisted-views.ts";
import type { Tables } from "./tables.ts";

/** A save may take at most this share of the time: large tables are saved less often. */
const maxSaveShare = 0.02;

export interface TablesFileOptions {
  readonly file: string;
  readonly everyMs: number;
  readonly tables: Tables;
  readonly logger: Logger;
}

/** Keeps the tables of a gateway in a file, so that it answers after a start without its engine. */
export class TablesFile {
  readonly #options: TablesFileOptions;
  readonly #saver: TableSaver;
  #logId = "";
  #notBeforeMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TablesFileOptions) {
    this.#options = options;
    const { file, everyMs, tables, logger } = options;
    this.#saver = new TableSaver({
      file,
      intervalMs: everyMs,
      collect: () => {
        const startedMs = performance.now();
        const persisted = persistedOf(tables.views, this.#logId, Date.now());
        this.#notBeforeMs = performance.now() + (performance.now() - startedMs) / maxSaveShare;
        return persisted;
      },
      onFailure: (error) => logger.error({ code: error.code }, error.message),
    });
  }

  /** Id of the log that the tables are of; empty when it is not known. */
  get logId(): string {
    return this.#logId;
  }

  /** Reads the tables into the views; a file that cannot be used is one log line. */
  async load(): Promise<void> {
    const { file, tables, logger } = this.#options;
    removeUnfinished(file);
    const persisted = await loadPersistedTables(file);
    if ("kind" in persisted) {
      if (persisted.code !== "ABSENT") logger.warn({ code: persisted.code }, persisted.message);
      return;
    }
    this.#logId = persisted.logId;
    restoreViews(tables.views, persisted);
  }

  /** The tables changed and are of this log. */
  changed(logId: string): void {
    this.#logId = logId;
    const waitMs = this.#notBeforeMs - performance.now();
    if (waitMs <= 0) this.#saver.changed();
    else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#saver.changed();
      }, waitMs).unref();
    }
  }

  async close(): Promise<void> {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#saver.changed();
    }
    await this.#saver.flush();
  }
}

/** Where a gateway keeps its tables unless it is told. */
export function defaultTablesFile(folder: string, gatewayId: string): string {
  return join(folder, `tables-${gatewayId}.bin`);
}
