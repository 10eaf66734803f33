import type { Address } from "../../domain/address.ts";
import { formatBlock } from "../../domain/block.ts";
import { prohibitionOf } from "../../domain/permission.ts";
import { type Candidate, effectiveFractions } from "../../domain/weighted-pick.ts";
import { none } from "./decision-table.ts";
import type { RouteReason, Router } from "./router.ts";
import type { Tables } from "./tables.ts";

/** One candidate as the pick saw it. */
export interface ExplainedCandidate {
  readonly nodeId: string;
  readonly place: string;
  /** Share in the decision, 0..1; by capacity where nothing is decided. */
  readonly fraction: number;
  /** Share after masks and ramp, over the sum of them, 0..1. */
  readonly effectiveFraction: number;
  readonly alive: boolean;
  readonly draining: boolean;
  readonly multiplier: number;
  readonly overlaySequence: number;
  /** Why it may not serve this client: `FORBIDDEN`, `NOT_PERMITTED`, `RESIDENCY`, `NO_ORIGIN`, or nothing. */
  readonly prohibition: string;
}

/** Why a client gets the node that it gets; what `opencdn route` prints. */
export interface Explanation {
  readonly serviceId: string;
  readonly block: string;
  readonly cell: string;
  readonly country: string;
  /** Cells from the client's own upwards, and whether each has a decision. */
  readonly fallbacks: readonly { readonly cell: string; readonly decided: boolean }[];
  readonly decision:
    | {
        readonly cell: string;
        readonly version: number;
        readonly flagged: boolean;
        readonly ttlSeconds: number;
      }
    | undefined;
  readonly candidates: readonly ExplainedCandidate[];
  readonly pick: {
    readonly nodeId: string;
    readonly origin: string | undefined;
    readonly reason: RouteReason;
    readonly overlaySequence: number;
  };
  readonly geoHash: string;
  readonly stale: boolean;
}

/** Explains the route that `router` gives this address now. */
export function explain(
  router: Router,
  tables: Tables,
  query: { readonly serviceId: string; readonly address: Address; readonly stale: boolean },
): Explanation {
  const { serviceId, address, stale } = query;
  const route = { ...router.route(serviceId, address.family, address.bytes) };
  const entry =
    route.decisionCell === "" ? none : tables.decisions.find(route.decisionCell, serviceId);
  const shares = entry === none ? tables.everybody() : tables.decisions.candidatesOf(entry);
  return {
    serviceId,
    block: formatBlock(address.family, address.bytes, route.blockLength),
    cell: route.cell,
    country: route.country,
    fallbacks: fallbacksOf(router, tables, serviceId, address),
    decision:
      entry === none
        ? undefined
        : {
            cell: route.decisionCell,
            version: route.decisionVersion,
            flagged: route.flagged,
            ttlSeconds: tables.decisions.ttlSecondsOf(entry),
          },
    candidates: candidatesOf(tables, shares, { serviceId, country: route.country }),
    pick: {
      nodeId: route.nodeId,
      origin: route.origin,
      reason: route.reason,
      overlaySequence: route.overlaySequence,
    },
    geoHash: router.geo.hash,
    stale,
  };
}

function fallbacksOf(
  router: Router,
  tables: Tables,
  serviceId: string,
  address: Address,
): Explanation["fallbacks"] {
  const { geo } = router;
  const chain = [];
  for (
    let cell = geo.cellOf(geo.find(address.family, address.bytes));
    ;
    cell = geo.parentOf(cell)
  ) {
    const name = geo.nameOf(cell);
    chain.push({ cell: name, decided: tables.decisions.find(name, serviceId) !== none });
    if (cell === 0) return chain;
  }
}

function candidatesOf(
  tables: Tables,
  shares: readonly Candidate[],
  client: { readonly serviceId: string; readonly country: string },
): ExplainedCandidate[] {
  const forbidden = tables.forbidden(client.serviceId, client.country);
  const effective = effectiveFractions(shares, tables.overlay.byNode, forbidden);
  return shares.map(({ nodeId, fraction }, index) => {
    const entry = tables.overlay.byNode.get(nodeId);
    return {
      nodeId,
      place: tables.nodes.get(nodeId)?.place ?? "",
      fraction,
      effectiveFraction: effective[index] as number,
      alive: entry?.alive ?? true,
      draining: entry?.draining ?? false,
      multiplier: entry?.multiplier ?? 1,
      overlaySequence: entry?.sequence ?? 0,
      prohibition: prohibitionNamed(tables, nodeId, client),
    };
  });
}

function prohibitionNamed(
  tables: Tables,
  nodeId: string,
  { serviceId, country }: { readonly serviceId: string; readonly country: string },
): string {
  const node = tables.nodes.get(nodeId);
  const policy = tables.policies.get(serviceId);
  if (node?.origin === undefined) return "NO_ORIGIN";
  if (policy === undefined) return "UNKNOWN_SERVICE";
  return prohibitionOf(policy, node, country) ?? "";
}
