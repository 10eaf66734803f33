import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import type { AnomalyOptions } from "./config.ts";
import type { Finding } from "./cpu-rule.ts";

/** Times of the newest flaps of one peer and prefix: one more than may be in a window is enough to judge. */
export interface FlapHistory {
  readonly timesMs: readonly number[];
  /** Time of the timer under way; 0 for none. */
  readonly timerMs: number;
}

export const noFlapHistory: FlapHistory = { timesMs: [], timerMs: 0 };

/** Avro shape of `FlapHistory`: about 100 bytes for a route that flaps all the time. */
export const flapHistorySchema: EventSchema<FlapHistory> = defineSchema<FlapHistory>(
  JSON.stringify({
    type: "record",
    name: "FlapHistory",
    namespace: "opencdn.anomaly",
    fields: [
      { name: "timesMs", type: { type: "array", items: "long" } },
      { name: "timerMs", type: "long" },
    ],
  }),
);

/** The history with one flap more. */
export function withFlap(history: FlapHistory, atMs: number, options: AnomalyOptions): FlapHistory {
  const times = [...history.timesMs, atMs].sort((a, b) => a - b);
  const newest = times.at(-1) as number;
  const kept = times.filter((time) => time > newest - options.flapWindowMs);
  return { ...history, timesMs: kept.slice(-(options.flapsPerWindow + 1)) };
}

/** What is left of the sliding window (atMs - 60 s, atMs]. */
export function flapsAt(history: FlapHistory, atMs: number, options: AnomalyOptions): FlapHistory {
  const timesMs = history.timesMs.filter((time) => time > atMs - options.flapWindowMs);
  return { ...history, timesMs };
}

/** More than 10 flaps in the window fires, on the 11th at once; everything else resolves. */
export function judgeFlaps(history: FlapHistory, options: AnomalyOptions): Finding {
  const value = history.timesMs.length;
  return { verdict: value > options.flapsPerWindow ? "fire" : "resolve", value, samples: value };
}
