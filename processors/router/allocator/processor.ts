import { staticScore } from "../../../domain/static-score.ts";
import type {
  NodeInventory,
  NodeLoad,
  NodeMetrics,
  NodePrice,
  NodeScore,
} from "../../../schemas/generated/events.ts";
import {
  type AnyInput,
  type Context,
  type Emitted,
  keyed,
  type Processor,
} from "../../../streams/processor.ts";
import { type RecordStoreSpec, recordStoreSpec, storeSpec } from "../../../streams/store.ts";
import type { Topic } from "../../../streams/topic.ts";
import {
  nodeInventory,
  nodeLoads,
  nodeMetrics,
  nodePrices,
  nodeScores,
} from "../../../streams/topics.ts";
import { type AllocatorInput, type AllocatorOptions, allocatorOptions } from "./config.ts";
import { fairUtilisation, nextPrice, type PriceState, restingPrice } from "./price.ts";

const inventory: RecordStoreSpec<NodeInventory> = recordStoreSpec(
  "inventory",
  nodeInventory.schema,
);
/** One entry a slot and node. */
const loads: RecordStoreSpec<NodeLoad> = recordStoreSpec("loads", nodeLoads.schema);
const metrics: RecordStoreSpec<NodeMetrics> = recordStoreSpec("metrics", nodeMetrics.schema);
const prices: RecordStoreSpec<NodePrice> = recordStoreSpec("prices", nodePrices.schema);
/** How each price last moved and the smoothed utilisation: four f64, 32 bytes a node. */
const motions = storeSpec("motions");
/** Ticks so far: f64. */
const clock = storeSpec("clock");
const scores: RecordStoreSpec<NodeScore> = recordStoreSpec("scores", nodeScores.schema);

const noId = new Uint8Array(16);
const noHeader = { eventId: noId, logicVersion: 0 };
/** Utilisation at which the queueing term of a score is held, as in `decide`. */
const maxUtilisation = 0.95;

/**
 * The one task that couples the slots: adds up predicted loads and moves a price a node so that they stay within
 * capacity. Reads a few numbers a node and slot and never a topic by cell. A missing price counts as 0, so the loop
 * starts by itself.
 */
export function allocatorProcessor(input: AllocatorInput = {}): Processor {
  const options = allocatorOptions.parse(input);
  return {
    name: "allocator",
    logicVersion: 1,
    tasks: "one",
    inputs: [table(nodeLoads, loads), table(nodeMetrics, metrics), table(nodeInventory, inventory)],
    outputs: [nodePrices, nodeScores],
    stores: [inventory, loads, metrics, prices, scores, motions, clock],
    tickMs: options.tickMs,
    onTick: (context) => allocate(context, options),
  };
}

function table<T>(topic: Topic<T>, spec: RecordStoreSpec<T>): AnyInput {
  return keyed(topic, (event, context) => {
    const store = context.records(spec);
    if (event.value === null) store.delete(event.key);
    else store.put(event.key, event.value);
  });
}

interface NodeSum {
  predictedRps: number;
  slopeRpsPerMs: number;
  weight: number;
  rtt: number;
  loss: number;
}

/** The loads of all slots, by node. */
function sumLoads(context: Context): Map<string, NodeSum> {
  const sums = new Map<string, NodeSum>();
  for (const [, load] of context.records(loads).entries()) {
    const sum = sums.get(load.nodeId) ?? {
      predictedRps: 0,
      slopeRpsPerMs: 0,
      weight: 0,
      rtt: 0,
      loss: 0,
    };
    sum.predictedRps += load.predictedRps;
    sum.slopeRpsPerMs += load.slopeRpsPerMs;
    sum.weight += load.weight;
    sum.rtt += load.weight * load.rttMs;
    sum.loss += load.weight * load.lossRatio;
    sums.set(load.nodeId, sum);
  }
  return sums;
}

function allocate(context: Context, options: AllocatorOptions): void {
  const sums = sumLoads(context);
  const nodes = new Map(context.records(inventory).entries());
  let predictedRps = 0;
  let capacityRps = 0;
  for (const [nodeId, node] of nodes) {
    predictedRps += sums.get(nodeId)?.predictedRps ?? 0;
    capacityRps += node.capacityRps;
  }
  const moves = countTick(context) % options.moveEveryTicks === 0;
  const utilisation = fairUtilisation(predictedRps, capacityRps, options);
  for (const [nodeId, node] of nodes) {
    const sum = sums.get(nodeId) ?? {
      predictedRps: 0,
      slopeRpsPerMs: 0,
      weight: 0,
      rtt: 0,
      loss: 0,
    };
    const price = movePrice(
      node,
      sum,
      moves ? utilisation * node.capacityRps : undefined,
      context,
      options,
    );
    writeScore(nodeId, node, sum, price, context, options);
  }
  for (const [nodeId] of context.records(prices).entries()) {
    if (nodes.has(nodeId)) continue;
    const key = Buffer.from(nodeId);
    context.packed(motions).delete(key, 0, key.length);
    context.records(prices).delete(nodeId);
    context.records(scores).delete(nodeId);
    context.remove(nodePrices, nodeId);
    context.remove(nodeScores, nodeId);
  }
}

interface Motion extends PriceState {
  readonly utilisation: number;
}

const motionBytes = new Uint8Array(32);
const motionView = new DataView(motionBytes.buffer);

function motionOf(nodeId: string, context: Context): Motion {
  const store = context.packed(motions);
  const key = Buffer.from(nodeId);
  if (!store.find(key, 0, key.length)) return { ...restingPrice, utilisation: 0 };
  const at = store.valueStart;
  return {
    priceMs: store.view.getFloat64(at, true),
    stepMs: store.view.getFloat64(at + 8, true),
    direction: store.view.getFloat64(at + 16, true),
    utilisation: store.view.getFloat64(at + 24, true),
  };
}

function keepMotion(nodeId: string, motion: Motion, context: Context): void {
  motionView.setFloat64(0, motion.priceMs, true);
  motionView.setFloat64(8, motion.stepMs, true);
  motionView.setFloat64(16, motion.direction, true);
  motionView.setFloat64(24, motion.utilisation, true);
  const key = Buffer.from(nodeId);
  context.packed(motions).put(key, 0, key.length, motionBytes, 0, motionBytes.length);
}

/** Counts this tick; gives how many there were before. */
function countTick(context: Context): number {
  const store = context.packed(clock);
  const key = Buffer.from("ticks");
  const ticks = store.find(key, 0, key.length) ? store.view.getFloat64(store.valueStart, true) : 0;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, ticks + 1, true);
  store.put(key, 0, key.length, bytes, 0, bytes.length);
  return ticks;
}

/** Moves the node's price where `targetRps` says that it is time to, and writes what moved. */
function movePrice(
  { nodeId, capacityRps }: NodeInventory,
  { predictedRps, slopeRpsPerMs }: NodeSum,
  targetRps: number | undefined,
  context: Context,
  options: AllocatorOptions,
): number {
  const motion = motionOf(nodeId, context);
  const price =
    targetRps === undefined
      ? motion
      : nextPrice(motion, { predictedRps, slopeRpsPerMs, targetRps }, options);
  const now = predictedRps / Math.max(capacityRps, 1e-9);
  const utilisation = motion.utilisation + options.smoothing * (now - motion.utilisation);
  keepMotion(nodeId, { ...price, utilisation }, context);
  const store = context.records(prices);
  const before = store.get(nodeId);
  const { priceMs } = price;
  const moved =
    before === undefined ||
    Math.abs(priceMs - before.priceMs) >= options.leastMoveMs ||
    (priceMs === 0 && before.priceMs > 0) ||
    before.capacityRps !== capacityRps ||
    Math.abs(utilisation - before.utilisation) > 0.05;
  if (!moved) return before.priceMs;
  const event = { nodeId, priceMs, predictedRps, capacityRps, utilisation };
  store.put(nodeId, { ...event, ...noHeader, eventMs: context.tickMs });
  context.emit(nodePrices, nodeId, event);
  return priceMs;
}

function writeScore(
  nodeId: string,
  node: NodeInventory,
  sum: NodeSum,
  priceMs: number,
  context: Context,
  options: AllocatorOptions,
): void {
  const known = context.records(metrics).get(nodeId);
  const fresh = known !== undefined && context.tickMs - known.eventMs <= options.metricsFreshMs;
  const utilisation = sum.predictedRps / Math.max(node.capacityRps, 1e-9);
  const loadRatio = Math.max(utilisation, fresh ? known.cpuRatio : 0);
  const latencyMs = sum.weight > 0 ? sum.rtt / sum.weight : 0;
  const lossRatio = sum.weight > 0 ? sum.loss / sum.weight : 0;
  const queueMs = node.serviceTimeMs / (1 - Math.min(utilisation, maxUtilisation));
  const score: Emitted<NodeScore> = {
    nodeId,
    staticScore: staticScore(latencyMs, lossRatio, loadRatio),
    liveCostMs: queueMs + priceMs,
    learnedCorrectionMs: 0,
    latencyMs,
    lossRatio,
    loadRatio,
    alive: fresh,
  };
  const store = context.records(scores);
  const before = store.get(nodeId);
  if (before !== undefined && !scoreMoved(score, before)) return;
  store.put(nodeId, { ...score, ...noHeader, eventMs: context.tickMs });
  context.emit(nodeScores, nodeId, score);
}

function scoreMoved(next: Emitted<NodeScore>, before: NodeScore): boolean {
  return (
    next.alive !== before.alive ||
    Math.abs(next.staticScore - before.staticScore) >= 0.005 ||
    Math.abs(next.liveCostMs - before.liveCostMs) >= 0.25 ||
    Math.abs(next.loadRatio - before.loadRatio) >= 0.02
  );
}
