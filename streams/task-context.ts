import { OpenCdnError } from "./errors.ts";
import type { Identity } from "./identity.ts";
import type { Context, Emitted } from "./processor.ts";
import type { PackedStore, RecordStore, RecordStoreSpec, StoreSpec } from "./store.ts";
import type { StreamTime } from "./stream-time.ts";
import type { TaskEmitter } from "./task-emitter.ts";
import type { TaskInput } from "./task-inputs.ts";
import type { TaskStores } from "./task-stores.ts";
import type { Timers } from "./timers.ts";
import type { Topic } from "./topic.ts";

/** The context that a task hands to its processor's handlers. */
export class TaskContext implements Context {
  readonly slot: number;
  readonly slots: number;
  readonly #inputs = new Map<string, number>();
  readonly #stores: TaskStores;
  readonly #time: StreamTime;
  readonly #timers: Timers;
  readonly #identity: Identity;
  readonly #emitter: TaskEmitter;
  #input = 0;
  #causeMs = 0;
  #timerInput = -1;
  #timerMs = 0;
  #scratch: unknown;

  constructor(options: {
    readonly slot: number;
    readonly slots: number;
    readonly inputs: readonly TaskInput[];
    readonly stores: TaskStores;
    readonly time: StreamTime;
    readonly timers: Timers;
    readonly identity: Identity;
    readonly emitter: TaskEmitter;
  }) {
    this.slot = options.slot;
    this.slots = options.slots;
    options.inputs.forEach((input, index) => {
      this.#inputs.set(input.topic.name, index);
    });
    this.#stores = options.stores;
    this.#time = options.time;
    this.#timers = options.timers;
    this.#identity = options.identity;
    this.#emitter = options.emitter;
  }

  get tickMs(): number {
    return this.#time.tickMs;
  }

  /** Time of the latest cause: event time of a record or timer, time of a tick. */
  get latestMs(): number {
    return this.#time.latestMs;
  }

  /** A handler begins: caused by `input` at `eventMs`. */
  began(input: number, eventMs: number): void {
    this.#input = input;
    this.#causeMs = eventMs;
    this.#time.latest(eventMs);
  }

  /** While a timer fires, its input's stream time reads as the timer's. */
  timerMs(input: number, atMs: number | undefined): void {
    this.#timerInput = atMs === undefined ? -1 : input;
    this.#timerMs = atMs ?? 0;
  }

  dropScratch(): void {
    this.#scratch = undefined;
  }

  streamMs(topic: { readonly name: string }): number {
    const input = this.#inputs.get(topic.name);
    if (input === undefined) {
      throw new OpenCdnError("OCDN_UNDECLARED", `reading the time of ${topic.name}: no input`);
    }
    return input === this.#timerInput
      ? Math.max(this.#timerMs, this.#time.streamMs(input))
      : this.#time.streamMs(input);
  }

  emit<T>(topic: Topic<T>, key: string, value: Emitted<T>, eventMs: number = this.#causeMs): void {
    this.#emitter.emit(topic, key, value, eventMs);
  }

  remove(topic: { readonly name: string }, key: string): void {
    this.#emitter.remove(topic, key);
  }

  packed(spec: StoreSpec): PackedStore {
    return this.#stores.packed(spec);
  }

  records<T>(spec: RecordStoreSpec<T>): RecordStore<T> {
    return this.#stores.records(spec);
  }

  schedule(key: string, atMs: number): void {
    if (!Number.isFinite(atMs) || atMs < 0) {
      throw new OpenCdnError("OCDN_BAD_INPUT", `scheduling a timer: ${atMs} is no time`);
    }
    this.#timers.schedule(this.#input, key, atMs);
  }

  random(): number {
    return this.#identity.random();
  }

  scratch<S>(create: () => S): S {
    this.#scratch ??= create();
    return this.#scratch as S;
  }
}
