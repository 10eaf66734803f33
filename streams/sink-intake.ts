import { Decoder } from "../schemas/codec.ts";
import { isFailure } from "../schemas/failure.ts";
import { pause, within } from "./backoff.ts";
import { type Chunk, RecordCursor } from "./chunk.ts";
import { codeOf, messageOf, OpenCdnError } from "./errors.ts";
import { maxAheadMs } from "./limits.ts";
import type { Log, Position } from "./log.ts";
import { RecordedView } from "./recorded.ts";
import type { Sink, SinkInput } from "./sink.ts";
import { type RefusedRecord, SinkLane } from "./sink-lane.ts";
import type { Topic } from "./topic.ts";
import { ViewKeys } from "./view-keys.ts";

/** Finished events that wait for an earlier one of their slot. */
const maxWaiting = 4_096;
/** Refused records that wait for a commit. */
const maxRefusedBytes = 4 * 1_048_576;
export interface SinkIntakeOptions {
  readonly log: Log;
  readonly sink: Sink;
  readonly inFlight: number;
  /** How often a handler is called for one event before the event is refused. */
  readonly attempts: number;
  readonly handlerMs: number;
  readonly retryMs: number;
  readonly signal: AbortSignal;
  readonly onRefused: (record: RefusedRecord) => void;
}

interface Input {
  readonly on: (event: RecordedView) => Promise<void> | void;
  readonly topic: Topic<unknown>;
  decoder: Decoder<unknown>;
}

/**
 * Takes records from a follower and hands them to a sink's handlers: side by side within bounds, those of one key
 * one after the other. Keeps how far each topic and slot is acknowledged, and what was refused.
 */
export class SinkIntake {
  readonly #options: SinkIntakeOptions;
  readonly #inputs = new Map<string, Input>();
  readonly #lanes = new Map<string, SinkLane[]>();
  /** What a view holds of each table, so that it is told of keys that a snapshot no longer has. */
  readonly #views = new Map<string, ViewKeys>();
  /** The last effect under way of each key. */
  readonly #byKey = new Map<string, Promise<void>>();
  #inFlight = 0;
  #refusedBytes = 0;
  #paused = false;
  #waiters: (() => void)[] = [];

  constructor(options: SinkIntakeOptions) {
    this.#options = options;
    const { log, sink } = options;
    for (const input of sink.inputs as unknown as readonly SinkInput<unknown>[]) {
      const { topic } = input;
      const decoder = new Decoder(topic.schema, log.schemas);
      this.#inputs.set(topic.name, { topic, on: input.on as Input["on"], decoder });
      if (sink.from === "snapshot" && topic.kind === "table") {
        this.#views.set(topic.name, new ViewKeys());
      }
    }
    options.signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  get topics(): string[] {
    return [...this.#inputs.keys()];
  }

  /** Begins anew at the committed offsets; what is under way is finished but no longer counts. */
  begin(committed: (topic: string, slot: number) => number | undefined): void {
    this.#refusedBytes = 0;
    for (const topic of this.#inputs.keys()) {
      const lanes: SinkLane[] = [];
      for (let slot = 0; slot < this.#options.log.slots; slot++) {
        lanes.push(new SinkLane(topic, slot, committed(topic, slot)));
      }
      this.#lanes.set(topic, lanes);
      // Another log: the view begins empty.
      for (const { slot, key } of this.#views.get(topic)?.takeAll() ?? []) {
        this.#gone(topic, slot, key);
      }
    }
  }

  positions(): Position[] {
    const positions: Position[] = [];
    for (const lanes of this.#lanes.values()) {
      for (const { topic, slot, position } of lanes) {
        if (position !== undefined) positions.push({ topic, slot, offset: position });
      }
    }
    return positions;
  }

  position(topic: string, slot: number): number | undefined {
    return this.#lanes.get(topic)?.[slot]?.position;
  }

  /** Hands over the refused records before `offset`, for the commit that passes them. */
  takeRefused(topic: string, slot: number, offset: number | undefined): RefusedRecord[] {
    const refused = this.#lanes.get(topic)?.[slot]?.takeRefused(offset) ?? [];
    for (const { value } of refused) this.#refusedBytes -= value.length;
    if (refused.length > 0) this.#wake();
    return refused;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Resolves when no effect is under way. */
  async idle(): Promise<void> {
    while (this.#inFlight > 0) await this.#changed();
  }

  snapshot(topic: string, slot: number, phase: "begins" | "complete", offset: number): void {
    const lane = this.#lanes.get(topic)?.[slot];
    const view = this.#views.get(topic);
    if (phase === "begins") {
      lane?.restart();
      view?.begin(slot);
      return;
    }
    for (const key of view?.complete(slot) ?? []) this.#gone(topic, slot, key);
    lane?.pass(offset);
  }

  /** Takes the records of a chunk; a promise where it has to wait for room. */
  take(chunk: Chunk, snapshot: boolean): Promise<void> | undefined {
    const input = this.#inputs.get(chunk.topic);
    const lane = this.#lanes.get(chunk.topic)?.[chunk.slot];
    if (input === undefined || lane === undefined) return undefined;
    const { schemas } = this.#options.log;
    if (input.decoder.table !== schemas) input.decoder = new Decoder(input.topic.schema, schemas);
    const cursor = new RecordCursor().open(chunk);
    if (this.#takeWhileRoom(input, lane, cursor, snapshot)) return undefined;
    return this.#takeRest(input, lane, cursor, snapshot);
  }

  async #takeRest(
    input: Input,
    lane: SinkLane,
    cursor: RecordCursor,
    snapshot: boolean,
  ): Promise<void> {
    do await this.#changed();
    while (!this.#takeWhileRoom(input, lane, cursor, snapshot));
  }

  /** True when the chunk is taken, or nothing more is. */
  #takeWhileRoom(input: Input, lane: SinkLane, cursor: RecordCursor, snapshot: boolean): boolean {
    while (!this.#options.signal.aborted) {
      if (!this.#hasRoom(lane)) return false;
      if (!cursor.next()) return true;
      this.#record(input, lane, cursor, snapshot);
    }
    return true;
  }

  #hasRoom(lane: SinkLane): boolean {
    return (
      !this.#paused &&
      this.#inFlight < this.#options.inFlight &&
      lane.waiting < maxWaiting &&
      this.#refusedBytes < maxRefusedBytes
    );
  }

  #record(input: Input, lane: SinkLane, cursor: RecordCursor, snapshot: boolean): void {
    const next = snapshot ? undefined : cursor.offset + 1;
    const event = eventOf(input.decoder, cursor, snapshot);
    if (event instanceof OpenCdnError) {
      this.#refuse(lane, rawOf(cursor, snapshot), event);
      lane.pass(next);
      return;
    }
    this.#views.get(event.topic)?.took(event.slot, event.key, event.value !== null);
    this.#hand({ input, lane, event, next, raw: () => rawOf(cursor, snapshot) });
  }

  /** Tells a view of a key that a snapshot no longer has, as if its tombstone had come. */
  #gone(topic: string, slot: number, key: string): void {
    const input = this.#inputs.get(topic);
    const lane = this.#lanes.get(topic)?.[slot] ?? new SinkLane(topic, slot, undefined);
    if (input === undefined) return;
    const event = new RecordedView();
    const bytes = Buffer.from(key);
    event.topic = topic;
    event.slot = slot;
    event.offset = -1;
    event.timestampMs = Date.now();
    event.eventMs = event.timestampMs;
    event.at(bytes, 0, bytes.length);
    const { timestampMs } = event;
    const raw = { topic, slot, offset: -1, timestampMs, key: bytes, value: Buffer.alloc(0) };
    this.#hand({ input, lane, event, next: undefined, raw: () => raw });
  }

  /** Calls the handler, after that of the event before it of the same key. */
  #hand({ input, lane, event, next, raw: rawNow }: Handing): void {
    const place = `${event.topic}\n${event.key}`;
    const before = this.#byKey.get(place);
    const call = before === undefined ? callOf(input, event) : undefined;
    if (before === undefined && call === undefined) {
      lane.pass(next);
      return;
    }
    const raw = rawNow();
    const finish = lane.take(next);
    this.#inFlight += 1;
    const done = this.#effect({ input, event, before, call }).then((outcome) => {
      if (this.#byKey.get(place) === done) this.#byKey.delete(place);
      if (outcome.kind === "failed") this.#refuse(lane, raw, outcome.error);
      // What failed because the sink is being stopped is left to the next start.
      if (outcome.kind !== "stopped") finish();
      this.#inFlight -= 1;
      this.#wake();
    });
    this.#byKey.set(place, done);
  }

  /** Waits for the event before it of the same key, then for its own effect, which is tried `attempts` times. */
  async #effect({ input, event, before, call }: Effect): Promise<Outcome> {
    const { signal, handlerMs, retryMs, attempts } = this.#options;
    await before;
    let attempt = before === undefined ? call : callOf(input, event);
    for (let made = 1; ; made++) {
      try {
        await within(Promise.resolve(attempt), handlerMs, () => late(event, handlerMs));
        return { kind: "done" };
      } catch (error) {
        if (signal.aborted) return { kind: "stopped" };
        if (made === attempts) return { kind: "failed", error };
      }
      await pause(retryMs, signal);
      if (signal.aborted) return { kind: "stopped" };
      attempt = callOf(input, event);
    }
  }

  #refuse(lane: SinkLane, raw: RawRecord, error: unknown): void {
    const record = { ...raw, code: codeOf(error), message: messageOf(error) };
    lane.refused.push(record);
    this.#refusedBytes += record.value.length;
    this.#options.onRefused(record);
  }

  /** Resolves when something ended, was committed, resumed or stopped. */
  #changed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

interface Handing {
  readonly input: Input;
  readonly lane: SinkLane;
  readonly event: RecordedView;
  /** Position after it. */
  readonly next: number | undefined;
  readonly raw: () => RawRecord;
}

interface Effect {
  readonly input: Input;
  readonly event: RecordedView;
  readonly before: Promise<void> | undefined;
  /** The first attempt, already under way where nothing came before it. */
  readonly call: Promise<void> | undefined;
}

type Outcome =
  | { readonly kind: "done" | "stopped" }
  | { readonly kind: "failed"; readonly error: unknown };

type RawRecord = Omit<RefusedRecord, "code" | "message">;

/** Calls the handler; nothing when it finished at once, and a throw counts as a rejection. */
function callOf(input: Input, event: RecordedView): Promise<void> | undefined {
  try {
    const effect = input.on(event);
    return effect instanceof Promise ? effect : undefined;
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

function late(event: RecordedView, handlerMs: number): OpenCdnError {
  return new OpenCdnError(
    "OCDN_TIMEOUT",
    `handling ${event.key.slice(0, 80)} of ${event.topic}: not acknowledged in ${handlerMs} ms`,
  );
}

/** The event in an object of its own: a handler may keep it while it waits. */
function eventOf(
  decoder: Decoder<unknown>,
  cursor: RecordCursor,
  snapshot: boolean,
): RecordedView | OpenCdnError {
  const event = new RecordedView();
  const { buffer, valueStart, valueEnd, timestampMs } = cursor;
  event.eventMs = timestampMs;
  if (valueStart >= 0) {
    const value = decoder.decodeFrame(buffer, valueStart, valueEnd);
    if (isFailure(value)) {
      return new OpenCdnError("OCDN_UNDECODABLE", `${value.code}: ${value.message}`);
    }
    event.value = value;
    event.eventMs = Math.min((value as { eventMs: number }).eventMs, timestampMs + maxAheadMs);
  }
  event.topic = cursor.topic;
  event.slot = cursor.slot;
  event.offset = snapshot ? -1 : cursor.offset;
  event.timestampMs = timestampMs;
  event.valueStart = valueStart;
  event.at(buffer, cursor.keyStart, cursor.keyEnd);
  return event;
}

function rawOf(cursor: RecordCursor, snapshot: boolean): RawRecord {
  const { topic, slot, buffer, keyStart, keyEnd, valueStart, valueEnd, timestampMs } = cursor;
  return {
    topic,
    slot,
    offset: snapshot ? -1 : cursor.offset,
    timestampMs,
    key: buffer.subarray(keyStart, keyEnd),
    value: valueStart < 0 ? buffer.subarray(0, 0) : buffer.subarray(valueStart, valueEnd),
  };
}
