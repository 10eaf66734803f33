import { cellKey, parentCell, splitCellKey, UNKNOWN_CELL } from "../../../domain/cell.ts";
import type {
  CellEstimate,
  NodeInventory,
  NodeLoad,
  NodeOverlay,
  NodePrice,
  PrefixVisibility,
  RouteDecision,
  ServicePolicy,
} from "../../../schemas/generated/events.ts";
import {
  type AnyInput,
  type Context,
  global,
  keyed,
  type Processor,
  type Recorded,
} from "../../../streams/processor.ts";
import { slotOf } from "../../../streams/slots.ts";
import { type RecordStoreSpec, recordStoreSpec, storeSpec } from "../../../streams/store.ts";
import type { Topic } from "../../../streams/topic.ts";
import {
  cellEstimates,
  nodeInventory,
  nodeLoads,
  nodeOverlay,
  nodePrices,
  prefixVisibility,
  routeDecisions,
  routeExplanations,
  servicePolicies,
} from "../../../streams/topics.ts";
import { canonicalPrefixes } from "../registered-prefix.ts";
import { type DecideInput, type DecideOptions, decideOptions } from "./config.ts";
import { nextDecision, targetFractions } from "./decision.ts";
import { evidenceOf } from "./evidence.ts";
import { largestMove } from "./fractions.ts";
import { type Fleet, type Judged, judgeNodes, standingOf } from "./judge.ts";
import { LoadSums, loadMoved, servingFractions } from "./loads.ts";

/** Estimates of the slot's cells: about 60 bytes a node and cell. */
const estimates: RecordStoreSpec<CellEstimate> = recordStoreSpec("estimates", cellEstimates.schema);
/** The decisions that stand: about 20 bytes a candidate and 60 a cell and service. */
const decisions: RecordStoreSpec<RouteDecision> = recordStoreSpec(
  "decisions",
  routeDecisions.schema,
);
/** What costs and prices ask for, as far as it differs from the decision that stands. */
const targets: RecordStoreSpec<RouteDecision> = recordStoreSpec("targets", routeDecisions.schema);
/** Reasons of the last explanation: about 20 bytes a node, cell and service. */
const explained = storeSpec("explained");
const inventory: RecordStoreSpec<NodeInventory> = recordStoreSpec(
  "inventory",
  nodeInventory.schema,
);
const policies: RecordStoreSpec<ServicePolicy> = recordStoreSpec(
  "policies",
  servicePolicies.schema,
);
const visibility: RecordStoreSpec<PrefixVisibility> = recordStoreSpec(
  "visibility",
  prefixVisibility.schema,
);
const prices: RecordStoreSpec<NodePrice> = recordStoreSpec("prices", nodePrices.schema);
/** The overlay as far as it concerns shares: who is dead, drains or returns. The ramp's steps are the gateway's. */
const overlay: RecordStoreSpec<NodeOverlay> = recordStoreSpec("overlay", nodeOverlay.schema);
const loads: RecordStoreSpec<NodeLoad> = recordStoreSpec("loads", nodeLoads.schema);

const noId = new Uint8Array(16);
const loadsTimer = "~loads";
const unknownKey = new TextEncoder().encode(UNKNOWN_CELL);

/** What a commit has to look at again. */
interface Work {
  /** Topic that moved the cell, by cell. */
  readonly cells: Map<string, string>;
  /** Topic that moved the whole fleet. */
  fleetTrigger: string | undefined;
  /** Services by cell for which a decision stands, once a commit that asks has looked. */
  standing: Map<string, string[]> | undefined;
  policiesMoved: boolean;
  loadsDue: boolean;
  fleet: Fleet | undefined;
  services: ServicePolicy[] | undefined;
}

/**
 * Decides, for every service and every cell of the slot's countries that has evidence of its own, the fractions by
 * which clients are sent to nodes: masks first, then a soft-min of cost plus price. Also the decision for clients of
 * unknown cells (`ZZ`), by the masks and capacity, and the load that all of this predicts for each node.
 */
export function decideProcessor(input: DecideInput = {}): Processor {
  const options = decideOptions.parse(input);
  return {
    name: "decide",
    logicVersion: 1,
    inputs: [
      keyed(cellEstimates, onEstimate),
      table(nodeInventory, inventory),
      table(servicePolicies, policies),
      table(prefixVisibility, visibility),
      table(nodePrices, prices),
      global(nodeOverlay, onOverlay),
    ],
    outputs: [routeDecisions, routeExplanations, nodeLoads],
    stores: [
      estimates,
      decisions,
      targets,
      explained,
      inventory,
      policies,
      visibility,
      prices,
      overlay,
      loads,
    ],
    // Steps and loads are paced by timers, also where no sample comes to move the time.
    idleMs: 2 * options.stepMs,
    onTimer: (key, _atMs, context) => {
      const work = workOf(context);
      if (key === loadsTimer) work.loadsDue = true;
      else work.cells.set(splitCellKey(key).cell, cellEstimates.name);
    },
    beforeCommit: (context) => decideAll(context, options),
  };
}

function workOf(context: Context): Work {
  return context.scratch(() => ({
    cells: new Map(),
    fleetTrigger: undefined,
    standing: undefined,
    policiesMoved: false,
    loadsDue: false,
    fleet: undefined,
    services: undefined,
  }));
}

/** A small table that concerns every cell: kept as it is, and the slot's cells are looked at again. */
function table<T>(topic: Topic<T>, spec: RecordStoreSpec<T>): AnyInput {
  return global(topic, (event: Recorded<T>, context) => {
    const store = context.records(spec);
    if (event.value === null) store.delete(event.key);
    else store.put(event.key, event.value);
    const work = workOf(context);
    work.fleetTrigger = topic.name;
    work.policiesMoved ||= topic.name === servicePolicies.name;
    work.fleet = undefined;
    work.services = undefined;
  });
}

function onOverlay(event: Recorded<NodeOverlay>, context: Context): void {
  const store = context.records(overlay);
  const before = store.get(event.key);
  const { value } = event;
  if (value === null) store.delete(event.key);
  else store.put(event.key, value);
  if (standingOf(before) === standingOf(value)) return;
  const work = workOf(context);
  work.fleetTrigger = nodeOverlay.name;
  work.fleet = undefined;
}

function onEstimate(event: Recorded<CellEstimate>, context: Context): void {
  const store = context.records(estimates);
  if (event.value === null) store.delete(event.key);
  else store.put(event.key, event.value);
  workOf(context).cells.set(event.key, cellEstimates.name);
}

function decideAll(context: Context, options: DecideOptions): void {
  const work = workOf(context);
  const trigger = work.fleetTrigger;
  if (trigger !== undefined) {
    for (const [cell] of context.records(estimates).entries()) work.cells.set(cell, trigger);
    if (slotOf(unknownKey, context.slots) === context.slot) work.cells.set(UNKNOWN_CELL, trigger);
  }
  const decided = [...work.cells].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [cell, cause] of decided) decideCell(cell, cause, context, options);
  // A price waits for the load's answer; what samples move may wait for its turn.
  if (trigger !== undefined || work.loadsDue) writeLoads(context, options);
  else if (decided.length > 0) scheduleAfter(loadsTimer, options.stepMs, context);
}

function fleetOf(context: Context): {
  readonly fleet: Fleet;
  readonly services: readonly ServicePolicy[];
} {
  const work = workOf(context);
  work.fleet ??= {
    nodes: context
      .records(inventory)
      .entries()
      .map(([, node]) => ({
        ...node,
        // As the keys of prefix.visibility.v1 are written, whatever a person wrote.
        prefixes: canonicalPrefixes(node.prefixes).map(({ text }) => text),
      })),
    prices: new Map(context.records(prices).entries()),
    visibility: new Map(context.records(visibility).entries()),
    overlay: new Map(context.records(overlay).entries()),
  };
  work.services ??= context
    .records(policies)
    .entries()
    .map(([, policy]) => policy);
  return { fleet: work.fleet, services: work.services };
}

/** The cell and the wider ones of its country, narrowest first. */
function chainOf(cell: string): string[] {
  const chain = [cell];
  for (let at: string | undefined = cell; at?.includes("/"); ) {
    at = parentCell(at);
    if (at !== undefined) chain.push(at);
  }
  return chain;
}

function decideCell(cell: string, trigger: string, context: Context, options: DecideOptions): void {
  const { fleet, services } = fleetOf(context);
  const chain = chainOf(cell).map((name) => context.records(estimates).get(name));
  const ownEvidence = (chain[0]?.nodes.length ?? 0) > 0;
  const store = context.records(decisions);
  const stale = new Set(standingKeys(cell, services, context));
  if ((ownEvidence || cell === UNKNOWN_CELL) && fleet.nodes.length > 0) {
    const evidence = evidenceOf(chain);
    for (const policy of services) {
      const key = cellKey(cell, policy.serviceId);
      stale.delete(key);
      const judged = judgeNodes(fleet, policy, cell, evidence, options);
      keepTarget(key, cell, policy, judged, context, options);
      const { decision, moving } = nextDecision(judged, policy, cell, store.get(key), options);
      if (moving) scheduleAfter(key, options.stepMs, context);
      if (decision === undefined) {
        const standing = store.get(key);
        const why = { trigger, policyVersion: policy.version };
        if (standing !== undefined && reasonsMoved(key, judged, context)) {
          explain(key, standing, judged, why, context);
        }
        continue;
      }
      reasonsMoved(key, judged, context);
      const nowMs = nowOf(context);
      store.put(key, { ...decision, eventId: noId, eventMs: nowMs, logicVersion: 0 });
      context.emit(routeDecisions, key, decision);
      explain(key, decision, judged, { trigger, policyVersion: policy.version }, context);
    }
  }
  // Decisions of services that are gone, or of a cell that lost its evidence.
  for (const key of stale) {
    store.delete(key);
    context.records(targets).delete(key);
    const name = Buffer.from(key);
    context.packed(explained).delete(name, 0, name.length);
    context.remove(routeDecisions, key);
  }
}

/** Keys of the cell's decisions that stand; a service that has none now lost its policy in this commit. */
function standingKeys(
  cell: string,
  services: readonly ServicePolicy[],
  context: Context,
): readonly string[] {
  const known = workOf(context).policiesMoved
    ? (standingServices(context).get(cell) ?? [])
    : services.map(({ serviceId }) => serviceId);
  const store = context.records(decisions);
  return known.map((serviceId) => cellKey(cell, serviceId)).filter((key) => store.has(key));
}

/** Services that have a decision, by cell: one look at all, since a store finds what begins alike only so. */
function standingServices(context: Context): ReadonlyMap<string, readonly string[]> {
  const work = workOf(context);
  if (work.standing !== undefined) return work.standing;
  work.standing = new Map();
  for (const [, { cell, serviceId }] of context.records(decisions).entries()) {
    const services = work.standing.get(cell);
    if (services === undefined) work.standing.set(cell, [serviceId]);
    else services.push(serviceId);
  }
  return work.standing;
}

/** Targets that moved by less are as good as the old ones. */
const leastTargetMove = 0.001;

function keepTarget(
  key: string,
  cell: string,
  { serviceId, ttlSeconds }: ServicePolicy,
  judged: readonly Judged[],
  context: Context,
  options: DecideOptions,
): void {
  const candidates = targetFractions(judged, options);
  const store = context.records(targets);
  const known = store.get(key);
  if (known !== undefined && largestMove(known.candidates, candidates) < leastTargetMove) return;
  const header = { eventId: noId, eventMs: nowOf(context), logicVersion: 0 };
  const rest = { serviceId, cell, version: 0, flagged: false, reason: "", ttlSeconds };
  store.put(key, { ...header, ...rest, candidates });
}

/** Whether what is known of the nodes, or what masks them, is not what the last explanation said; kept from now on. */
function reasonsMoved(key: string, judged: readonly Judged[], context: Context): boolean {
  const reasons = judged.map((node) => `${node.nodeId} ${node.masked} ${node.reasons.join()}`);
  const text = Buffer.from(reasons.join(";"));
  const store = context.packed(explained);
  const name = Buffer.from(key);
  if (store.find(name, 0, name.length)) {
    const { bytes, valueStart, valueEnd } = store;
    if (text.equals(bytes.subarray(valueStart, valueEnd))) return false;
  }
  store.put(name, 0, name.length, text, 0, text.length);
  return true;
}

function explain(
  key: string,
  decision: Pick<RouteDecision, "serviceId" | "cell" | "version" | "candidates">,
  judged: readonly Judged[],
  why: { readonly trigger: string; readonly policyVersion: number },
  context: Context,
): void {
  const { serviceId, cell, version } = decision;
  const fractions = new Map(decision.candidates.map((entry) => [entry.nodeId, entry.fraction]));
  const evidenceCell = judged.some((node) => node.reasons.includes("WIDER_CELL"))
    ? (parentCell(cell) ?? cell)
    : cell;
  const candidates = judged.map(
    ({ forbidden: _, returning: _returning, share: _share, ...node }) => ({
      ...node,
      fraction: fractions.get(node.nodeId) ?? 0,
    }),
  );
  context.emit(routeExplanations, key, {
    serviceId,
    cell,
    version,
    ...why,
    evidenceCell,
    candidates,
  });
}

function nowOf(context: Context): number {
  return Math.max(context.streamMs(cellEstimates), context.tickMs);
}

/** A timer at the next multiple of `stepMs`, so that those of many cells fall together. */
function scheduleAfter(key: string, stepMs: number, context: Context): void {
  const nowMs = context.streamMs(cellEstimates) || nowOf(context);
  context.schedule(key, (Math.floor(nowMs / stepMs) + 1) * stepMs);
}

function writeLoads(context: Context, options: DecideOptions): void {
  const { fleet, services } = fleetOf(context);
  const sums = new LoadSums(fleet.nodes, options.temperatureMs);
  const store = context.records(targets);
  for (const [cell, estimate] of context.records(estimates).entries()) {
    const demands =
      estimate.services.length > 0 ? estimate.services : undecidedDemand(cell, services, context);
    for (const { serviceId, demandRps } of demands) {
      const standing = chainOf(cell).map((name) => store.get(cellKey(name, serviceId)));
      sums.add(estimate, servingFractions(standing, fleet.nodes), demandRps);
    }
  }
  const written = context.records(loads);
  for (const [nodeId, load] of sums.loads(context.slot)) {
    const key = `${context.slot}|${nodeId}`;
    if (!loadMoved(load, written.get(key))) continue;
    written.put(key, { ...load, eventId: noId, eventMs: nowOf(context), logicVersion: 0 });
    context.emit(nodeLoads, key, load);
  }
}

/** A cell without demand counts once for each of its decisions in the means, and adds no load. */
function undecidedDemand(
  cell: string,
  services: readonly ServicePolicy[],
  context: Context,
): { readonly serviceId: string; readonly demandRps: number }[] {
  const store = context.records(decisions);
  return services
    .filter(({ serviceId }) => store.has(cellKey(cell, serviceId)))
    .map(({ serviceId }) => ({ serviceId, demandRps: 0 }));
}
