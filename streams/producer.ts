import { randomBytes } from "node:crypto";
import { Backoff, pause, within } from "./backoff.ts";
import { RecordBatch } from "./batch.ts";
import { codeOf, type ErrorCode, OpenCdnError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { Emitted } from "./processor.ts";
import { SourceWriter } from "./source-writer.ts";
import type { Topic } from "./topic.ts";

/** Longest time that an event waits for company. */
const defaultBatchMs = 20;
/** A batch this large leaves at once; the next one fills meanwhile. */
const defaultBatchBytes = 262_144;
/** Most that waits while the engine is away: about 40,000 events of 200 bytes. */
const defaultQueueBytes = 8 * 1_048_576;
/** Longest wait of `flush` and `close`. */
const defaultFlushMs = 10_000;
const firstRetryMs = 25;
/** Short: while the engine is away an attempt fails at once and costs next to nothing. */
const longestRetryMs = 250;

export interface EventProducerOptions {
  readonly log: Log;
  /** Stable name of the writer, e.g. `edge/fra`; each start adds a random part. */
  readonly name: string;
  readonly batchMs?: number;
  readonly batchBytes?: number;
  readonly queueBytes?: number;
  /** Bound of `flush()` and `close()`, 10 s by default. */
  readonly flushMs?: number;
  /** Events were given up: OCDN_OVERLOADED for a full queue, otherwise the code of the refusal. */
  readonly onDropped?: (count: number, code: ErrorCode) => void;
  /** Identities of the events of one batch, once it is durable. */
  readonly onAcknowledged?: (eventIds: readonly Uint8Array[]) => void;
}

interface Outgoing {
  readonly batch: RecordBatch;
  readonly writer: SourceWriter;
  readonly source: string;
  /** Sequence number of the last event in it; as text, its position. */
  readonly lastSequence: number;
  readonly eventIds: readonly Uint8Array[];
}

/** Refusals that the same batch would meet again. */
const finalCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "OCDN_SOURCE_POSITION",
  "OCDN_LIMIT",
  "OCDN_BAD_INPUT",
  "OCDN_UNKNOWN_TOPIC",
  "OCDN_UNKNOWN_SCHEMA",
]);

/**
 * Writes events of a gateway to the log. `send` never waits: events gather for a few milliseconds, leave as one
 * batch, and a batch whose answer is missing is sent again with the same position until the log answers, so
 * that each event is in the log once. While the engine is away a bounded queue fills; what does not fit is
 * dropped and counted.
 */
export class EventProducer {
  readonly #options: EventProducerOptions;
  readonly #queueBytes: number;
  readonly #batchBytes: number;
  readonly #stop = new AbortController();
  readonly #sealed: Outgoing[] = [];
  readonly #waiters: { readonly sequence: number; readonly resolve: () => void }[] = [];
  #source = "";
  #writer: SourceWriter;
  #open = new RecordBatch();
  #openIds: Uint8Array[] = [];
  /** The position that the log holds for this start, as far as it was acknowledged. */
  #delivered: { readonly source: string; readonly position: string } | undefined;
  #sequence = 0;
  #settled = 0;
  #waitingBytes = 0;
  #dropped = 0;
  #acknowledged = 0;
  #timer: NodeJS.Timeout | undefined;
  #due = false;
  #sending = false;

  constructor(options: EventProducerOptions) {
    this.#options = options;
    this.#batchBytes = options.batchBytes ?? defaultBatchBytes;
    this.#queueBytes = options.queueBytes ?? defaultQueueBytes;
    this.#writer = this.#begin();
  }

  /** Name under which this start's positions stand in the log. */
  get source(): string {
    return this.#source;
  }

  /** Events given up so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Events known to be durable so far. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Bytes of events that are not acknowledged yet. */
  get waitingBytes(): number {
    return this.#waitingBytes + this.#open.sizeBytes;
  }

  /**
   * Takes an event; false when the queue is full and it was dropped. Throws OCDN_BAD_INPUT for a value that does
   * not fit the topic's schema and OCDN_UNKNOWN_SCHEMA when the log does not have that schema.
   */
  send<T>(topic: Topic<T>, key: string, value: Emitted<T>, eventMs: number): boolean {
    if (!this.#admit()) return false;
    const position = String(this.#sequence + 1);
    this.#writer.add(this.#open, topic, key, value, eventMs, position);
    if (this.#options.onAcknowledged !== undefined) this.#openIds.push(this.#writer.lastEventId());
    this.#added();
    return true;
  }

  /** Takes a tombstone, which removes the key from a table; false when the queue is full. */
  remove(topic: Topic<unknown>, key: string): boolean {
    if (!this.#admit()) return false;
    this.#writer.remove(this.#open, topic, key);
    this.#added();
    return true;
  }

  /** Resolves when everything sent before is durable or dropped; OCDN_TIMEOUT after `flushMs`. */
  flush(): Promise<void> {
    if (this.#settled >= this.#sequence) return Promise.resolve();
    this.#sendSoon();
    const sequence = this.#sequence;
    const settled = new Promise<void>((resolve) => this.#waiters.push({ sequence, resolve }));
    const timeoutMs = this.#options.flushMs ?? defaultFlushMs;
    const late = (): Error =>
      new OpenCdnError(
        "OCDN_TIMEOUT",
        `flushing ${this.#source}: ${this.#sequence - this.#settled} events are unacknowledged after ${timeoutMs} ms`,
      );
    return within(settled, timeoutMs, late);
  }

  /** Flushes and stops; what the log did not take in time is dropped and counted. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await this.flush().catch(() => undefined);
    this.#stop.abort();
    this.#sendSoon();
  }

  #begin(): SourceWriter {
    this.#source = `${this.#options.name}/${randomBytes(9).toString("base64url")}`;
    return new SourceWriter(this.#options.log, this.#source);
  }

  #admit(): boolean {
    if (this.#stop.signal.aborted) {
      throw new OpenCdnError("OCDN_USAGE", `sending by ${this.#source}: the producer is closed`);
    }
    if (!this.#writer.fits(this.#options.log)) this.#restart();
    if (this.waitingBytes < this.#queueBytes) return true;
    this.#countDropped(1, "OCDN_OVERLOADED");
    return false;
  }

  #added(): void {
    this.#sequence += 1;
    if (this.#open.sizeBytes >= this.#batchBytes) {
      this.#seal();
      this.#wake();
      return;
    }
    this.#timer ??= setTimeout(() => this.#sendSoon(), this.#options.batchMs ?? defaultBatchMs);
  }

  #seal(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = false;
    if (this.#open.count === 0) return;
    this.#sealed.push({
      batch: this.#open,
      writer: this.#writer,
      source: this.#source,
      lastSequence: this.#sequence,
      eventIds: this.#openIds,
    });
    this.#waitingBytes += this.#open.sizeBytes;
    this.#open = new RecordBatch(this.#open);
    this.#openIds = [];
  }

  /** What is open leaves as soon as nothing is under way; until then it grows, so that a backlog goes in few batches. */
  #sendSoon(): void {
    this.#due = true;
    this.#wake();
  }

  #wake(): void {
    if (this.#sending) return;
    this.#sending = true;
    void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const code = await this.#deliver(next);
      if (this.#sealed[0] === next) this.#sealed.shift();
      if (code !== undefined) this.#drop(next, code);
      else this.#acknowledge(next);
    }
    this.#sending = false;
  }

  #next(): Outgoing | undefined {
    if (this.#sealed.length === 0 && this.#due) this.#seal();
    return this.#sealed[0];
  }

  /** Gives nothing when the batch is durable, or the code of the refusal that ends it. */
  async #deliver(outgoing: Outgoing): Promise<ErrorCode | undefined> {
    const { log } = this.#options;
    const { source, batch } = outgoing;
    const backoff = new Backoff(firstRetryMs, longestRetryMs);
    const previous = this.#delivered?.source === source ? this.#delivered.position : undefined;
    const position = String(outgoing.lastSequence);
    while (!this.#stop.signal.aborted) {
      if (!outgoing.writer.fits(log)) return "OCDN_SOURCE_POSITION";
      try {
        await log.append({ source, previous, position, batch });
        this.#delivered = { source, position };
        return undefined;
      } catch (error) {
        const code = codeOf(error);
        if (code === "OCDN_SOURCE_POSITION" && source === this.#source) this.#restart();
        if (finalCodes.has(code)) return code;
      }
      await pause(backoff.next(), this.#stop.signal);
    }
    return "OCDN_DISCONNECTED";
  }

  /** What follows goes under a new name: the log does not hold the positions that this one gave it. */
  #restart(): void {
    this.#seal();
    this.#writer = this.#begin();
  }

  #acknowledge(outgoing: Outgoing): void {
    this.#acknowledged += outgoing.batch.count;
    this.#options.onAcknowledged?.(outgoing.eventIds);
    this.#settle(outgoing);
  }

  #drop(outgoing: Outgoing, code: ErrorCode): void {
    this.#countDropped(outgoing.batch.count, code);
    this.#settle(outgoing);
  }

  #settle(outgoing: Outgoing): void {
    this.#waitingBytes -= outgoing.batch.sizeBytes;
    this.#settled = Math.max(this.#settled, outgoing.lastSequence);
    while ((this.#waiters[0]?.sequence ?? Number.POSITIVE_INFINITY) <= this.#settled) {
      this.#waiters.shift()?.resolve();
    }
  }

  #countDropped(count: number, code: ErrorCode): void {
    this.#dropped += count;
    this.#options.onDropped?.(count, code);
  }
}
