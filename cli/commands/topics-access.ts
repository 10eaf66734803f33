import { alertSink } from "../../sinks/alerts/alerts.ts";
import { Metrics } from "../../sinks/metrics/metrics.ts";
import { MemoryScoreTable } from "../../sinks/scores/score-table.ts";
import { scoreSink } from "../../sinks/scores/scores.ts";
import type { RoleAccess } from "../../streams/kafka/acl-plan.ts";
import type { Processor } from "../../streams/processor.ts";
import type { Sink } from "../../streams/sink.ts";
import type { Topic } from "../../streams/topic.ts";
import {
  allTopics,
  bgpUpdates,
  cellRequests,
  deadLetters,
  edgeEvents,
  nodeHealth,
  nodeInventory,
  nodeMetrics,
  nodeOverlay,
  pathSamples,
  routeDecisions,
  servicePolicies,
  taskCommits,
} from "../../streams/topics.ts";

/** Roles whose processors are not called as they are. */
const roleOfProcessor: Readonly<Record<string, string>> = {
  rib: "router",
  visibility: "router",
  estimates: "router",
  decide: "router",
  allocator: "router",
};

interface Traffic {
  readonly reads: readonly Topic<unknown>[];
  readonly writes: readonly Topic<unknown>[];
}

/** What gateways read and write; they declare it nowhere, so a test compares this with what their folders import. */
export const gatewayTraffic: Readonly<Record<"edge" | "node" | "probes" | "feeds", Traffic>> = {
  edge: {
    reads: [nodeInventory, servicePolicies, nodeOverlay, routeDecisions],
    writes: [edgeEvents, cellRequests],
  },
  node: { reads: [servicePolicies], writes: [edgeEvents, nodeMetrics] },
  probes: { reads: [nodeInventory], writes: [nodeHealth, pathSamples] },
  feeds: { reads: [], writes: [bgpUpdates] },
};

/**
 * Who reads and writes which topic: processors by what they declare (and every processor writes its journal and dead
 * letters, and reads its journal to go on), sinks by their inputs, gateways by the table above. The operator reads
 * everything and writes everything but the journal, because `dead-letters redrive` puts records back where they were.
 */
export function roleAccess(processors: readonly Processor[]): RoleAccess[] {
  const gateways = Object.entries(gatewayTraffic).map(
    ([role, { reads, writes }]): RoleAccess => ({
      role,
      reads: names(reads),
      writes: names(writes),
      group: false,
    }),
  );
  const operator: RoleAccess = {
    role: "operator",
    reads: names(allTopics),
    writes: names(allTopics.filter(({ name }) => name !== taskCommits.name)),
    group: false,
  };
  return [...processorRoles(processors), ...sinkRoles(), ...gateways, operator];
}

function processorRoles(processors: readonly Processor[]): RoleAccess[] {
  const roles = new Map<string, { reads: Set<string>; writes: Set<string> }>();
  for (const { name, inputs, outputs } of processors) {
    const role = roleOfProcessor[name] ?? name;
    const access = roles.get(role) ?? {
      reads: new Set([taskCommits.name]),
      writes: new Set([taskCommits.name, deadLetters.name]),
    };
    roles.set(role, access);
    for (const { topic } of inputs) access.reads.add(topic.name);
    for (const output of outputs) access.writes.add(output.name);
  }
  return [...roles].map(([role, { reads, writes }]) => ({
    role,
    reads: [...reads].sort(),
    writes: [...writes].sort(),
    group: true,
  }));
}

function sinkRoles(): RoleAccess[] {
  const sinks: readonly Sink[] = [
    scoreSink(new MemoryScoreTable()),
    alertSink(() => Promise.resolve()),
    new Metrics({ info: {}, nowMs: () => 0 }).sink,
  ];
  return sinks.map(({ name, inputs }) => ({
    role: name,
    reads: inputs.map(({ topic }) => topic.name).sort(),
    writes: [deadLetters.name],
    group: true,
  }));
}

function names(topics: readonly { readonly name: string }[]): string[] {
  return topics.map(({ name }) => name).sort();
}
