import { Decoder } from "../schemas/codec.ts";
import { isFailure } from "../schemas/failure.ts";
import { RecordCursor } from "./chunk.ts";
import { OpenCdnError } from "./errors.ts";
import { keyText } from "./identity.ts";
import type { Log } from "./log.ts";
import type { Topic } from "./topic.ts";

/** Longest wait for a table's snapshot. */
const defaultTimeoutMs = 30_000;

/**
 * A table's latest values by key, as the log has them now. Values that cannot be decoded are left out. Throws
 * OCDN_TIMEOUT when the snapshot does not come in time.
 */
export async function readTable<T>(
  log: Log,
  topic: Topic<T>,
  timeoutMs: number = defaultTimeoutMs,
): Promise<Map<string, T>> {
  const decoder = new Decoder(topic.schema, log.schemas);
  const values = new Map<string, T>();
  const cursor = new RecordCursor();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      follower.close();
      reject(
        new OpenCdnError("OCDN_TIMEOUT", `reading ${topic.name}: no answer in ${timeoutMs} ms`),
      );
    }, timeoutMs);
    const follower = log.follow({
      topics: [topic.name],
      from: "snapshot",
      onChunk: (chunk) => {
        cursor.open(chunk);
        while (cursor.next()) {
          const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
          const key = keyText(buffer, keyStart, keyEnd);
          const value =
            valueStart < 0 ? undefined : decoder.decodeFrame(buffer, valueStart, valueEnd);
          if (value === undefined || isFailure(value)) values.delete(key);
          else values.set(key, value);
        }
      },
      onCaughtUp: () => {
        clearTimeout(timer);
        // The follower may call this before `follow` returned it.
        queueMicrotask(() => follower.close());
        resolve();
      },
    });
  });
  return values;
}
