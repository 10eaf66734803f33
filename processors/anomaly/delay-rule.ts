import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import type { AnomalyOptions } from "./config.ts";
import type { Finding } from "./cpu-rule.ts";

/** Delays of one second between two countries. */
export interface DelayPane {
  readonly second: number;
  readonly total: number;
  /** How many were over the threshold: the rule is exact, whatever the histogram rounds. */
  readonly above: number;
  /** A sparse histogram: bucket numbers, ascending, and their counts. */
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
}

/** Panes of the last window, by second. */
export interface DelayHistory {
  readonly panes: readonly DelayPane[];
  /** Time of the timer under way; 0 for none. */
  readonly timerMs: number;
}

export const noDelayHistory: DelayHistory = { panes: [], timerMs: 0 };

/** Avro shape of `DelayHistory`. */
export const delayHistorySchema: EventSchema<DelayHistory> = defineSchema<DelayHistory>(
  JSON.stringify({
    type: "record",
    name: "DelayHistory",
    namespace: "opencdn.anomaly",
    fields: [
      {
        name: "panes",
        type: {
          type: "array",
          items: {
            type: "record",
            name: "DelayPane",
            fields: [
              { name: "second", type: "long" },
              { name: "total", type: "int" },
              { name: "above", type: "int" },
              { name: "buckets", type: { type: "array", items: "int" } },
              { name: "counts", type: { type: "array", items: "int" } },
            ],
          },
        },
      },
      { name: "timerMs", type: "long" },
    ],
  }),
);

/** Buckets to a doubling of the delay: each is 2.2 % wide. */
const bucketsPerOctave = 32;
/** Delays from 1 ms to 2^20 ms have buckets of their own. */
const maxBucket = 20 * bucketsPerOctave;

function bucketOf(delayMs: number): number {
  if (delayMs <= 1) return 0;
  return Math.min(maxBucket, Math.round(Math.log2(delayMs) * bucketsPerOctave));
}

/** The history with one delay more; what lies before the window of the newest is dropped. */
export function withDelay(
  history: DelayHistory,
  atMs: number,
  delayMs: number,
  options: AnomalyOptions,
): DelayHistory {
  const second = Math.floor(atMs / 1_000);
  const newest = Math.max(second, history.panes.at(-1)?.second ?? second);
  const panes = [...inWindow(history.panes, newest, options)];
  if (!isInWindow(second, newest, options)) return { ...history, panes };
  let at = panes.length;
  while (at > 0 && (panes[at - 1] as DelayPane).second > second) at -= 1;
  const before = panes[at - 1];
  const above = delayMs > options.delayMs ? 1 : 0;
  const bucket = bucketOf(delayMs);
  if (before?.second === second) panes[at - 1] = plus(before, bucket, above);
  else panes.splice(at, 0, { second, total: 1, above, buckets: [bucket], counts: [1] });
  return { ...history, panes };
}

/** What is left of the window when its end is `atMs`. */
export function delaysAt(
  history: DelayHistory,
  atMs: number,
  options: AnomalyOptions,
): DelayHistory {
  return { ...history, panes: inWindow(history.panes, Math.floor(atMs / 1_000), options) };
}

/**
 * P95 over 500 ms in the last minute with at least 20 samples fires; everything else resolves. By nearest rank
 * the quantile q of n values is over the threshold exactly when more than n - ceil(q n) of them are.
 */
export function judgeDelay(history: DelayHistory, options: AnomalyOptions): Finding {
  let total = 0;
  let above = 0;
  for (const pane of history.panes) {
    total += pane.total;
    above += pane.above;
  }
  const rank = Math.ceil(options.delayQuantile * total - 1e-9);
  const fires = total >= options.delayMinSamples && above > total - rank;
  return {
    verdict: fires ? "fire" : "resolve",
    // Added up only for an alert: every sample is judged, and few fire or resolve one.
    get value(): number {
      return total === 0 ? 0 : quantile(history.panes, rank);
    },
    samples: total,
  };
}

function isInWindow(second: number, newest: number, options: AnomalyOptions): boolean {
  return second > newest - options.delayWindowMs / 1_000;
}

function inWindow(
  panes: readonly DelayPane[],
  newest: number,
  options: AnomalyOptions,
): readonly DelayPane[] {
  return panes.filter((pane) => isInWindow(pane.second, newest, options));
}

function plus(pane: DelayPane, bucket: number, above: number): DelayPane {
  const buckets = [...pane.buckets];
  const counts = [...pane.counts];
  let at = buckets.length;
  while (at > 0 && (buckets[at - 1] as number) > bucket) at -= 1;
  if (buckets[at - 1] === bucket) counts[at - 1] = (counts[at - 1] as number) + 1;
  else {
    buckets.splice(at, 0, bucket);
    counts.splice(at, 0, 1);
  }
  return {
    second: pane.second,
    total: pane.total + 1,
    above: pane.above + above,
    buckets,
    counts,
  };
}

/** The delay of this rank (1-based), to the width of a bucket. */
function quantile(panes: readonly DelayPane[], rank: number): number {
  const counts = new Float64Array(maxBucket + 1);
  for (const pane of panes) {
    pane.buckets.forEach((bucket, index) => {
      counts[bucket] = (counts[bucket] as number) + (pane.counts[index] as number);
    });
  }
  let seen = 0;
  for (let bucket = 0; bucket <= maxBucket; bucket++) {
    seen += counts[bucket] as number;
    if (seen >= rank) return 2 ** (bucket / bucketsPerOctave);
  }
  return 0;
}
