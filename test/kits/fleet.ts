import type {
  NodeInventory,
  NodeOverlay,
  RouteDecision,
  ServicePolicy,
} from "../../schemas/generated/events.ts";

const header = { eventId: Buffer.alloc(16), eventMs: 0, logicVersion: 0 };

/** A node for tests; `baseUrl` is `http://<id in lower case>.example` unless given. */
export function nodeOf(nodeId: string, more: Partial<NodeInventory> = {}): NodeInventory {
  return {
    ...header,
    nodeId,
    place: nodeId,
    country: "US",
    region: "",
    latitude: 0,
    longitude: 0,
    baseUrl: `http://${nodeId.toLowerCase()}.example`,
    capacityRps: 100,
    serviceTimeMs: 1,
    prefixes: [],
    originAsns: [],
    protocols: ["http", "ws"],
    jurisdiction: "US",
    synthetic: false,
    ...more,
  };
}

/** A policy for tests: everybody may. */
export function policyOf(serviceId: string, more: Partial<ServicePolicy> = {}): ServicePolicy {
  return {
    ...header,
    serviceId,
    hostnames: [],
    permittedNodes: [],
    forbiddenNodes: [],
    residency: [],
    nodeWeights: [],
    floorNodes: 1,
    ttlSeconds: 30,
    maxStepRatio: 1,
    version: 1,
    ...more,
  };
}

/** A decision for tests, e.g. `decisionOf("JP", { TYO: 0.75, SAO: 0.25 })`. */
export function decisionOf(
  cell: string,
  fractions: Readonly<Record<string, number>>,
  more: Partial<RouteDecision> = {},
): RouteDecision {
  return {
    ...header,
    serviceId: "web",
    cell,
    version: 1,
    candidates: Object.entries(fractions).map(([nodeId, fraction]) => ({ nodeId, fraction })),
    flagged: false,
    reason: "",
    ttlSeconds: 30,
    ...more,
  };
}

/** An overlay entry for tests: alive, with all of its clients. */
export function overlayOf(nodeId: string, more: Partial<NodeOverlay> = {}): NodeOverlay {
  return {
    ...header,
    nodeId,
    alive: true,
    draining: false,
    multiplier: 1,
    epoch: 1,
    sequence: 1,
    reason: "",
    ...more,
  };
}
