import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import type { NodeMetrics } from "../../schemas/generated/events.ts";
import type { AnomalyOptions } from "./config.ts";
import { type CpuSample, withCpuSample } from "./cpu-rule.ts";
import { type SessionCounts, withSessions } from "./reconnect-rule.ts";

/** What the rules remember of one node's metrics. */
export interface NodeHistory {
  readonly lastMs: number;
  /** Time of the timer under way; 0 for none. */
  readonly timerMs: number;
  readonly sinceSlot: number;
  readonly samples: readonly CpuSample[];
  readonly sessions: readonly SessionCounts[];
}

export const noNodeHistory: NodeHistory = {
  lastMs: 0,
  timerMs: 0,
  sinceSlot: 0,
  samples: [],
  sessions: [],
};

/** Avro shape of `NodeHistory`. */
export const nodeHistorySchema: EventSchema<NodeHistory> = defineSchema<NodeHistory>(
  JSON.stringify({
    type: "record",
    name: "NodeHistory",
    namespace: "opencdn.anomaly",
    fields: [
      { name: "lastMs", type: "long" },
      { name: "timerMs", type: "long" },
      { name: "sinceSlot", type: "long" },
      {
        name: "samples",
        type: {
          type: "array",
          items: {
            type: "record",
            name: "CpuSample",
            fields: [
              { name: "slot", type: "long" },
              { name: "low", type: "double" },
              { name: "high", type: "double" },
            ],
          },
        },
      },
      {
        name: "sessions",
        type: {
          type: "array",
          items: {
            type: "record",
            name: "SessionCounts",
            fields: [
              { name: "atMs", type: "long" },
              { name: "connects", type: "int" },
              { name: "reconnects", type: "int" },
            ],
          },
        },
      },
    ],
  }),
);

/** The history after one record of metrics. */
export function withMetrics(
  history: NodeHistory,
  atMs: number,
  metrics: Pick<NodeMetrics, "cpuRatio" | "connects" | "reconnects">,
  options: AnomalyOptions,
): NodeHistory {
  const counts = { atMs, connects: metrics.connects, reconnects: metrics.reconnects };
  return {
    ...history,
    ...withCpuSample(history, atMs, metrics.cpuRatio, options),
    lastMs: Math.max(history.lastMs, atMs),
    sessions: withSessions(history.sessions, counts, options),
  };
}
