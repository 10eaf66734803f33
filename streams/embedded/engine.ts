import { performance } from "node:perf_hooks";
import type { EventSchema } from "../../schemas/event-schema.ts";
import { codeOf, messageOf, OpenCdnError } from "../errors.ts";
import type { Processor } from "../processor.ts";
import { Task } from "../task.ts";
import { TaskRun } from "../task-run.ts";
import type { Emit } from "../telemetry.ts";
import { allTopics } from "../topics.ts";
import type { AppendOutcome, CommitResult, EmbeddedLog, SourceAppend } from "./embedded-log.ts";

/** A commit waits this long for company, so that records that arrive together share one fsync. */
const lingerMs = 4;
/** While input keeps coming a commit is sealed at least this often. */
const busyCommitMs = 100;
/** Longest stretch of processing before sockets and timers get their turn. */
const sliceMs = 8;
/** Bytes of appends that may wait for a commit; beyond it a producer is told to slow down. */
const maxQueuedBytes = 64 * 1_048_576;
const defaultTickMs = 1_000;
/** Wait before a commit is tried again after the storage failed (a full disk). */
const retryMs = 1_000;
const retainEveryMs = 60_000;

export interface EngineOptions {
  readonly log: EmbeddedLog;
  readonly processors: readonly Processor[];
  /** Wall clock, ms since the epoch. */
  readonly nowMs: () => number;
  readonly emit?: Emit;
  /** Called when the engine can't go on (fenced); the process should end. */
  readonly onFatal?: (error: OpenCdnError) => void;
}

interface QueuedAppend {
  readonly append: SourceAppend;
  readonly sizeBytes: number;
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs processors over an embedded log in one thread. Tasks take what is committed; what they and outside producers
 * want written joins one group commit, during which the tasks go on with the next generation.
 */
export class Engine {
  readonly log: EmbeddedLog;
  readonly #runs: readonly TaskRun[];
  readonly #readersOf = new Map<string, TaskRun[]>();
  readonly #nowMs: () => number;
  readonly #emit: Emit;
  readonly #onFatal: (error: OpenCdnError) => void;
  #queue: QueuedAppend[] = [];
  #queuedBytes = 0;
  #committing: Promise<void> | undefined;
  #openSinceMs = 0;
  #pumpAt: NodeJS.Immediate | NodeJS.Timeout | undefined;
  #caughtUp = false;
  #closing = false;
  #fatal: OpenCdnError | undefined;
  #toldCheckpoint: OpenCdnError | undefined;
  #turn = 0;
  #ticker: NodeJS.Timeout | undefined;
  #retainer: NodeJS.Timeout | undefined;
  #idleWaiters: (() => void)[] = [];

  private constructor(options: EngineOptions, runs: readonly TaskRun[]) {
    this.log = options.log;
    this.#runs = runs;
    this.#nowMs = options.nowMs;
    this.#emit = options.emit ?? (() => {});
    this.#onFatal = options.onFatal ?? (() => {});
    for (const run of runs) {
      for (const reader of run.readers) {
        const place = `${reader.topic}/${reader.slot}`;
        const known = this.#readersOf.get(place);
        if (known === undefined) this.#readersOf.set(place, [run]);
        else known.push(run);
      }
    }
  }

  /** Restores every task from the log's folder and starts to run. */
  static async open(options: EngineOptions): Promise<Engine> {
    const began = performance.now();
    const { log } = options;
    await log.registerSchemas(allTopics.map((topic) => topic.schema as EventSchema<never>));
    const runs: TaskRun[] = [];
    let restoredEntries = 0;
    for (const processor of options.processors) {
      const tasks = processor.tasks === "one" ? 1 : log.slots;
      for (let slot = 0; slot < tasks; slot++) {
        const { logId, slots, schemas } = log;
        const task = new Task({ processor, slot, slots, logId, schemas });
        const state = log.taskState(processor.name, slot);
        task.restore(state, (store, put) => {
          log.loadStore(processor.name, slot, store, (key, value) => {
            restoredEntries += 1;
            put(key, value);
          });
        });
        runs.push(new TaskRun(task));
      }
    }
    const engine = new Engine(options, runs);
    engine.#start();
    const tookMs = performance.now() - began;
    engine.#emit({ kind: "engine.ready", tasks: runs.length, restoredEntries, tookMs });
    return engine;
  }

  /**
   * Appends a producer's records in the next group commit. Resolves when they are durable; fails with
   * OCDN_OVERLOADED when too much waits already.
   */
  submit(append: SourceAppend): Promise<AppendOutcome> {
    if (this.#fatal !== undefined) return Promise.reject(this.#fatal);
    if (this.#closing) {
      return Promise.reject(new OpenCdnError("OCDN_DISCONNECTED", "appending: the engine closes"));
    }
    let sizeBytes = 256;
    for (const section of append.sections) sizeBytes += section.length;
    if (this.#queuedBytes + sizeBytes > maxQueuedBytes) {
      return Promise.reject(
        new OpenCdnError("OCDN_OVERLOADED", "appending: too much waits for the disk, try again"),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ append, sizeBytes, resolve, reject });
      this.#queuedBytes += sizeBytes;
      this.#wake();
    });
  }

  /** Resolves when nothing waits: all committed input is processed and everything emitted is durable. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#wake();
    });
  }

  /** Commits what is open and stops. The log stays open; it belongs to the caller. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#ticker);
    clearInterval(this.#retainer);
    clearImmediate(this.#pumpAt as NodeJS.Immediate);
    clearTimeout(this.#pumpAt as NodeJS.Timeout);
    await this.#committing;
    if (this.#fatal === undefined) {
      this.#commit();
      await this.#committing;
    }
    const closed = new OpenCdnError("OCDN_DISCONNECTED", "appending: the engine closed");
    for (const queued of this.#queue) queued.reject(closed);
    this.#queue = [];
  }

  #start(): void {
    this.#ticker = setInterval(() => this.#tick(), 50);
    this.#retainer = setInterval(() => {
      this.log.retain(this.#nowMs()).catch((error: unknown) => this.#failed(error));
    }, retainEveryMs);
    this.#wake();
  }

  #wake(): void {
    if (this.#pumpAt !== undefined || this.#closing) return;
    this.#pumpAt = setImmediate(() => this.#pump());
  }

  #wakeLater(ms: number): void {
    if (this.#pumpAt !== undefined || this.#closing) return;
    this.#pumpAt = setTimeout(() => this.#pump(), ms);
  }

  #tick(): void {
    if (!this.#caughtUp || this.#fatal !== undefined) return;
    const nowMs = this.#nowMs();
    let ticked = false;
    for (const run of this.#runs) {
      if (!run.task.wantsTicks || nowMs < run.nextTickMs || run.task.full) continue;
      run.nextTickMs = nowMs + (run.task.processor.tickMs ?? defaultTickMs);
      run.task.tick(nowMs);
      ticked = true;
    }
    if (ticked) {
      this.#open();
      this.#wake();
    }
  }

  #open(): void {
    if (this.#openSinceMs === 0) this.#openSinceMs = performance.now();
  }

  /** One slice of work: let ready tasks take their turns, then see whether a commit is due. */
  #pump(): void {
    this.#pumpAt = undefined;
    if (this.#fatal !== undefined || this.#closing) return;
    try {
      const more = this.#takeTurns();
      this.#considerCommit(more);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** True when records wait that a task could take now. */
  #takeTurns(): boolean {
    const began = performance.now();
    const runs = this.#runs;
    let idle = 0;
    let more = false;
    while (idle < runs.length) {
      const run = runs[this.#turn] as TaskRun;
      this.#turn = (this.#turn + 1) % runs.length;
      if (!run.ready || run.task.full) {
        more ||= run.ready && !run.task.full;
        idle += 1;
        continue;
      }
      if (run.turn(this.log) > 0) this.#open();
      idle = 0;
      if (performance.now() - began > sliceMs) return true;
    }
    if (!more) this.#caughtUp = true;
    return more;
  }

  #considerCommit(more: boolean): void {
    const openTask = this.#openSinceMs > 0;
    if (!openTask && this.#queue.length === 0) {
      if (more) this.#wake();
      else if (this.#committing === undefined) this.#settleIdle();
      return;
    }
    if (this.#committing !== undefined) {
      // The end of the commit under way wakes the engine.
      if (more) this.#wake();
      return;
    }
    const now = performance.now();
    this.#open();
    const ageMs = now - this.#openSinceMs;
    if (more && ageMs < busyCommitMs) {
      this.#wake();
    } else if (!more && ageMs < lingerMs) {
      this.#wakeLater(lingerMs - ageMs);
    } else {
      this.#commit();
      if (more) this.#wake();
    }
  }

  #commit(): void {
    const drafts = [];
    const sealed: TaskRun[] = [];
    for (const run of this.#runs) {
      const draft = run.seal();
      if (draft === undefined) continue;
      drafts.push(draft);
      sealed.push(run);
      this.#tellDeadLetters(run);
    }
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#openSinceMs = 0;
    if (drafts.length === 0 && queue.length === 0) return;
    const began = performance.now();
    this.#committing = this.log
      .commit({ drafts, appends: queue.map((queued) => queued.append) })
      .then(
        (result) => {
          const tookMs = performance.now() - began;
          this.#emit({
            kind: "engine.commit",
            drafts: drafts.length,
            appends: queue.length,
            tookMs,
          });
          this.#tellCheckpoint();
          this.#durable(result, sealed, queue);
        },
        (error: unknown) => {
          for (const queued of queue) queued.reject(error);
          this.#failed(error);
        },
      )
      .finally(() => {
        this.#committing = undefined;
        this.#wake();
      });
  }

  #durable(result: CommitResult, sealed: readonly TaskRun[], queue: readonly QueuedAppend[]): void {
    for (const run of sealed) run.task.committed();
    for (const chunk of result.chunks) {
      const readers = this.#readersOf.get(`${chunk.topic}/${chunk.slot}`);
      if (readers !== undefined) for (const run of readers) run.ready = true;
    }
    queue.forEach((queued, index) => {
      queued.resolve(result.appends[index] as AppendOutcome);
    });
  }

  #failed(error: unknown): void {
    const code = codeOf(error);
    const message = messageOf(error);
    for (const run of this.#runs) run.abort();
    this.#openSinceMs = 0;
    if (code === "OCDN_DISK_FULL") {
      this.#emit({ kind: "engine.commitFailed", code, message });
      this.#wakeLater(retryMs);
      return;
    }
    const fatal =
      error instanceof OpenCdnError ? error : new OpenCdnError(code, message, { cause: error });
    this.#fatal = fatal;
    this.#emit({ kind: "engine.fatal", code, message });
    this.#onFatal(fatal);
  }

  /** Commits go on when a checkpoint in the background fails; each failure is told once. */
  #tellCheckpoint(): void {
    const error = this.log.checkpointError;
    if (error === this.#toldCheckpoint) return;
    this.#toldCheckpoint = error;
    if (error === undefined) return;
    this.#emit({ kind: "engine.checkpointFailed", code: error.code, message: error.message });
  }

  /** Says once a commit how many records of a task became dead letters since the last time. */
  #tellDeadLetters(run: TaskRun): void {
    const { processor, slot, counts } = run.task;
    const count = counts.deadLetters - run.toldDeadLetters;
    if (count === 0) return;
    run.toldDeadLetters = counts.deadLetters;
    this.#emit({ kind: "task.deadLetter", processor: processor.name, slot, count });
  }

  #settleIdle(): void {
    if (this.#runs.some((run) => run.ready)) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }
}
