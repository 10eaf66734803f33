import type { DecideOptions } from "./config.ts";

/** What is known of a path and a node, for one node of one cell. */
export interface CostInputs {
  readonly rttMs: number;
  readonly rttSigmaMs: number;
  readonly lossRatio: number;
  /** Service time of an idle node. */
  readonly serviceTimeMs: number;
  /** Predicted load over capacity, 0 or more. */
  readonly utilisation: number;
  readonly priceMs: number;
}

export interface Cost {
  readonly costMs: number;
  readonly lossCostMs: number;
  readonly queueMs: number;
}

/**
 * Shortest expected delay: RTT and a part of its uncertainty, what loss costs, service time over remaining capacity
 * (the mean response time of an M/M/1 queue), and the node's price. All in ms.
 */
export function costOf(inputs: CostInputs, options: DecideOptions): Cost {
  const lossCostMs = lossCost(inputs.lossRatio, inputs.rttMs, options);
  const remaining = 1 - Math.min(Math.max(inputs.utilisation, 0), options.maxUtilisation);
  const queueMs = inputs.serviceTimeMs / remaining;
  const costMs =
    inputs.rttMs +
    options.sigmaWeight * inputs.rttSigmaMs +
    lossCostMs +
    queueMs +
    Math.max(inputs.priceMs, 0);
  return { costMs, lossCostMs, queueMs };
}

/**
 * Expected delay by loss, ms: of `lossRoundTrips` packets each lost one waits for a retransmission timeout (at least
 * 200 ms) and a round trip, and may be lost again. 0.1 % costs 4 ms, 1 % 45 ms, 5 % 240 ms (unusable), 30 % 2 s.
 */
export function lossCost(lossRatio: number, rttMs: number, options: DecideOptions): number {
  const loss = Math.min(Math.max(lossRatio, 0), 0.99);
  return (options.lossRoundTrips * loss * (options.leastRetransmitMs + rttMs)) / (1 - loss);
}
