import { randomUUID } from "node:crypto";
import { Partitioners } from "kafkajs";
import { z } from "zod";
import { within } from "../backoff.ts";
import { OpenCdnError } from "../errors.ts";
import { maxSlots } from "../limits.ts";
import type { Cluster } from "./cluster.ts";
import { identityTopic } from "./topic-plan.ts";

/** Format of what stands on the topics of a Kafka log; raised when an older program could not read it. */
export const kafkaLogFormat: number = 1;

/** Which log a cluster holds: JSON under the key `log` of `opencdn.log.v1`. */
export interface LogIdentity {
  readonly logId: string;
  readonly slots: number;
  readonly format: number;
}

const identityKey = "log";
const maxIdentityBytes = 4_096;
const readMs = 20_000;
const identitySchema: z.ZodType<LogIdentity> = z.object({
  logId: z.string().regex(/^[A-Za-z0-9._-]{1,128}$/),
  slots: z.number().int().min(1).max(maxSlots),
  format: z.number().int().min(1),
});

/** The identity in the bytes of a record. Throws OCDN_BAD_INPUT; OCDN_FOLDER_NEWER for a newer format. */
export function parseIdentity(bytes: Uint8Array | null): LogIdentity {
  const doing = `reading the log's identity on ${identityTopic}`;
  const bad = (reason: string): OpenCdnError =>
    new OpenCdnError("OCDN_BAD_INPUT", `${doing}: ${reason}`);
  if (bytes === null || bytes.length === 0) throw bad("it was removed");
  if (bytes.length > maxIdentityBytes) throw bad(`a record of ${bytes.length} bytes`);
  let raw: unknown;
  try {
    raw = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    throw bad("it is no JSON");
  }
  const checked = identitySchema.safeParse(raw);
  if (!checked.success) throw bad("logId, slots or format is not valid");
  if (checked.data.format > kafkaLogFormat)
    throw new OpenCdnError(
      "OCDN_FOLDER_NEWER",
      `${doing}: format ${checked.data.format} is newer than ${kafkaLogFormat}; update this program`,
    );
  const { logId, slots, format } = checked.data;
  return { logId, slots, format };
}

/** The identity that stands on the cluster, undefined where none was written. Waits at most 20 s. */
export async function readIdentity(cluster: Cluster): Promise<LogIdentity | undefined> {
  const [present] = await cluster.topics([identityTopic]);
  if (present === undefined) return undefined;
  const [end] = await cluster.ends(identityTopic);
  if (end === undefined || end.endOffset === end.startOffset) return undefined;
  const groupId = `opencdn-identity-${randomUUID()}`;
  const bytes = await lastRecord(cluster, groupId, end.endOffset);
  await cluster
    .run("removing a reader's group", (admin) => admin.deleteGroups([groupId]))
    .catch(() => undefined);
  return parseIdentity(bytes);
}

/** Value of the record before `endOffset`: compaction never removes the newest. */
async function lastRecord(
  cluster: Cluster,
  groupId: string,
  endOffset: bigint,
): Promise<Uint8Array | null> {
  const consumer = cluster.kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    readUncommitted: false,
    maxWaitTimeInMs: 100,
    maxBytes: 1_048_576,
  });
  const late = (): OpenCdnError =>
    new OpenCdnError("OCDN_TIMEOUT", `reading ${identityTopic}: nothing within ${readMs} ms`);
  try {
    return await cluster.run("reading the log's identity", async () => {
      await consumer.connect();
      await consumer.subscribe({ topics: [identityTopic], fromBeginning: true });
      const found = new Promise<Uint8Array | null>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
        consumer
          .run({
            autoCommit: false,
            eachMessage: async ({ message }) => {
              if (BigInt(message.offset) >= endOffset - 1n) resolve(message.value);
            },
          })
          .catch(reject);
      });
      return await within(found, readMs, late);
    });
  } finally {
    await within(consumer.disconnect(), 5_000, late).catch(() => undefined);
  }
}

/** Writes the identity, acknowledged by all copies. */
export async function writeIdentity(cluster: Cluster, identity: LogIdentity): Promise<void> {
  const producer = cluster.kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  const value = JSON.stringify(identity);
  try {
    await cluster.run("writing the log's identity", async () => {
      await producer.connect();
      await producer.send({
        topic: identityTopic,
        acks: -1,
        messages: [{ key: identityKey, value, partition: 0 }],
      });
    });
  } finally {
    const late = (): Error => new Error("late");
    await within(producer.disconnect(), 5_000, late).catch(() => undefined);
  }
}
