import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import { keyText } from "../../streams/identity.ts";
import type { Log } from "../../streams/log.ts";
import { topicByName } from "../../streams/topics.ts";
import { note, print, printJson } from "../output.ts";

export interface TailOptions {
  readonly from: "latest" | "earliest" | "snapshot";
  /** Ends after this many records; undefined: goes on until it is stopped. */
  readonly limit: number | undefined;
  /** Ends at the end of the log instead of waiting for more. */
  readonly once: boolean;
  readonly key: string | undefined;
  readonly json: boolean;
}

/** `opencdn tail TOPIC`: prints records as they come. */
export async function tailTopic(log: Log, name: string, options: TailOptions): Promise<void> {
  const topic = topicByName(name);
  const decoder = new Decoder(topic.schema, log.schemas);
  const cursor = new RecordCursor();
  let printed = 0;
  await new Promise<void>((resolve) => {
    let ended = false;
    const end = (): void => {
      ended = true;
      queueMicrotask(() => follower.close());
      resolve();
    };
    const follower = log.follow({
      topics: [topic.name],
      from: options.from,
      onChunk: (chunk, snapshot) => {
        cursor.open(chunk);
        while (cursor.next() && printed < (options.limit ?? Number.POSITIVE_INFINITY)) {
          const { buffer, keyStart, keyEnd, valueStart, valueEnd, slot, offset, timestampMs } =
            cursor;
          const key = keyText(buffer, keyStart, keyEnd);
          if (options.key !== undefined && key !== options.key) continue;
          const value = valueStart < 0 ? null : decoder.decodeFrame(buffer, valueStart, valueEnd);
          const place = snapshot ? { slot } : { slot, offset };
          printRecord({ ...place, timestampMs, key, value }, options.json);
          printed += 1;
        }
        if (printed >= (options.limit ?? Number.POSITIVE_INFINITY)) end();
      },
      onCaughtUp: () => {
        if (options.once) end();
      },
      onDropped: (count) => note(`${count} records were skipped: the reader was too slow`),
      onState: (connected) => {
        if (!connected && !ended) note("the engine is away, waiting for it");
      },
    });
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  });
}

interface TailRecord {
  readonly slot: number;
  readonly offset?: number;
  readonly timestampMs: number;
  readonly key: string;
  readonly value: unknown;
}

function printRecord(record: TailRecord, json: boolean): void {
  const value = isFailure(record.value)
    ? { undecodable: `${record.value.code}: ${record.value.message}` }
    : record.value;
  if (json) {
    printJson({ ...record, value });
    return;
  }
  const place = record.offset === undefined ? `${record.slot}` : `${record.slot}:${record.offset}`;
  const time = new Date(record.timestampMs).toISOString();
  print(`${time} ${place} ${record.key} ${value === null ? "(removed)" : textOf(value)}`);
}

/** The event without its id, as one line of JSON; bytes as hexadecimal digits. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (key, entry: unknown) => {
    if (key === "eventId") return undefined;
    const bytes = entry as { type?: unknown; data?: number[] } | null;
    if (bytes?.type === "Buffer" && bytes.data !== undefined) {
      return Buffer.from(bytes.data).toString("hex");
    }
    return entry;
  });
}
