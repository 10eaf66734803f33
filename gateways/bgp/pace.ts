import type { BgpUpdate } from "../../schemas/generated/events.ts";
import type { SourceBatch, SourceEvent } from "../../streams/source.ts";
import { batchOf } from "./event-batches.ts";

/** The wall clock, so that tests can be their own. */
export interface Clock {
  /** Ms since the epoch. */
  now(): number;
  /** Resolves after so many ms, or at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Events of one moment come together; a smaller gap is not waited for. */
const GRAIN_MS = 5;
/** Longest single wait, so that an abort and a changed clock are noticed. */
const LONGEST_WAIT_MS = 1_000;

/**
 * Event times of a recording that is played from now on: the first one is `now()`, and gaps are
 * divided by `speed`.
 */
export function rebasedTimes(now: () => number, speed: number): (recordMs: number) => number {
  let firstMs = Number.NaN;
  let startMs = 0;
  return (recordMs) => {
    if (Number.isNaN(firstMs)) {
      firstMs = recordMs;
      startMs = now();
    }
    return Math.round(startMs + (recordMs - firstMs) / speed);
  };
}

/** Gives out the events of a batch when their time has come, in as many batches as that takes. */
export async function* paced(
  batch: SourceBatch,
  clock: Clock,
  signal?: AbortSignal,
): AsyncGenerator<SourceBatch> {
  const events = batch.events as unknown as readonly SourceEvent<BgpUpdate>[];
  let from = 0;
  while (from < events.length) {
    const dueMs = (events[from] as SourceEvent<BgpUpdate>).eventMs;
    for (let left = dueMs - clock.now(); left > GRAIN_MS; left = dueMs - clock.now()) {
      await clock.sleep(Math.min(left, LONGEST_WAIT_MS), signal);
      if (signal?.aborted === true) return;
    }
    const limitMs = clock.now() + GRAIN_MS;
    let to = from + 1;
    while (to < events.length && (events[to] as SourceEvent<BgpUpdate>).eventMs <= limitMs) to++;
    if (to === events.length) break;
    yield batchOf(events.slice(from, to));
    from = to;
  }
  yield from === 0 ? batch : batchOf(events.slice(from), batch.position);
}
