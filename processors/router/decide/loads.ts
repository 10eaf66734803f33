import type {
  CellEstimate,
  NodeInventory,
  NodeLoad,
  RouteDecision,
} from "../../../schemas/generated/events.ts";
import type { Emitted } from "../../../streams/processor.ts";
import type { Fraction } from "./fractions.ts";

interface Sum {
  predictedRps: number;
  slopeRpsPerMs: number;
  demandWeight: number;
  demandRtt: number;
  demandLoss: number;
  cellWeight: number;
  cellRtt: number;
  cellLoss: number;
}

/** A load that moved by less than this share, and by less than 0.1 requests/s, is not written again. */
const leastMoveRatio = 0.02;
const leastMoveRps = 0.1;

/**
 * Adds up what the cells of one slot send to each node: predicted load, its slope in the node's price (for soft-min
 * fractions f the derivative is -f(1-f)/temperature), and the mean RTT and loss of what is sent there.
 */
export class LoadSums {
  readonly #temperatureMs: number;
  readonly #sums = new Map<string, Sum>();

  constructor(nodes: readonly NodeInventory[], temperatureMs: number) {
    this.#temperatureMs = temperatureMs;
    for (const node of nodes) this.#sums.set(node.nodeId, emptySum());
  }

  /** Adds a cell's demand for one service, served by `fractions`. */
  add(estimate: CellEstimate, fractions: readonly Fraction[], demandRps: number): void {
    for (const { nodeId, fraction } of fractions) {
      const sum = this.#sums.get(nodeId);
      if (sum === undefined || fraction <= 0) continue;
      sum.predictedRps += demandRps * fraction;
      sum.slopeRpsPerMs -= (demandRps * fraction * (1 - fraction)) / this.#temperatureMs;
      const known = estimate.nodes.find((node) => node.nodeId === nodeId);
      if (known === undefined) continue;
      const weight = demandRps * fraction;
      sum.demandWeight += weight;
      sum.demandRtt += weight * known.rttMs;
      sum.demandLoss += weight * known.lossRatio;
      sum.cellWeight += fraction;
      sum.cellRtt += fraction * known.rttMs;
      sum.cellLoss += fraction * known.lossRatio;
    }
  }

  /** The loads of one slot, by node. */
  loads(slot: number): Map<string, Emitted<NodeLoad>> {
    const loads = new Map<string, Emitted<NodeLoad>>();
    for (const [nodeId, sum] of this.#sums) {
      const byDemand = sum.demandWeight > 0;
      const weight = byDemand ? sum.demandWeight : sum.cellWeight;
      const rtt = byDemand ? sum.demandRtt : sum.cellRtt;
      const loss = byDemand ? sum.demandLoss : sum.cellLoss;
      loads.set(nodeId, {
        slot,
        nodeId,
        predictedRps: sum.predictedRps,
        slopeRpsPerMs: sum.slopeRpsPerMs,
        weight,
        rttMs: weight > 0 ? rtt / weight : 0,
        lossRatio: weight > 0 ? loss / weight : 0,
      });
    }
    return loads;
  }
}

function emptySum(): Sum {
  return {
    predictedRps: 0,
    slopeRpsPerMs: 0,
    demandWeight: 0,
    demandRtt: 0,
    demandLoss: 0,
    cellWeight: 0,
    cellRtt: 0,
    cellLoss: 0,
  };
}

/** Whether a load differs enough from the one that was written. */
export function loadMoved(next: Emitted<NodeLoad>, before: NodeLoad | undefined): boolean {
  if (before === undefined) return next.weight > 0 || next.predictedRps > 0;
  const moved = (a: number, b: number, floor: number): boolean =>
    Math.abs(a - b) > Math.max(floor, leastMoveRatio * Math.abs(b));
  return (
    moved(next.predictedRps, before.predictedRps, leastMoveRps) ||
    moved(next.rttMs, before.rttMs, 1) ||
    moved(next.lossRatio, before.lossRatio, 0.002) ||
    (next.predictedRps === 0 && before.predictedRps > 0)
  );
}

/** Fractions by which clients of a cell will be served: of the narrowest decided cell of its chain, else by capacity. */
export function servingFractions(
  decisions: readonly (RouteDecision | undefined)[],
  nodes: readonly NodeInventory[],
): readonly Fraction[] {
  for (const decision of decisions) if (decision !== undefined) return decision.candidates;
  const total = nodes.reduce((sum, node) => sum + node.capacityRps, 0);
  return nodes.map((node) => ({ nodeId: node.nodeId, fraction: node.capacityRps / total }));
}
