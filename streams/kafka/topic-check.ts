import { defaultSlots } from "../limits.ts";
import type { Cluster } from "./cluster.ts";
import { type LogIdentity, readIdentity } from "./log-identity.ts";
import {
  describeDifference,
  diffTopics,
  type FoundTopic,
  isRefused,
  planTopics,
  slotsTopic,
  type TopicDifference,
  type WantedTopic,
} from "./topic-plan.ts";

/** What the log on the cluster should be. */
export interface WantedLog {
  /** Slots that a person named; without them the log's own count, or that of a new log. */
  readonly slots: number | undefined;
  /** Slots of a new log; 16 by default. */
  readonly newSlots?: number | undefined;
  /** Identity that a person named, for a log that is carried over. */
  readonly logId?: string | undefined;
  readonly replicationFactor: number;
  readonly retentionMs?: number | undefined;
}

/** A difference of topics, or of the log as a whole. */
export type ClusterDifference =
  | TopicDifference
  | { readonly kind: "identity"; readonly wanted: string | undefined; readonly found: undefined }
  | { readonly kind: "log-id"; readonly wanted: string; readonly found: string }
  | { readonly kind: "slots"; readonly wanted: number; readonly found: number };

/** A cluster beside what it should be. */
export interface ClusterState {
  readonly slots: number;
  readonly identity: LogIdentity | undefined;
  readonly wanted: readonly WantedTopic[];
  readonly found: readonly FoundTopic[];
  readonly differences: readonly ClusterDifference[];
}

/** Reads the cluster and compares it with the catalogue; changes nothing. */
export async function inspectCluster(cluster: Cluster, log: WantedLog): Promise<ClusterState> {
  const { replicationFactor, retentionMs } = log;
  const identity = await readIdentity(cluster);
  const slotsFound = (await cluster.topics([slotsTopic]))[0]?.partitions;
  const slots = identity?.slots ?? slotsFound ?? log.slots ?? log.newSlots ?? defaultSlots;
  const wanted = planTopics({
    slots,
    replicationFactor,
    ...(retentionMs === undefined ? {} : { retentionMs }),
  });
  const found = await cluster.topics(wanted.map(({ topic }) => topic));
  const differences = [...identityDifferences(log, identity, slots), ...diffTopics(wanted, found)];
  return { slots, identity, wanted, found, differences };
}

/** How the log on the cluster differs from the one that was named. `slots` are those that the cluster has. */
export function identityDifferences(
  log: Pick<WantedLog, "slots" | "logId">,
  identity: LogIdentity | undefined,
  slots: number,
): ClusterDifference[] {
  const differences: ClusterDifference[] = [];
  if (log.slots !== undefined && log.slots !== slots)
    differences.push({ kind: "slots", wanted: log.slots, found: slots });
  if (identity === undefined)
    differences.push({ kind: "identity", wanted: log.logId, found: undefined });
  else if (log.logId !== undefined && log.logId !== identity.logId)
    differences.push({ kind: "log-id", wanted: log.logId, found: identity.logId });
  return differences;
}

/** True for what `apply` never does. */
export function isClusterRefused(difference: ClusterDifference): boolean {
  switch (difference.kind) {
    case "slots":
    case "log-id":
      return true;
    case "identity":
      return false;
    default:
      return isRefused(difference);
  }
}

/** A difference as one line. */
export function describeClusterDifference(difference: ClusterDifference): string {
  switch (difference.kind) {
    case "slots":
      return `the log has ${difference.found} slots, not ${difference.wanted}: slots never change, make a new log and migrate into it`;
    case "log-id":
      return `the cluster holds the log ${difference.found}, not ${difference.wanted}`;
    case "identity":
      return "no log has been made on this cluster";
    default:
      return describeDifference(difference);
  }
}
