import { OpenCdnError } from "../../streams/errors.ts";
import { applyAcls, inspectAcls } from "../../streams/kafka/acl-apply.ts";
import { type AclDifference, describeRule, planAcls } from "../../streams/kafka/acl-plan.ts";
import { Cluster } from "../../streams/kafka/cluster.ts";
import { type KafkaConfig, kafkaSchema } from "../../streams/kafka/config.ts";
import { readLag } from "../../streams/kafka/lag.ts";
import { applyTopics, refuseUnsafe } from "../../streams/kafka/topic-apply.ts";
import {
  type ClusterState,
  describeClusterDifference,
  inspectCluster,
  isClusterRefused,
  type WantedLog,
} from "../../streams/kafka/topic-check.ts";
import { readConfig } from "../../streams/read-config.ts";
import { print, printJson, printTable } from "../output.ts";
import type { Settings } from "../settings.ts";
import { topology } from "../topology.ts";
import { confirmed } from "./apply.ts";
import { roleAccess } from "./topics-access.ts";

/** What every command on a cluster takes. */
export interface ClusterOptions {
  /** Brokers, separated by commas; without them those of the settings. */
  readonly kafka?: string | undefined;
  readonly json: boolean;
}

export interface TopicsOptions extends ClusterOptions {
  readonly slots?: number | undefined;
  readonly logId?: string | undefined;
  readonly replicationFactor?: number | undefined;
  readonly acls: boolean;
}

const noAcls: AclDifference = { missing: [], surplus: [] };

/** `opencdn topics apply`: shows what would change, asks (or `--yes`), and changes the cluster. */
export async function applyClusterTopics(
  settings: Settings,
  options: TopicsOptions & { readonly yes: boolean; readonly dryRun: boolean },
): Promise<void> {
  const { json, yes, dryRun } = options;
  await withCluster(settings, options, async (cluster, config) => {
    const log = wantedLog(settings, config, options);
    const { state, acls } = await inspect(cluster, settings, log, options);
    const lines = linesOf(state, acls);
    const safe = !state.differences.some(isClusterRefused);
    const applies = lines.length > 0 && safe && !dryRun;
    if (!json) for (const line of lines.length === 0 ? ["nothing to change"] : lines) print(line);
    if (!dryRun) refuseUnsafe(state.differences);
    if (!applies || !(yes || (await confirmed()))) {
      if (json) printJson({ ...jsonOf(state, acls), applied: false });
      else if (applies) print("nothing was changed");
      return;
    }
    const after = await applyTopics(cluster, state, log);
    await applyAcls(cluster, acls);
    if (json) printJson({ ...jsonOf(state, acls), identity: after.identity, applied: true });
    else
      print(`${lines.length} applied; the log ${after.identity?.logId} has ${after.slots} slots`);
  });
}

/** `opencdn topics check`: each difference on a line. Throws OCDN_CLUSTER_DIFFERS when there is one. */
export async function checkClusterTopics(
  settings: Settings,
  options: TopicsOptions,
): Promise<void> {
  await withCluster(settings, options, async (cluster, config) => {
    const log = wantedLog(settings, config, options);
    const { state, acls } = await inspect(cluster, settings, log, options);
    const lines = linesOf(state, acls);
    if (options.json) printJson(jsonOf(state, acls));
    else for (const line of lines) print(line);
    if (lines.length > 0)
      throw new OpenCdnError(
        "OCDN_CLUSTER_DIFFERS",
        `checking topics: ${lines.length} ${lines.length === 1 ? "thing differs" : "things differ"}; \`opencdn topics apply\` changes what can be changed`,
      );
    if (!options.json)
      print(`as wanted; the log ${state.identity?.logId} has ${state.slots} slots`);
  });
}

/** `opencdn topics lag`: how far the groups of the roles are behind, by topic and slot. */
export async function showLag(
  settings: Settings,
  options: ClusterOptions & { readonly group?: string | undefined },
): Promise<void> {
  await withCluster(settings, options, async (cluster) => {
    const { group, json } = options;
    const groups = group === undefined ? await cluster.groups("opencdn.") : [group];
    const rows = await readLag(cluster, groups);
    if (group !== undefined && rows.length === 0)
      throw new OpenCdnError(
        "OCDN_NOT_FOUND",
        `reading the lag: the group ${group} committed nothing`,
      );
    if (json) {
      printJson({ groups, lag: rows });
      return;
    }
    printTable(
      ["group", "topic", "slot", "committed", "end", "lag"],
      rows.map((row) => [
        row.group,
        row.topic,
        row.slot,
        Number(row.committedOffset),
        Number(row.endOffset),
        Number(row.lag),
      ]),
    );
  });
}

async function withCluster(
  settings: Settings,
  options: ClusterOptions & { readonly replicationFactor?: number | undefined },
  work: (cluster: Cluster, config: KafkaConfig) => Promise<void>,
): Promise<void> {
  const { kafka, replicationFactor } = options;
  if (kafka === undefined && settings.kafka["brokers"] === undefined)
    throw new OpenCdnError(
      "OCDN_USAGE",
      "connecting to Kafka: say --kafka HOST:PORT, or put kafka.brokers into the settings",
    );
  const input = {
    ...settings.kafka,
    ...(kafka === undefined ? {} : { brokers: kafka }),
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
  };
  const config = readConfig(kafkaSchema, input, "Kafka");
  const cluster = await Cluster.connect(config, process.env);
  try {
    await work(cluster, config);
  } finally {
    await cluster.close();
  }
}

function wantedLog(settings: Settings, config: KafkaConfig, options: TopicsOptions): WantedLog {
  return {
    slots: options.slots,
    newSlots: settings.slots,
    logId: options.logId,
    replicationFactor: config.replicationFactor,
    retentionMs: Math.round(settings.retentionHours * 3_600_000),
  };
}

async function inspect(
  cluster: Cluster,
  settings: Settings,
  log: WantedLog,
  { acls }: TopicsOptions,
): Promise<{ readonly state: ClusterState; readonly acls: AclDifference }> {
  const state = await inspectCluster(cluster, log);
  if (!acls) return { state, acls: noAcls };
  const wanted = planAcls(roleAccess(topology(settings.processors)));
  return { state, acls: await inspectAcls(cluster, wanted) };
}

function linesOf(state: ClusterState, { missing, surplus }: AclDifference): string[] {
  return [
    ...state.differences.map(describeClusterDifference),
    ...missing.map((rule) => `permission is missing: ${describeRule(rule)}`),
    ...surplus.map((rule) => `permission is too much: ${describeRule(rule)}`),
  ];
}

function jsonOf({ slots, identity, differences }: ClusterState, acls: AclDifference): object {
  return { slots, identity: identity ?? null, differences, acls };
}
