import type { Decoder } from "../schemas/codec.ts";
import { isFailure } from "../schemas/failure.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import { RecordBatch } from "./batch.ts";
import type { RecordCursor } from "./chunk.ts";
import type { CommitDraft, TaskState } from "./commit.ts";
import { codeOf, type ErrorCode, messageOf } from "./errors.ts";
import { causeKinds, eventIdBytes, frameHeaderBytes, Identity, keyText } from "./identity.ts";
import { InputPositions } from "./input-positions.ts";
import { InputTrace } from "./input-trace.ts";
import { JournalWriter } from "./journal.ts";
import { sealJournalEntry } from "./journal-entry.ts";
import { defaultIdleMs, maxOutputBytesPerCommit, maxRecordsPerCommit } from "./limits.ts";
import type { Input, Processor } from "./processor.ts";
import { RecordedView } from "./recorded.ts";
import { StreamTime } from "./stream-time.ts";
import { TaskContext } from "./task-context.ts";
import { TaskDeadLetters } from "./task-dead-letters.ts";
import { TaskEmitter } from "./task-emitter.ts";
import { type TaskInput, taskInputs } from "./task-inputs.ts";
import { TaskStores, timerStore, timeStore } from "./task-stores.ts";
import { Timers } from "./timers.ts";
import type { Topic } from "./topic.ts";
import { deadLetters, taskCommits } from "./topics.ts";

export interface TaskOptions {
  readonly processor: Processor;
  /** 0..slots-1; 0 for a processor with `tasks: "one"`. */
  readonly slot: number;
  readonly slots: number;
  readonly logId: string;
  readonly schemas: SchemaTable;
}

/** What a task has seen since the process began. */
export interface TaskCounts {
  records: number;
  deadLetters: number;
  timers: number;
  commits: number;
}

/** Where a task stood after a commit. */
interface Resting {
  readonly commit: number;
  readonly chain: Uint8Array;
  readonly positions: readonly Float64Array[];
}

/**
 * A processor on one slot. It takes records and ticks in the order that the engine gives them, and hands back commits
 * that hold outputs, store changes, positions and the journal entry together. It does no I/O and reads no clock, so the
 * same steps give the same commits on every engine and in replay.
 */
export class Task {
  readonly processor: Processor;
  readonly slot: number;
  readonly inputs: readonly TaskInput[];
  readonly counts: TaskCounts = { records: 0, deadLetters: 0, timers: 0, commits: 0 };
  readonly #stores: TaskStores;
  readonly #time: StreamTime;
  readonly #timers: Timers;
  readonly #identity: Identity;
  readonly #emitter: TaskEmitter;
  readonly #context: TaskContext;
  readonly #deadLetters: TaskDeadLetters;
  readonly #event = new RecordedView();
  readonly #journal = new JournalWriter();
  readonly #trace = new InputTrace();
  readonly #positions: InputPositions;
  readonly #pending: Resting[] = [];
  #committed: Resting;
  #commit = 0;
  #chain: Uint8Array = new Uint8Array(eventIdBytes);
  #first = true;

  constructor(options: TaskOptions) {
    const { processor, slot, slots, schemas } = options;
    this.processor = processor;
    this.slot = slot;
    this.inputs = taskInputs(processor, slot, slots, schemas);
    this.#positions = new InputPositions(this.inputs, slots);
    const positions = this.#positions.copy();
    this.#committed = { commit: 0, chain: new Uint8Array(eventIdBytes), positions };
    this.#identity = new Identity(options.logId, processor.name, slot);
    this.#stores = new TaskStores(processor);
    this.#time = new StreamTime(this.inputs.length);
    this.#timers = new Timers(this.#stores.packed(timerStore), this.inputs.length);
    this.#emitter = new TaskEmitter({
      outputs: [
        ...(processor.outputs as readonly Topic<unknown>[]),
        deadLetters,
        taskCommits,
      ] as readonly Topic<unknown>[],
      slots,
      logicVersion: processor.logicVersion,
      identity: this.#identity,
      schemas,
    });
    this.#deadLetters = new TaskDeadLetters(processor.name, slot, this.#emitter);
    this.#context = new TaskContext({
      slot,
      slots,
      inputs: this.inputs,
      stores: this.#stores,
      time: this.#time,
      timers: this.#timers,
      identity: this.#identity,
      emitter: this.#emitter,
    });
  }

  /** Takes up where `state` says; `load` is called for each store and puts its entries in. */
  restore(
    state: TaskState | undefined,
    load: (store: string, put: (key: Uint8Array, value: Uint8Array) => void) => void,
  ): void {
    this.#stores.load(load);
    if (state !== undefined) {
      this.#positions.restore(state.positions);
      const { commit, chain } = state;
      this.#committed = { commit, chain, positions: this.#positions.copy() };
    }
    this.#rewind();
  }

  /** Next offset that this task wants of an input's slot. */
  position(input: number, slot: number): number {
    return this.#positions.get(input, slot);
  }

  /** True when ticks mean something to this task now. */
  get wantsTicks(): boolean {
    return this.processor.tickMs !== undefined || this.#timers.anyPending;
  }

  /** True when the open commit is as large as it may get: seal before taking more. */
  get full(): boolean {
    return (
      this.#trace.count >= maxRecordsPerCommit ||
      this.#emitter.batch.sizeBytes >= maxOutputBytesPerCommit
    );
  }

  /** True when something was taken since the last seal. */
  get open(): boolean {
    return !this.#journal.empty;
  }

  /** Commits that were sealed and are not durable yet. */
  get sealed(): number {
    return this.#pending.length;
  }

  /** Takes up to `most` records from the cursor; gives their number. */
  take(input: number, cursor: RecordCursor, most: number): number {
    let taken = 0;
    while (taken < most && !this.full && cursor.next()) {
      this.takeCurrent(input, cursor);
      taken += 1;
    }
    return taken;
  }

  /** Takes the record that the cursor stands on. */
  takeCurrent(input: number, cursor: RecordCursor): void {
    const { view, keyStart, keyEnd, valueStart, valueEnd, slot, offset } = cursor;
    this.#journal.record(input, slot, offset);
    this.#trace.add(view, keyStart, keyEnd, valueStart, valueEnd);
    this.#positions.took(input, slot, offset);
    this.counts.records += 1;
    this.#record(input, this.inputs[input] as TaskInput, cursor);
  }

  /** Moves the tick to `nowMs` (never back), wakes idle inputs' timers and runs `onTick`. */
  tick(nowMs: number): void {
    const elapsedMs = this.#time.tick(nowMs);
    const tickMs = this.#time.tickMs;
    this.#journal.tick(tickMs);
    const idleMs = this.processor.idleMs ?? defaultIdleMs;
    for (let input = 0; input < this.inputs.length; input++) {
      if (this.#timers.pending(input) && this.#time.advanceIdle(input, elapsedMs, idleMs)) {
        this.#fireDue(input, this.#time.streamMs(input));
      }
    }
    const { onTick } = this.processor;
    if (onTick === undefined) return;
    this.#unit(
      () => this.#cause(causeKinds.tick, "", tickMs, 0, tickMs),
      () => onTick(this.#context),
      () => `tick ${tickMs}`,
    );
  }

  /** Ends the open commit and hands it over; undefined when nothing was taken. */
  seal(): CommitDraft | undefined {
    if (!this.open) return undefined;
    const commit = this.#commit + 1;
    const { beforeCommit } = this.processor;
    if (beforeCommit !== undefined) {
      this.#unit(
        () => this.#cause(causeKinds.commit, "", commit, 0, this.#context.latestMs),
        () => beforeCommit(this.#context),
        () => `commit ${commit}`,
      );
    }
    this.#context.dropScratch();
    this.#time.save(this.#stores.packed(timeStore));
    const stores = this.#stores.seal();
    const batch = this.#emitter.batch;
    this.#cause(causeKinds.commit, "journal", commit, 0, this.#context.latestMs);
    const inputCount = this.#trace.count;
    const { hash, checks } = this.#trace.take();
    const chain = sealJournalEntry(this.#emitter, {
      processor: this.processor.name,
      slot: this.slot,
      commit,
      firstOfProcess: this.#first,
      steps: this.#journal.take(),
      inputCount,
      inputHash: hash,
      inputChecks: checks,
      stores: stores.digests,
      previous: Buffer.from(this.#chain),
      eventMs: this.#context.latestMs,
    });
    const positions = this.#positions.takeMoved();
    this.#emitter.batch = new RecordBatch(this.#emitter.batch);
    this.#first = false;
    this.#commit = commit;
    this.#chain = chain;
    this.#pending.push({ commit, chain, positions: this.#positions.copy() });
    this.counts.commits += 1;
    return {
      processor: this.processor.name,
      slot: this.slot,
      commit,
      outputs: batch.sections(),
      stores: stores.changes,
      positions,
      chain,
    };
  }

  /** The oldest sealed commit is durable. */
  committed(): void {
    const state = this.#pending.shift();
    if (state === undefined) return;
    this.#committed = state;
    this.#stores.committed();
  }

  /** Undoes everything that is not durable: contents, times, timers and positions are as of the last commit. */
  abort(): void {
    this.#stores.abort();
    this.#pending.length = 0;
    this.#emitter.batch = new RecordBatch(this.#emitter.batch);
    this.#journal.take();
    this.#trace.take();
    this.#context.dropScratch();
    this.#rewind();
  }

  #rewind(): void {
    this.#commit = this.#committed.commit;
    this.#chain = this.#committed.chain;
    this.#time.load(this.#stores.packed(timeStore));
    this.#timers.rebuild();
    this.#positions.rewind(this.#committed.positions);
  }

  #record(index: number, input: TaskInput, cursor: RecordCursor): void {
    let value: unknown = null;
    let eventMs = cursor.timestampMs;
    if (cursor.valueStart >= 0) {
      value = decode(input.decoder, cursor);
      if (isFailure(value)) {
        this.#deadLetter(cursor, "OCDN_UNDECODABLE", `${value.code}: ${value.message}`);
        return;
      }
      eventMs = this.#time.clamp((value as { eventMs: number }).eventMs, cursor.timestampMs);
    }
    if (eventMs > this.#time.streamMs(index) && this.#timers.mayBeDue(index, eventMs)) {
      this.#fireDue(index, eventMs);
    }
    this.#time.hear(index, eventMs);
    const event = this.#event;
    event.topic = cursor.topic;
    event.slot = cursor.slot;
    event.offset = cursor.offset;
    event.timestampMs = cursor.timestampMs;
    event.eventMs = eventMs;
    event.value = value;
    event.valueStart = cursor.valueStart;
    event.at(cursor.buffer, cursor.keyStart, cursor.keyEnd);
    const failure = this.#handle(index, input.input, event, cursor);
    if (failure !== undefined) {
      this.#deadLetter(cursor, codeOf(failure), messageOf(failure));
    }
  }

  /** Runs the handler, once more after a throw; gives what the second attempt threw. */
  #handle(index: number, input: Input<never>, event: RecordedView, cursor: RecordCursor): unknown {
    for (let attempt = 0; ; attempt++) {
      this.#causeOfRecord(index, event.eventMs, cursor);
      this.#stores.mark();
      this.#emitter.batch.mark();
      try {
        (input.on as (event: unknown, context: unknown) => void)(event, this.#context);
        return undefined;
      } catch (error) {
        this.#stores.rollbackToMark();
        this.#emitter.batch.rollback();
        if (attempt > 0) return error ?? "nothing was thrown";
      }
    }
  }

  #causeOfRecord(index: number, eventMs: number, cursor: RecordCursor): void {
    const idStart = cursor.valueStart + frameHeaderBytes;
    if (cursor.valueStart >= 0 && idStart + eventIdBytes <= cursor.valueEnd) {
      this.#identity.causedByInput(cursor.buffer, idStart);
      this.#context.began(index, eventMs);
      return;
    }
    const name = `${cursor.topic}/${cursor.slot}/${keyText(cursor.buffer, cursor.keyStart, cursor.keyEnd)}`;
    this.#cause(causeKinds.tombstone, name, cursor.offset, index, eventMs);
  }

  #cause(
    kind: (typeof causeKinds)[keyof typeof causeKinds],
    text: string,
    number: number,
    input: number,
    eventMs: number,
  ): void {
    if (text === "") this.#identity.causedByNumber(kind, number);
    else this.#identity.causedByText(kind, text, number);
    this.#context.began(input, eventMs);
  }

  #fireDue(input: number, streamMs: number): void {
    const { onTimer } = this.processor;
    for (;;) {
      const timer = this.#timers.takeDue(input, streamMs);
      if (timer === undefined) return;
      this.counts.timers += 1;
      if (onTimer === undefined) continue;
      this.#context.timerMs(input, timer.atMs);
      this.#unit(
        () => this.#cause(causeKinds.timer, timer.key, timer.atMs, input, timer.atMs),
        () => onTimer(timer.key, timer.atMs, this.#context),
        () => `timer ${timer.key} at ${timer.atMs}`,
      );
      this.#context.timerMs(input, undefined);
    }
  }

  /** Runs what no record caused; twice when it throws, then a dead letter without a record says what failed. */
  #unit(cause: () => void, run: () => void, what: () => string): void {
    for (let attempt = 0; ; attempt++) {
      cause();
      this.#stores.mark();
      this.#emitter.batch.mark();
      try {
        run();
        return;
      } catch (error) {
        this.#stores.rollbackToMark();
        this.#emitter.batch.rollback();
        if (attempt === 0) continue;
        cause();
        this.counts.deadLetters += 1;
        const message = `${what()}: ${messageOf(error)}`;
        this.#deadLetters.unit(codeOf(error), message, this.#context.latestMs);
        return;
      }
    }
  }

  #deadLetter(cursor: RecordCursor, code: ErrorCode, message: string): void {
    const name = `${cursor.topic}/${cursor.slot}/dead`;
    this.#cause(causeKinds.tombstone, name, cursor.offset, 0, cursor.timestampMs);
    this.counts.deadLetters += 1;
    this.#deadLetters.record(cursor, code, message, this.#context.latestMs);
  }
}

function decode(decoder: Decoder<unknown>, cursor: RecordCursor): unknown {
  return decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
}
