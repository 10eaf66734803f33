import { pause, within } from "./backoff.ts";
import type { Chunk } from "./chunk.ts";
import { codeOf, messageOf, OpenCdnError } from "./errors.ts";
import type { Follower, Log, Position } from "./log.ts";
import type { Sink } from "./sink.ts";
import { SinkIntake } from "./sink-intake.ts";
import type { RefusedRecord } from "./sink-lane.ts";
import { SinkPositions } from "./sink-positions.ts";

/** Events whose effect is under way at once; those of one key wait for each other. */
const defaultInFlight = 64;
/** Longest wait for one effect, and for a flush. */
const defaultHandlerMs = 30_000;
const defaultCommitMs = 1_000;
/** A handler that fails is called once more. */
const defaultAttempts = 2;
/** Wait before a handler that failed is called once more. */
const defaultRetryMs = 200;

export interface RunSinkOptions {
  readonly log: Log;
  readonly sink: Sink;
  /** Stops the sink; what it took is finished and committed. */
  readonly signal?: AbortSignal;
  readonly inFlight?: number;
  /** How often a handler is called for one event before it is refused; 1 for one that tries again by itself. */
  readonly attempts?: number;
  readonly handlerMs?: number;
  readonly commitMs?: number;
  readonly retryMs?: number;
  /** A record was refused: undecodable bytes, or a handler that failed at every attempt. */
  readonly onRefused?: (record: RefusedRecord) => void;
  /** The log skipped records because the sink was too slow or too late. */
  readonly onDropped?: (count: number) => void;
  /** A flush, or reading the log, failed; it is tried again. */
  readonly onError?: (error: OpenCdnError) => void;
  /** Connected to the engine or not. */
  readonly onState?: (connected: boolean) => void;
}

export interface RunningSink {
  /** Resolves after the end; rejects when the sink cannot go on (another process runs it, say). */
  readonly finished: Promise<void>;
  /** Stops taking events; the log holds them meanwhile. */
  pause(): void;
  resume(): void;
  /** Offsets before which every event is acknowledged. */
  positions(): Position[];
}

/**
 * Runs a sink on its inputs: a `committed` one from the position that it left in the log (the first time from a
 * table's snapshot and a stream's oldest record), a `snapshot` one from the tables' latest values and the streams'
 * ends. Events of one key are handled one after the other, others side by side. Undecodable records, and those
 * whose handler failed at every attempt, become dead letters, once each. A view is told of keys that left a table
 * while it did not look, by a tombstone of its own.
 */
export function runSink(options: RunSinkOptions): RunningSink {
  const run = new SinkRun(options);
  const finished = run.toEnd();
  // Whoever looks at `finished` later is told then.
  finished.catch(() => undefined);
  const { intake } = run;
  return {
    finished,
    pause: () => intake.pause(),
    resume: () => intake.resume(),
    positions: () => intake.positions(),
  };
}

class SinkRun {
  readonly intake: SinkIntake;
  readonly #options: RunSinkOptions;
  readonly #stop = new AbortController();
  #positions: SinkPositions;
  /** How far the last commit went; nothing is flushed and written for the same again. */
  #committed = "";

  constructor(options: RunSinkOptions) {
    this.#options = options;
    this.intake = new SinkIntake({
      log: options.log,
      sink: options.sink,
      inFlight: options.inFlight ?? defaultInFlight,
      attempts: options.attempts ?? defaultAttempts,
      handlerMs: options.handlerMs ?? defaultHandlerMs,
      retryMs: options.retryMs ?? defaultRetryMs,
      signal: this.#stop.signal,
      onRefused: options.onRefused ?? (() => undefined),
    });
    this.#positions = this.#newPositions();
  }

  async toEnd(): Promise<void> {
    const { signal } = this.#options;
    const stop = (): void => this.#stop.abort();
    if (signal?.aborted === true) return;
    signal?.addEventListener("abort", stop, { once: true });
    let follower: Follower | undefined;
    try {
      await this.#positions.load();
      this.#beginIntake();
      follower = this.#follow();
      while (!this.#stop.signal.aborted) {
        await pause(this.#options.commitMs ?? defaultCommitMs, this.#stop.signal);
        if (!this.#stop.signal.aborted) await this.#commit();
      }
      follower.close();
      await this.intake.idle();
      await this.#commit();
    } catch (error) {
      // Stopped while the engine is away: the next start goes on where the log says.
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      follower?.close();
      stop();
      signal?.removeEventListener("abort", stop);
    }
  }

  get #isView(): boolean {
    return this.#options.sink.from === "snapshot";
  }

  #newPositions(): SinkPositions {
    const { log, sink } = this.#options;
    return new SinkPositions(log, sink.name, this.intake.topics, this.#stop.signal);
  }

  #beginIntake(): void {
    const positions = this.#positions;
    this.intake.begin((topic, slot) => (this.#isView ? undefined : positions.offset(topic, slot)));
  }

  #follow(): Follower {
    const { log, sink, onDropped, onError, onState } = this.#options;
    const { intake } = this;
    return log.follow({
      topics: intake.topics,
      from: this.#isView ? "snapshot" : intake.positions(),
      onChunk: (chunk, snapshot) => this.#take(chunk, snapshot),
      onSnapshot: (topic, slot, phase, offset) => intake.snapshot(topic, slot, phase, offset),
      onCaughtUp: () => sink.onCaughtUp?.(log.logId),
      onDropped: (count) => onDropped?.(count),
      onError: (error) => onError?.(error),
      onState: (connected) => onState?.(connected),
    });
  }

  #take(chunk: Chunk, snapshot: boolean): Promise<void> | undefined {
    if (this.#options.log.logId === this.#positions.logId) return this.intake.take(chunk, snapshot);
    return this.#takeOfAnotherLog(chunk, snapshot);
  }

  /** The folder holds another log: its positions are the ones that count from here on. */
  async #takeOfAnotherLog(chunk: Chunk, snapshot: boolean): Promise<void> {
    this.#positions = this.#newPositions();
    try {
      await this.#positions.load();
    } catch (error) {
      // Stopped meanwhile: nobody waits for this chunk.
      if (this.#stop.signal.aborted) return;
      throw error;
    }
    this.intake.begin(() => undefined);
    await this.intake.take(chunk, snapshot);
  }

  async #commit(): Promise<void> {
    const { sink, log, onError } = this.#options;
    const { intake } = this;
    const positions = this.#positions;
    const reached = new Map(
      intake.positions().map(({ topic, slot, offset }) => [`${topic}/${slot}`, offset]),
    );
    const progress = `${positions.logId}:${[...reached].join()}`;
    if (progress === this.#committed) return;
    try {
      const flushMs = this.#options.handlerMs ?? defaultHandlerMs;
      const late = (): Error =>
        new OpenCdnError("OCDN_TIMEOUT", `flushing sink ${sink.name}: ${flushMs} ms passed`);
      await within(sink.flush(), flushMs, late);
    } catch (error) {
      const text = `flushing sink ${sink.name}: ${messageOf(error)}`;
      onError?.(new OpenCdnError(codeOf(error), text, { cause: error }));
      return;
    }
    try {
      await positions.commit({
        reached: (topic, slot) => reached.get(`${topic}/${slot}`),
        takeRefused: (topic, slot, offset) => intake.takeRefused(topic, slot, offset),
        onlyRefused: this.#isView,
      });
      this.#committed = progress;
    } catch (error) {
      // A log that was replaced meanwhile does not know these positions.
      if (log.logId === positions.logId) throw error;
    }
  }
}
