import {
  defaultRetentionMs,
  maxKeyBytes,
  maxRecordBytes,
  maxRecordBytesOf,
  maxSlots,
} from "../limits.ts";
import type { Topic } from "../topic.ts";
import { allTopics } from "../topics.ts";
import { batchOverheadBytes, kafkaBatchBytes } from "./limits.ts";

/** Empty topic whose partitions are the slots: groups subscribe to it to share them out. */
export const slotsTopic: string = "opencdn.slots.v1";
/** Table of one record that says which log this cluster holds. */
export const identityTopic: string = "opencdn.log.v1";

/** A topic as it should be on the cluster. */
export interface WantedTopic {
  readonly topic: string;
  readonly partitions: number;
  /** True when the partitions are the log's slots, which never change. */
  readonly slotted: boolean;
  readonly replicationFactor: number;
  /** Settings that the code owns; others are left as they are. */
  readonly config: Readonly<Record<string, string>>;
}

/** A topic as it is on the cluster. */
export interface FoundTopic {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Settings in force, defaults too. */
  readonly config: Readonly<Record<string, string>>;
  /** Those of `config` that were set on this topic itself. */
  readonly own: Readonly<Record<string, string>>;
}

export interface TopicPlanOptions {
  /** Slots of the log, 1..1,024. */
  readonly slots: number;
  readonly replicationFactor: number;
  /** How long streams are kept and tables are not compacted, ms: the replay horizon. */
  readonly retentionMs?: number;
}

/**
 * Every topic that the log needs, in the order in which they are made: the slots first, because they fix what all
 * others must have; then the log's identity; then the catalogue. Throws RangeError for a slot count that no log has.
 */
export function planTopics(options: TopicPlanOptions): readonly WantedTopic[] {
  const { slots, replicationFactor, retentionMs = defaultRetentionMs } = options;
  if (!Number.isInteger(slots) || slots < 1 || slots > maxSlots) {
    throw new RangeError(`planning topics: a log has 1 to ${maxSlots} slots, not ${slots}`);
  }
  const shared = {
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": replicationFactor >= 3 ? "2" : "1",
    "unclean.leader.election.enable": "false",
  };
  const stream = { "cleanup.policy": "delete", "retention.ms": String(retentionMs), ...shared };
  // Tombstones outlive the horizon too: a follower that was away for it still sees what left a table.
  const table = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": String(retentionMs),
    "delete.retention.ms": String(retentionMs),
    ...shared,
  };
  const slotted = (name: string, config: Readonly<Record<string, string>>): WantedTopic => ({
    topic: name,
    partitions: slots,
    slotted: true,
    replicationFactor,
    config: { ...config, "max.message.bytes": String(batchBytesOf(name)) },
  });
  return [
    slotted(slotsTopic, stream),
    {
      topic: identityTopic,
      partitions: 1,
      slotted: false,
      replicationFactor,
      config: { "cleanup.policy": "compact", ...shared },
    },
    ...allTopics.map((topic: Topic<unknown>) =>
      slotted(topic.name, topic.kind === "table" ? table : stream),
    ),
  ];
}

/** Largest batch of a topic: it must hold the largest record, and whatever a producer puts together by default. */
export function batchBytesOf(topic: string): number {
  return Math.max(kafkaBatchBytes, maxRecordBytesOf(topic) + maxKeyBytes + batchOverheadBytes);
}

/** One way in which the cluster is not as the code wants it. */
export type TopicDifference =
  | { readonly kind: "missing"; readonly topic: string; readonly wanted: WantedTopic }
  | {
      readonly kind: "partitions" | "replication";
      readonly topic: string;
      readonly wanted: number;
      readonly found: number;
    }
  | {
      readonly kind: "config";
      readonly topic: string;
      readonly name: string;
      readonly wanted: string;
      readonly found: string | undefined;
    };

/** Where `found` differs from `wanted`, in the order of `wanted`. Topics that nobody wanted are not looked at. */
export function diffTopics(
  wanted: readonly WantedTopic[],
  found: readonly FoundTopic[],
): TopicDifference[] {
  const present = new Map(found.map((entry) => [entry.topic, entry]));
  return wanted.flatMap((want): TopicDifference[] => {
    const { topic } = want;
    const is = present.get(topic);
    if (is === undefined) return [{ kind: "missing", topic, wanted: want }];
    const differences: TopicDifference[] = [];
    if (is.partitions !== want.partitions)
      differences.push({
        kind: "partitions",
        topic,
        wanted: want.partitions,
        found: is.partitions,
      });
    if (is.replicationFactor !== want.replicationFactor)
      differences.push({
        kind: "replication",
        topic,
        wanted: want.replicationFactor,
        found: is.replicationFactor,
      });
    for (const [name, value] of Object.entries(want.config)) {
      const found = is.config[name];
      if (found !== value) differences.push({ kind: "config", topic, name, wanted: value, found });
    }
    return differences;
  });
}

/** True for what `apply` may not do: it needs a person, a migration or a reassignment. */
export function isRefused(difference: TopicDifference): boolean {
  return difference.kind === "partitions" || difference.kind === "replication";
}

/** A difference as one line. */
export function describeDifference(difference: TopicDifference): string {
  const { topic } = difference;
  switch (difference.kind) {
    case "missing":
      return `${topic} is missing (${difference.wanted.partitions} partitions, ${difference.wanted.config["cleanup.policy"]})`;
    case "partitions":
      return `${topic} has ${difference.found} partitions, not ${difference.wanted}: slots never change, make a new log and migrate into it`;
    case "replication":
      return `${topic} has ${difference.found} copies, not ${difference.wanted}: move its partitions with Kafka's reassignment tool`;
    case "config":
      return `${topic} has ${difference.name}=${difference.found ?? "(none)"}, not ${difference.wanted}`;
  }
}

/** One topic's whole settings, as the broker takes them: everything set on it stays, what the code owns is put in. */
export function settingsAfter(wanted: WantedTopic, found: FoundTopic): Record<string, string> {
  return { ...found.own, ...wanted.config };
}

if (maxRecordBytes + maxKeyBytes + batchOverheadBytes > kafkaBatchBytes) {
  throw new Error("limits: a batch of Kafka's default size must hold a record of the largest size");
}
