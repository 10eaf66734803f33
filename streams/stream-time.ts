import { maxAheadMs, maxIdleStepMs } from "./limits.ts";
import type { PackedStore } from "./store.ts";

const key = new TextEncoder().encode("time");

/**
 * The times of one task: `streamMs` for each input, and ticks. Written to a store at every commit, so that a restart
 * and a replay go on with the same times.
 */
export class StreamTime {
  readonly #streamMs: Float64Array;
  /** Tick at the last record of each input: what silence is measured from. */
  readonly #heardMs: Float64Array;
  tickMs = 0;
  tickCount = 0;
  /** Highest time of any cause so far. */
  latestMs = 0;
  /** Records whose time was clamped since the process began. */
  clamped = 0;

  constructor(inputs: number) {
    this.#streamMs = new Float64Array(inputs);
    this.#heardMs = new Float64Array(inputs);
  }

  streamMs(input: number): number {
    return this.#streamMs[input] as number;
  }

  /** The record's time, at most 60 s after its ingestion. */
  clamp(eventMs: number, timestampMs: number): number {
    const latest = timestampMs + maxAheadMs;
    if (eventMs <= latest) return eventMs;
    this.clamped += 1;
    return latest;
  }

  latest(eventMs: number): void {
    if (eventMs > this.latestMs) this.latestMs = eventMs;
  }

  hear(input: number, eventMs: number): void {
    if (eventMs > (this.#streamMs[input] as number)) this.#streamMs[input] = eventMs;
    this.#heardMs[input] = this.tickMs;
  }

  /** Moves the tick and returns the elapsed time; 0 for the first tick. */
  tick(nowMs: number): number {
    const first = this.tickCount === 0;
    const before = this.tickMs;
    this.tickMs = Math.max(before, nowMs);
    this.tickCount += 1;
    if (first) {
      this.#heardMs.fill(this.tickMs);
      return 0;
    }
    return this.tickMs - before;
  }

  /** Advances an input that has been silent for `idleMs`; false when it is not idle. */
  advanceIdle(input: number, elapsedMs: number, idleMs: number): boolean {
    const silentMs = this.tickMs - (this.#heardMs[input] as number);
    if (silentMs < idleMs) return false;
    // An input that was never heard begins at the latest time that the task knows of.
    const streamMs = (this.#streamMs[input] as number) || this.latestMs;
    this.#streamMs[input] = streamMs + Math.min(elapsedMs, maxIdleStepMs);
    return true;
  }

  save(store: PackedStore): void {
    const inputs = this.#streamMs.length;
    const bytes = new Uint8Array(24 + inputs * 16);
    const view = new DataView(bytes.buffer);
    view.setFloat64(0, this.tickMs, true);
    view.setFloat64(8, this.tickCount, true);
    view.setFloat64(16, this.latestMs, true);
    for (let i = 0; i < inputs; i++) {
      view.setFloat64(24 + i * 16, this.#streamMs[i] as number, true);
      view.setFloat64(32 + i * 16, this.#heardMs[i] as number, true);
    }
    store.put(key, 0, key.length, bytes, 0, bytes.length);
  }

  load(store: PackedStore): void {
    this.tickMs = 0;
    this.tickCount = 0;
    this.latestMs = 0;
    this.#streamMs.fill(0);
    this.#heardMs.fill(0);
    if (!store.find(key, 0, key.length)) return;
    const view = new DataView(
      store.bytes.buffer,
      store.bytes.byteOffset + store.valueStart,
      store.valueEnd - store.valueStart,
    );
    this.tickMs = view.getFloat64(0, true);
    this.tickCount = view.getFloat64(8, true);
    this.latestMs = view.getFloat64(16, true);
    const inputs = Math.min(this.#streamMs.length, Math.floor((view.byteLength - 24) / 16));
    for (let i = 0; i < inputs; i++) {
      this.#streamMs[i] = view.getFloat64(24 + i * 16, true);
      this.#heardMs[i] = view.getFloat64(32 + i * 16, true);
    }
  }
}
