import type { EventSchema } from "../schemas/event-schema.ts";
import {
  alertSchema,
  bgpFlapSchema,
  bgpPeerSchema,
  bgpUpdateSchema,
  cellEstimateSchema,
  cellRequestsSchema,
  deadLetterSchema,
  edgeEventSchema,
  nodeDrainSchema,
  nodeHealthSchema,
  nodeInventorySchema,
  nodeLoadSchema,
  nodeMetricsSchema,
  nodeOverlaySchema,
  nodePriceSchema,
  nodeScoreSchema,
  pathSampleSchema,
  prefixViewSchema,
  prefixVisibilitySchema,
  routeDecisionSchema,
  routeExplanationSchema,
  servicePolicySchema,
  taskCommitSchema,
} from "../schemas/generated/events.ts";
import { OpenCdnError } from "./errors.ts";
import type { SlotPart, Topic, TopicKind } from "./topic.ts";

const catalogue: Topic<unknown>[] = [];

function topic<T>(
  name: string,
  kind: TopicKind,
  slotPart: SlotPart,
  schema: EventSchema<T>,
  doc: string,
): Topic<T> {
  const made: Topic<T> = { name, kind, slotPart, schema, doc };
  catalogue.push(made);
  return made;
}

type SchemaValue<S> = S extends EventSchema<infer T> ? T : never;
type TopicOf<S> = Topic<SchemaValue<S>>;

export const nodeInventory: TopicOf<typeof nodeInventorySchema> = topic(
  "node.inventory.v1",
  "table",
  "whole",
  nodeInventorySchema,
  "Where nodes are and what they can do.",
);
export const servicePolicies: TopicOf<typeof servicePolicySchema> = topic(
  "service.policies.v1",
  "table",
  "whole",
  servicePolicySchema,
  "Who may serve and be served.",
);
export const nodeMetrics: TopicOf<typeof nodeMetricsSchema> = topic(
  "node.metrics.v1",
  "stream",
  "whole",
  nodeMetricsSchema,
  "Host and session counts of a node, every 10 s.",
);
export const pathSamples: TopicOf<typeof pathSampleSchema> = topic(
  "path.samples.v1",
  "stream",
  "country",
  pathSampleSchema,
  "RTT and loss between a cell and a node.",
);
export const edgeEvents: TopicOf<typeof edgeEventSchema> = topic(
  "edge.events.v1",
  "stream",
  "whole",
  edgeEventSchema,
  "What happened to clients.",
);
export const bgpUpdates: TopicOf<typeof bgpUpdateSchema> = topic(
  "bgp.updates.v1",
  "stream",
  "whole",
  bgpUpdateSchema,
  "BGP messages and RIB entries by peer.",
);
export const bgpFlaps: TopicOf<typeof bgpFlapSchema> = topic(
  "bgp.flaps.v1",
  "stream",
  "whole",
  bgpFlapSchema,
  "Re-announcements after a withdrawal, and changes of origin.",
);
export const bgpPeers: TopicOf<typeof bgpPeerSchema> = topic(
  "bgp.peers.v1",
  "table",
  "whole",
  bgpPeerSchema,
  "State and freshness of each feed peer.",
);
export const prefixViews: TopicOf<typeof prefixViewSchema> = topic(
  "prefix.views.v1",
  "table",
  "beforeBar",
  prefixViewSchema,
  "One peer's view of a registered prefix.",
);
export const prefixVisibility: TopicOf<typeof prefixVisibilitySchema> = topic(
  "prefix.visibility.v1",
  "table",
  "whole",
  prefixVisibilitySchema,
  "Whether the internet sees a registered prefix.",
);
export const nodeHealth: TopicOf<typeof nodeHealthSchema> = topic(
  "node.health.v1",
  "stream",
  "whole",
  nodeHealthSchema,
  "One vantage point's verdict on a node.",
);
export const nodeDrains: TopicOf<typeof nodeDrainSchema> = topic(
  "node.drains.v1",
  "stream",
  "whole",
  nodeDrainSchema,
  "Requests to drain a node.",
);
export const nodeOverlay: TopicOf<typeof nodeOverlaySchema> = topic(
  "node.overlay.v1",
  "table",
  "whole",
  nodeOverlaySchema,
  "What must act at once everywhere.",
);
export const cellRequests: TopicOf<typeof cellRequestsSchema> = topic(
  "cell.requests.v1",
  "stream",
  "country",
  cellRequestsSchema,
  "Demand: one-second sums by cell and node.",
);
export const cellEstimates: TopicOf<typeof cellEstimateSchema> = topic(
  "cell.estimates.v1",
  "table",
  "country",
  cellEstimateSchema,
  "RTT, loss and demand of a cell.",
);
export const nodeLoads: TopicOf<typeof nodeLoadSchema> = topic(
  "node.loads.v1",
  "table",
  "whole",
  nodeLoadSchema,
  "Predicted load of a node by the cells of one slot.",
);
export const nodePrices: TopicOf<typeof nodePriceSchema> = topic(
  "node.prices.v1",
  "table",
  "whole",
  nodePriceSchema,
  "What a unit of a node's capacity costs now.",
);
export const nodeScores: TopicOf<typeof nodeScoreSchema> = topic(
  "node.scores.v1",
  "table",
  "whole",
  nodeScoreSchema,
  "Scores of a node.",
);
export const routeDecisions: TopicOf<typeof routeDecisionSchema> = topic(
  "route.decisions.v1",
  "table",
  "country",
  routeDecisionSchema,
  "Fractions per node for a cell and service.",
);
export const routeExplanations: TopicOf<typeof routeExplanationSchema> = topic(
  "route.explanations.v1",
  "stream",
  "country",
  routeExplanationSchema,
  "Why a decision is as it is.",
);
export const alerts: TopicOf<typeof alertSchema> = topic(
  "alerts.v1",
  "table",
  "whole",
  alertSchema,
  "Firing and resolved alerts.",
);
export const taskCommits: TopicOf<typeof taskCommitSchema> = topic(
  "task.commits.v1",
  "stream",
  "whole",
  taskCommitSchema,
  "The journal.",
);
export const deadLetters: TopicOf<typeof deadLetterSchema> = topic(
  "dead.letters.v1",
  "stream",
  "whole",
  deadLetterSchema,
  "Records that could not be processed.",
);

/** Every topic of the catalogue, in the order in which an event travels. */
export const allTopics: readonly Topic<unknown>[] = catalogue;

/** Names of the topics that are compacted by key. */
export const tableNames: ReadonlySet<string> = new Set(
  catalogue.filter((entry) => entry.kind === "table").map((entry) => entry.name),
);

/** The topic called `name`; throws OCDN_UNKNOWN_TOPIC with the nearest one. */
export function topicByName(name: string): Topic<unknown> {
  const found = catalogue.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const near = nearestName(
    name,
    catalogue.map((entry) => entry.name),
  );
  throw new OpenCdnError(
    "OCDN_UNKNOWN_TOPIC",
    `no topic is called ${name.slice(0, 80)}, did you mean ${near}?`,
  );
}

/** The candidate with the smallest edit distance to `name`; `candidates` is not empty. */
export function nearestName(name: string, candidates: readonly string[]): string {
  const text = name.slice(0, 80);
  let best = candidates[0] as string;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(text, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(
        Math.min(
          (row[j] as number) + 1,
          (next[j - 1] as number) + 1,
          (row[j - 1] as number) + same,
        ),
      );
    }
    row = next;
  }
  return row[b.length] as number;
}
