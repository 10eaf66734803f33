import type { PackedStore, RecordStore, RecordStoreSpec, StoreSpec } from "./store.ts";
import type { Topic } from "./topic.ts";

/** The three fields that the runtime fills in every record. */
export type Header = "eventId" | "eventMs" | "logicVersion";

/** What a handler emits: the event without the fields that the runtime fills. */
export type Emitted<T> = Omit<T, Header>;

/**
 * One input record as a handler sees it. The object is reused: a handler reads it at once and keeps only what
 * it copied. `value` is null for a tombstone.
 */
export interface Recorded<T> {
  readonly topic: string;
  readonly slot: number;
  readonly offset: number;
  /** Ingestion time, ms since the epoch. */
  readonly timestampMs: number;
  /** The event's own time, clamped to at most 60 s ahead of its ingestion. */
  readonly eventMs: number;
  readonly value: T | null;
  /** The key as text, decoded on first use. */
  readonly key: string;
  /** Identity, 16 bytes in place at `valueStart + 5` of the record; see `eventIdOf`. */
  readonly valueStart: number;
  /** The key in place, in the memory that the value lies in too. */
  readonly keyBytes: Buffer;
  readonly keyStart: number;
  readonly keyEnd: number;
}

/**
 * What a handler may touch. Time, random numbers and state come from here and from nowhere else, so that the
 * same inputs in the same order give the same bytes.
 */
export interface Context {
  readonly slot: number;
  readonly slots: number;
  /** Time of the last tick, monotonic and journalled, ms since the epoch; 0 before the first tick. */
  readonly tickMs: number;
  /** Stream time of an input: the highest (clamped) eventMs seen, or advanced by ticks while it is idle. */
  streamMs(topic: Topic<never> | Topic<unknown> | { readonly name: string }): number;
  /** Emits an event. `eventMs` is the time of the cause unless given. */
  emit<T>(topic: Topic<T>, key: string, value: Emitted<T>, eventMs?: number): void;
  /** Emits a tombstone: removes the key from a table. */
  remove(topic: Topic<unknown> | { readonly name: string }, key: string): void;
  packed(spec: StoreSpec): PackedStore;
  records<T>(spec: RecordStoreSpec<T>): RecordStore<T>;
  /**
   * Asks for `onTimer(key, atMs)` when the stream time of the input being handled (of the first keyed input, in
   * a tick) reaches `atMs`. The same (key, atMs) again is one timer.
   */
  schedule(key: string, atMs: number): void;
  /** 0..1, seeded from the identity of the cause. */
  random(): number;
  /**
   * Memory of this task until the commit is sealed: made by `create` on first use, dropped at every commit. It is
   * not undone when a handler throws, so it may hold only what does no harm when it is too much: keys to look at again.
   */
  scratch<S>(create: () => S): S;
}

/**
 * `keyed`: the task of slot n reads slot n. `global`: every task reads all slots; for small tables only.
 */
export type InputScope = "keyed" | "global";

export interface Input<T> {
  readonly topic: Topic<T>;
  readonly scope: InputScope;
  readonly on: (event: Recorded<T>, context: Context) => void;
}

/** An input whose event type is hidden, as it stands in a processor's list. */
export type AnyInput = Input<never>;

/** A handler of one keyed topic, typed by it. */
export function keyed<T>(
  topic: Topic<T>,
  on: (event: Recorded<T>, context: Context) => void,
): AnyInput {
  return { topic, scope: "keyed", on } as unknown as AnyInput;
}

/** A handler of a small table that every task reads whole. */
export function global<T>(
  topic: Topic<T>,
  on: (event: Recorded<T>, context: Context) => void,
): AnyInput {
  return { topic, scope: "global", on } as unknown as AnyInput;
}

/** A processor is a value: inputs, outputs, stores and handlers; no clock, no randomness, no I/O, no globals. */
export interface Processor {
  readonly name: string;
  /** Raised whenever the same input may give another output; stored in every output. */
  readonly logicVersion: number;
  readonly inputs: readonly AnyInput[];
  readonly outputs: readonly { readonly name: string }[];
  readonly stores: readonly StoreSpec[];
  /** `one`: a single task that reads every slot of its keyed inputs, which must be small. */
  readonly tasks?: "one";
  /** Wanted distance of ticks; missed ticks are not made up. */
  readonly tickMs?: number;
  /** Silence after which ticks advance an input's stream time; 10 s by default. */
  readonly idleMs?: number;
  readonly onTick?: (context: Context) => void;
  readonly onTimer?: (key: string, atMs: number, context: Context) => void;
  /** Runs once before each commit is sealed, for work that is coalesced; may emit and write stores. */
  readonly beforeCommit?: (context: Context) => void;
}
