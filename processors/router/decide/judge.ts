import { cellCountry } from "../../../domain/cell.ts";
import { prohibitionOf } from "../../../domain/permission.ts";
import { staticScore } from "../../../domain/static-score.ts";
import type {
  CandidateReason,
  NodeInventory,
  NodeOverlay,
  NodePrice,
  PrefixVisibility,
  ServicePolicy,
} from "../../../schemas/generated/events.ts";
import type { DecideOptions } from "./config.ts";
import { costOf } from "./cost.ts";
import type { Evidence } from "./evidence.ts";

/** What the tables say that hold for every cell of a service. */
export interface Fleet {
  /** Sorted by node id. */
  readonly nodes: readonly NodeInventory[];
  readonly prices: ReadonlyMap<string, NodePrice>;
  readonly visibility: ReadonlyMap<string, PrefixVisibility>;
  readonly overlay: ReadonlyMap<string, Pick<NodeOverlay, "alive" | "draining" | "multiplier">>;
}

/** One node's case, with everything that an explanation says of it; the fraction is filled in later. */
export interface Judged extends Omit<CandidateReason, "fraction"> {
  /** The mask is one of permission, which nothing lifts. */
  readonly forbidden: boolean;
  /** The node was dead and comes back by the ramp. */
  readonly returning: boolean;
  readonly share: number;
}

/** Whether a node takes clients: all of its own, none, or fewer while it returns by the ramp. */
export type Standing = "SERVING" | "UNHEALTHY" | "DRAINING" | "RETURNING";

/** A node of which the overlay says nothing serves. */
export function standingOf(
  entry: Pick<NodeOverlay, "alive" | "draining" | "multiplier"> | null | undefined,
): Standing {
  if (entry === null || entry === undefined) return "SERVING";
  if (!entry.alive) return "UNHEALTHY";
  if (entry.draining) return "DRAINING";
  return entry.multiplier < 1 ? "RETURNING" : "SERVING";
}

/** Judges every node of the fleet for a cell and service: masks with their reasons, and the parts of its cost. */
export function judgeNodes(
  fleet: Fleet,
  policy: ServicePolicy,
  cell: string,
  evidence: ReadonlyMap<string, Evidence>,
  options: DecideOptions,
): Judged[] {
  const country = cellCountry(cell);
  const weights = new Map(policy.nodeWeights.map((entry) => [entry.nodeId, entry.weight]));
  return fleet.nodes.map((node) => {
    const prohibition = prohibitionOf(policy, node, country);
    const invisible = prohibition === undefined ? invisibility(node, fleet.visibility) : undefined;
    const known = evidence.get(node.nodeId);
    const price = fleet.prices.get(node.nodeId);
    const utilisation = price?.utilisation ?? 0;
    const rttMs = known?.node.rttMs ?? options.unknownRttMs;
    const rttSigmaMs = known?.node.rttSigmaMs ?? options.unknownRttMs / 2;
    const lossRatio = known?.node.lossRatio ?? 0;
    const priceMs = price?.priceMs ?? 0;
    const inputs = {
      rttMs,
      rttSigmaMs,
      lossRatio,
      serviceTimeMs: node.serviceTimeMs,
      utilisation,
      priceMs,
    };
    const reasons: string[] = [];
    if (prohibition !== undefined) reasons.push(prohibition);
    if (invisible !== undefined) reasons.push(invisible);
    if (known === undefined) reasons.push("NO_EVIDENCE");
    else if (known.cell !== cell) reasons.push("WIDER_CELL");
    if (utilisation >= 1) reasons.push("OVERLOADED");
    const standing = standingOf(fleet.overlay.get(node.nodeId));
    if (standing !== "SERVING") reasons.push(standing);
    const away = standing === "UNHEALTHY" || standing === "DRAINING";
    return {
      nodeId: node.nodeId,
      masked: prohibition !== undefined || invisible !== undefined,
      forbidden: prohibition !== undefined,
      returning: standing === "RETURNING",
      reasons,
      ...costOf(inputs, options),
      rttMs,
      rttSigmaMs,
      lossRatio,
      priceMs,
      distanceKm: 0,
      staticScore: staticScore(rttMs, lossRatio, utilisation),
      // A node that is dead or drains stays a candidate, for the gateway counts the healthy among them; it gets no
      // share, so that its clients go where they are served next best and not to anybody.
      share: away ? 0 : node.capacityRps * (weights.get(node.nodeId) ?? 1),
    };
  });
}

/**
 * Why the internet cannot reach the node by its prefixes, or undefined. Only a certain no masks: every registered
 * prefix is judged and none is seen, or all that are seen come from an origin that is not allowed.
 */
function invisibility(
  node: NodeInventory,
  visibility: ReadonlyMap<string, PrefixVisibility>,
): "NOT_VISIBLE" | "WRONG_ORIGIN" | undefined {
  if (node.prefixes.length === 0) return undefined;
  let wrong = false;
  for (const prefix of node.prefixes) {
    const view = visibility.get(prefix);
    if (view === undefined || view.state === "UNKNOWN") return undefined;
    if (view.state === "NO") continue;
    if (!view.wrongOrigin) return undefined;
    wrong = true;
  }
  return wrong ? "WRONG_ORIGIN" : "NOT_VISIBLE";
}
