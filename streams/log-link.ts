import { Backoff, pause } from "./backoff.ts";
import type { Log } from "./log.ts";

const firstRetryMs = 50;
const longestRetryMs = 1_000;
/** An engine that starts at the same time is there within this. */
const patienceMs = 8_000;

export interface LogLinkOptions {
  /** Opens the log; fails while no engine is there. */
  readonly connect: () => Promise<Log>;
  readonly onLog: (log: Log) => void;
  /** The engine is away for longer than a start takes; told once. */
  readonly onAway?: (error: unknown) => void;
}

/**
 * Reaches a log that may not be there yet: a gateway starts without its engine and goes on trying, with pauses
 * of at most a second, until it is closed. Once reached, the log re-connects by itself.
 */
export class LogLink {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #log: Log | undefined;

  constructor(options: LogLinkOptions) {
    this.#done = this.#run(options);
  }

  /** The log, once it was reached. */
  get log(): Log | undefined {
    return this.#log;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#log?.close();
  }

  async #run({ connect, onLog, onAway }: LogLinkOptions): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff(firstRetryMs, longestRetryMs);
    const startedMs = performance.now();
    let told = false;
    while (!signal.aborted) {
      try {
        await this.#take(await connect(), onLog);
        return;
      } catch (error) {
        if (!told && performance.now() - startedMs > patienceMs) {
          onAway?.(error);
          told = true;
        }
      }
      await pause(backoff.next(), signal);
    }
  }

  /** A log that cannot be used, for it lacks a topic that a newer engine has, is given back. */
  async #take(log: Log, onLog: (log: Log) => void): Promise<void> {
    try {
      if (!this.#stop.signal.aborted) onLog(log);
      this.#log = log;
    } catch (error) {
      await log.close();
      throw error;
    }
  }
}
