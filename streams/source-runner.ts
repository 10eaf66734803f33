import { Backoff, pause } from "./backoff.ts";
import { RecordBatch } from "./batch.ts";
import { codeOf, type ErrorCode, OpenCdnError } from "./errors.ts";
import type { AppendResult, Log } from "./log.ts";
import type { Source, SourceBatch } from "./source.ts";
import { SourceWriter } from "./source-writer.ts";

/** Appends under way at once: while one group commit is written the next one fills. */
const defaultInFlight = 8;
/** Longest time without progress before the run gives up on an engine that is away. */
const defaultGiveUpMs = 60_000;
const firstRetryMs = 50;
const longestRetryMs = 500;

export interface SourceProgress {
  /** Records that this run added. */
  readonly appended: number;
  /** Records of batches that the log had already. */
  readonly duplicates: number;
  readonly position: string;
}

export interface SourceSummary {
  readonly appended: number;
  readonly duplicates: number;
  /** Position of the source in the log at the end; undefined when it never had one. */
  readonly lastPosition: string | undefined;
}

export interface RunSourceOptions {
  readonly log: Log;
  readonly source: Source;
  /** Called after each batch is durable. */
  readonly onProgress?: (progress: SourceProgress) => void;
  /** Stops reading; what was read is still committed. */
  readonly signal?: AbortSignal;
  readonly inFlight?: number;
  readonly giveUpMs?: number;
}

/**
 * Reads a source from its position in the log to its end and commits each batch together with the position that
 * it leads to. An engine that goes away is waited for. Throws OCDN_HISTORICAL_INPUT when the source describes
 * the past and the log is a live one, OCDN_SOURCE_POSITION when somebody else feeds the same source, and what
 * the source itself throws, after committing what it gave before.
 */
export async function runSource(options: RunSourceOptions): Promise<SourceSummary> {
  const { log, source } = options;
  if (source.historical && !log.historical) {
    throw new OpenCdnError(
      "OCDN_HISTORICAL_INPUT",
      `reading ${source.name}: its records describe the past and this log is live; load them into a log of their own with --log NAME, or replay them from now with --rebase now`,
    );
  }
  const run = new SourceRun(options);
  return run.toEnd();
}

interface Sent {
  readonly batch: RecordBatch;
  readonly previous: string | undefined;
  readonly position: string;
  result: Promise<AppendResult | Error>;
}

/** Refusals that the same batch may not meet the next time. */
const passingCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "OCDN_DISCONNECTED",
  "OCDN_TIMEOUT",
  "OCDN_OVERLOADED",
  "OCDN_SOURCE_POSITION",
]);

class SourceRun {
  readonly #options: RunSourceOptions;
  readonly #writer: SourceWriter;
  /** Sent and not known to be durable, oldest first. */
  readonly #window: Sent[] = [];
  readonly #backoff = new Backoff(firstRetryMs, longestRetryMs);
  /** Since when nothing could be committed; undefined while all is well. */
  #failingSince: number | undefined;
  #position: string | undefined;
  #appended = 0;
  #duplicates = 0;

  constructor(options: RunSourceOptions) {
    this.#options = options;
    this.#writer = new SourceWriter(options.log, options.source.name);
  }

  async toEnd(): Promise<SourceSummary> {
    const { source, signal } = this.#options;
    const inFlight = this.#options.inFlight ?? defaultInFlight;
    this.#position = await this.#committedPosition();
    let failure: { readonly error: unknown } | undefined;
    try {
      for await (const batch of source.read(this.#position)) {
        if (signal?.aborted === true) break;
        this.#send(batch);
        while (this.#window.length >= inFlight) await this.#settleOldest();
      }
    } catch (error) {
      failure = { error };
    }
    // What the source gave before it failed is kept; the first failure is the one that is told.
    while (this.#window.length > 0) {
      try {
        await this.#settleOldest();
      } catch (error) {
        failure ??= { error };
        break;
      }
    }
    await Promise.all(this.#window.map((sent) => sent.result));
    if (failure !== undefined) throw failure.error;
    return {
      appended: this.#appended,
      duplicates: this.#duplicates,
      lastPosition: this.#position,
    };
  }

  #send(read: SourceBatch): void {
    const batch = new RecordBatch();
    for (const event of read.events) {
      this.#writer.add(batch, event.topic, event.key, event.value, event.eventMs, event.position);
    }
    const previous = this.#window.at(-1)?.position ?? this.#position;
    if (previous === read.position && batch.count === 0) return;
    const sent: Sent = { batch, previous, position: read.position, result: unsent };
    sent.result = this.#append(sent);
    this.#window.push(sent);
  }

  #append(sent: Sent): Promise<AppendResult | Error> {
    const { log, source } = this.#options;
    const { batch, previous, position } = sent;
    if (!this.#writer.fits(log)) {
      const text = `appending records of ${source.name}: the log was replaced by another`;
      return Promise.resolve(new OpenCdnError("OCDN_SOURCE_POSITION", text));
    }
    return log
      .append({ source: source.name, previous, position, batch })
      .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  }

  async #settleOldest(): Promise<void> {
    const oldest = this.#window[0] as Sent;
    const result = await oldest.result;
    if (!(result instanceof Error)) {
      this.#retire(oldest, result.duplicate);
      return;
    }
    await Promise.all(this.#window.map((sent) => sent.result));
    if (!passingCodes.has(codeOf(result))) throw result;
    await this.#recover(result);
  }

  #retire(sent: Sent, duplicate: boolean): void {
    this.#window.shift();
    this.#backoff.reset();
    this.#failingSince = undefined;
    this.#position = sent.position;
    if (duplicate) this.#duplicates += sent.batch.count;
    else this.#appended += sent.batch.count;
    this.#options.onProgress?.({
      appended: this.#appended,
      duplicates: this.#duplicates,
      position: sent.position,
    });
  }

  /** Asks the log how far it came, retires what it has and sends the rest again. */
  async #recover(cause: Error): Promise<void> {
    const position = await this.#committedPosition();
    const known = this.#window.findIndex((sent) => sent.position === position);
    if (known < 0 && position !== this.#position) {
      throw new OpenCdnError(
        "OCDN_SOURCE_POSITION",
        `appending records of ${this.#options.source.name}: the log holds position ${position ?? "none"}, which this run did not write; is another process feeding the same source?`,
        { cause },
      );
    }
    for (let i = 0; i <= known; i++) this.#retire(this.#window[0] as Sent, false);
    if (this.#overdue()) throw cause;
    await pause(this.#backoff.next());
    for (const sent of this.#window) sent.result = this.#append(sent);
  }

  /** The source's position in the log, waiting for an engine that is away. */
  async #committedPosition(): Promise<string | undefined> {
    const { log, source, signal } = this.#options;
    for (;;) {
      try {
        return await log.sourcePosition(source.name);
      } catch (error) {
        if (!passingCodes.has(codeOf(error)) || signal?.aborted === true || this.#overdue()) {
          throw error;
        }
      }
      await pause(this.#backoff.next(), signal);
    }
  }

  #overdue(): boolean {
    this.#failingSince ??= performance.now();
    return performance.now() - this.#failingSince > (this.#options.giveUpMs ?? defaultGiveUpMs);
  }
}

const unsent: Promise<Error> = Promise.resolve(new Error("not sent"));
