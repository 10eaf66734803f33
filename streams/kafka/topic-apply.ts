import { randomUUID } from "node:crypto";
import { pause } from "../backoff.ts";
import { OpenCdnError } from "../errors.ts";
import type { Cluster } from "./cluster.ts";
import { settleMs, settlePauseMs } from "./limits.ts";
import { claimIdentity, kafkaLogFormat } from "./log-identity.ts";
import {
  type ClusterDifference,
  type ClusterState,
  describeClusterDifference,
  inspectCluster,
  isClusterRefused,
  type WantedLog,
} from "./topic-check.ts";
import { settingsAfter, slotsTopic } from "./topic-plan.ts";

/** Throws for the first difference that no command may remove: OCDN_SLOTS_DIFFER or OCDN_CLUSTER_DIFFERS. */
export function refuseUnsafe(differences: readonly ClusterDifference[]): void {
  const refused = differences.find(isClusterRefused);
  if (refused === undefined) return;
  const slots = refused.kind === "slots" || refused.kind === "partitions";
  throw new OpenCdnError(
    slots ? "OCDN_SLOTS_DIFFER" : "OCDN_CLUSTER_DIFFERS",
    `applying topics: ${describeClusterDifference(refused)}`,
  );
}

/**
 * Removes every difference: makes what is missing (the slots first, the identity when its topic is there), sets what
 * differs, and waits until the cluster shows it. Changes nothing and throws where one of them may not be removed;
 * throws OCDN_CLUSTER_DIFFERS when the cluster does not show it in time.
 */
export async function applyTopics(
  cluster: Cluster,
  state: ClusterState,
  log: WantedLog,
): Promise<ClusterState> {
  refuseUnsafe(state.differences);
  const missing = state.differences.flatMap((difference) =>
    difference.kind === "missing" ? [difference.wanted] : [],
  );
  // Whoever makes the topic of the slots first has chosen their number; the others see theirs refused.
  await cluster.createTopics(missing.filter(({ topic }) => topic === slotsTopic));
  const now = await settled(cluster, log, ({ found }) =>
    found.some(({ topic }) => topic === slotsTopic),
  );
  refuseUnsafe(now.differences);
  if (now.slots !== state.slots)
    throw new OpenCdnError(
      "OCDN_SLOTS_DIFFER",
      `applying topics: somebody else made the log with ${now.slots} slots in the meantime; look again`,
    );
  await cluster.createTopics(missing.filter(({ topic }) => topic !== slotsTopic));
  await cluster.replaceSettings(changedSettings(state));
  if (state.identity === undefined)
    await claimIdentity(cluster, {
      logId: log.logId ?? randomUUID(),
      slots: state.slots,
      format: kafkaLogFormat,
    });
  return await settled(cluster, log, ({ differences }) => differences.length === 0);
}

function changedSettings(state: ClusterState): Map<string, Record<string, string>> {
  const changed = new Set(
    state.differences.flatMap((difference) =>
      difference.kind === "config" ? [difference.topic] : [],
    ),
  );
  const settings = new Map<string, Record<string, string>>();
  for (const wanted of state.wanted) {
    const found = state.found.find(({ topic }) => topic === wanted.topic);
    if (found !== undefined && changed.has(wanted.topic))
      settings.set(wanted.topic, settingsAfter(wanted, found));
  }
  return settings;
}

/** Looks until `done`, since brokers learn of a change one after another. */
async function settled(
  cluster: Cluster,
  log: WantedLog,
  done: (state: ClusterState) => boolean,
): Promise<ClusterState> {
  const untilMs = performance.now() + settleMs;
  for (;;) {
    const state = await inspectCluster(cluster, log);
    if (done(state)) return state;
    if (performance.now() > untilMs) {
      const [first] = state.differences;
      const rest = first === undefined ? "" : `: ${describeClusterDifference(first)}`;
      throw new OpenCdnError(
        "OCDN_CLUSTER_DIFFERS",
        `applying topics: the cluster does not show the change after ${settleMs / 1_000} s${rest}`,
      );
    }
    await pause(settlePauseMs);
  }
}
