import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import { keyed, type Processor } from "../../streams/processor.ts";
import { recordStoreSpec } from "../../streams/store.ts";
import { alerts, nodeMetrics } from "../../streams/topics.ts";

interface Streak {
  readonly samples: number;
  readonly startedMs: number;
}

const streakSchema: EventSchema<Streak> = defineSchema<Streak>(
  JSON.stringify({
    type: "record",
    name: "Streak",
    namespace: "opencdn.example",
    fields: [
      { name: "samples", type: "int" },
      { name: "startedMs", type: "long" },
    ],
  }),
);
const streaks = recordStoreSpec("streaks", streakSchema);

const thresholdRatio = 0.9;
const wantedSamples = 3;

/** The example of docs/guides/writing-a-processor.md: memory over 90 % in three samples in a row is an alert. */
export function memoryProcessor(): Processor {
  return {
    name: "memory",
    logicVersion: 1,
    inputs: [
      keyed(nodeMetrics, ({ key, value, eventMs }, context) => {
        const store = context.records(streaks);
        if (value === null || value.memoryRatio <= thresholdRatio) {
          store.delete(key);
          return;
        }
        const before = store.get(key) ?? { samples: 0, startedMs: eventMs };
        const streak = { ...before, samples: before.samples + 1 };
        store.put(key, streak);
        if (streak.samples !== wantedSamples) return;
        context.emit(alerts, `node-memory|${key}`, {
          rule: "node-memory",
          subject: key,
          state: "FIRING",
          severity: "WARNING",
          startedMs: streak.startedMs,
          resolvedMs: 0,
          value: value.memoryRatio,
          threshold: thresholdRatio,
          unit: "ratio",
          samples: streak.samples,
          summary: `Memory of node ${key} is at ${Math.round(value.memoryRatio * 100)} %.`,
        });
      }),
    ],
    outputs: [alerts],
    stores: [streaks],
  };
}
