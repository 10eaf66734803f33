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
const claimId = "opencdn.log.identity";
const maxIdentityBytes = 4_096;
const readMs = 20_000;
/** A claim whose process died ends by itself before a reader gives up on it. */
const claimMs = 10_000;
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

/** The identity that stands on the cluster, undefined where none was committed. Waits at most 20 s. */
export async function readIdentity(cluster: Cluster): Promise<LogIdentity | undefined> {
  if (!(await cluster.topicNames()).has(identityTopic)) return undefined;
  const [end] = await cluster.ends(identityTopic);
  if (end === undefined || end.endOffset === end.startOffset) return undefined;
  const groupId = `opencdn-identity-${randomUUID()}`;
  const bytes = await lastRecord(cluster, groupId, end.endOffset);
  await cluster
    .run("removing a reader's group", (admin) => admin.deleteGroups([groupId]))
    .catch(() => undefined);
  return bytes === undefined ? undefined : parseIdentity(bytes);
}

/** Value of the last committed record; undefined where every transaction was aborted. */
async function lastRecord(
  cluster: Cluster,
  groupId: string,
  endOffset: bigint,
): Promise<Uint8Array | null | undefined> {
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
      const found = new Promise<Uint8Array | null | undefined>((resolve, reject) => {
        let last: Uint8Array | null | undefined;
        consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
        // Markers of transactions take offsets and are no messages, so the end shows by batches.
        consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
          if (BigInt(payload.lastOffset) >= endOffset - 1n) resolve(last);
        });
        const eachMessage = ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
          last = message.value;
          return Promise.resolve();
        };
        consumer.run({ autoCommit: false, eachMessage }).catch(reject);
      });
      return await within(found, readMs, late);
    });
  } finally {
    await within(consumer.disconnect(), 5_000, late).catch(() => undefined);
  }
}

/**
 * Writes the identity where there is none yet, and gives the one that stands. One transactional id for everybody: who
 * begins later fences who began before, and looks only after that one's transaction has ended; so there is never a
 * second identity. Throws OCDN_FENCED for the one that was fenced.
 */
export async function claimIdentity(cluster: Cluster, wanted: LogIdentity): Promise<LogIdentity> {
  const producer = cluster.kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId: claimId,
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: claimMs,
  });
  const doing = "writing the log's identity";
  try {
    await cluster.run(doing, () => producer.connect());
    // kafkajs takes its epoch, which fences the others, with the transaction and not with the connection.
    const transaction = await cluster.run(doing, () => producer.transaction());
    const present = await readIdentity(cluster);
    if (present !== undefined) {
      await cluster.run(doing, () => transaction.abort());
      return present;
    }
    await cluster.run(doing, async () => {
      await transaction.send({
        topic: identityTopic,
        acks: -1,
        messages: [{ key: identityKey, value: JSON.stringify(wanted), partition: 0 }],
      });
      await transaction.commit();
    });
    return wanted;
  } finally {
    const late = (): Error => new Error("late");
    await within(producer.disconnect(), 5_000, late).catch(() => undefined);
  }
}
