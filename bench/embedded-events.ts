import { defineSchema, type EventSchema } from "../schemas/event-schema.ts";
import { edgeEventSchema } from "../schemas/generated/events.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import { RecordBatch } from "../streams/batch.ts";
import { keyed, type Processor } from "../streams/processor.ts";
import { SourceWriter } from "../streams/source-writer.ts";
import type { Topic } from "../streams/topic.ts";
import { edgeEvents } from "../streams/topics.ts";
import { Summary } from "../streams/windows/summary.ts";
import { tumbling } from "../streams/windows/tumbling.ts";

export const windowMs = 60_000;
export const startMs = 1_700_000_040_000;
const keys = 10_000;
const eventsPerBatch = 5_000;

interface WindowClosed {
  readonly eventId: Uint8Array;
  readonly eventMs: number;
  readonly logicVersion: number;
  readonly key: string;
  readonly startMs: number;
  readonly count: number;
  readonly mean: number;
}

const { fields } = JSON.parse(edgeEventSchema.json) as { fields: object[] };
const windowSchema: EventSchema<WindowClosed> = defineSchema(
  JSON.stringify({
    type: "record",
    name: "WindowClosed",
    namespace: "bench",
    fields: [
      ...fields.slice(0, 3),
      { name: "key", type: "string" },
      { name: "startMs", type: "long" },
      { name: "count", type: "long" },
      { name: "mean", type: "double" },
    ],
  }),
);

export const windows: Topic<WindowClosed> = {
  name: "bench.windows.v1",
  kind: "stream",
  slotPart: "whole",
  schema: windowSchema,
  doc: "Closed windows.",
};

/** Count and mean of the duration, by session and minute. */
export function windowProcessor(): Processor {
  const minute = tumbling({
    name: "minute",
    input: edgeEvents,
    sizeMs: windowMs,
    summary: new Summary(),
    onClose: ({ key, startMs: start, count, mean }, context) => {
      context.emit(windows, key, { key, startMs: start, count, mean });
    },
  });
  return {
    name: "minute",
    logicVersion: 1,
    inputs: [
      keyed(edgeEvents, ({ keyBytes, keyStart, keyEnd, eventMs, value }, context) => {
        if (value !== null)
          minute.add(context, keyBytes, keyStart, keyEnd, eventMs, value.durationMs);
      }),
    ],
    outputs: [windows],
    stores: minute.stores,
    onTimer: (key, atMs, context) => {
      minute.onTimer(key, atMs, context);
    },
  };
}

/** `count` events of about 200 bytes, one a second from each of 10,000 keys, in packed batches; the last ones close all windows. */
export function makeBatches(
  count: number,
  log: { readonly logId: string; readonly slots: number; readonly schemas: SchemaTable },
): { readonly batches: RecordBatch[]; readonly valueBytes: number } {
  const writer = new SourceWriter(log, "bench");
  const batches: RecordBatch[] = [];
  let sizeBytes = 0;
  const add = (
    batch: RecordBatch,
    key: string,
    eventMs: number,
    durationMs: number,
    at: number,
  ): void => {
    writer.add(
      batch,
      edgeEvents,
      key,
      {
        sessionId: key,
        action: "REQUESTED",
        gatewayId: "edge-frankfurt-1",
        nodeId: "FRA",
        serviceId: "video-on-demand",
        cell: "DE/hesse/3320",
        block: "198.51.100.0/24",
        decisionVersion: 1_234_567,
        overlaySequence: 314,
        geoHash: "0123456789abcdef",
        reason: "FRACTION",
        status: 200,
        bytesSent: 1_048_576 + (at % 1_000),
        durationMs,
        stale: false,
        synthetic: true,
      },
      eventMs,
      String(at),
    );
  };
  for (let i = 0; i < count; ) {
    const batch = new RecordBatch();
    for (let j = 0; j < eventsPerBatch && i < count; j++, i++) {
      const key = `session-${String((i * 7_919) % keys).padStart(30, "0")}`;
      add(batch, key, startMs + Math.floor((1_000 * i) / keys), (i % 997) / 8, i);
    }
    sizeBytes += batch.sizeBytes;
    batches.push(batch);
  }
  // One late event a slot moves the stream time past every window; found by trying keys.
  const closing = new RecordBatch();
  for (let i = 0; i < 64 * log.slots; i++)
    add(closing, `closing-${i}`, startMs + 10 * windowMs, 0, count + i);
  batches.push(closing);
  return { batches, valueBytes: sizeBytes / count };
}
