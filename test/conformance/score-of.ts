import type { NodeScore } from "../../schemas/generated/events.ts";

/** A score of `nodeId`. */
export function scoreOf(nodeId: string, staticScore: number): NodeScore {
  return {
    eventId: new Uint8Array(16),
    eventMs: 1,
    logicVersion: 1,
    nodeId,
    staticScore,
    liveCostMs: 1,
    learnedCorrectionMs: 0,
    latencyMs: 10,
    lossRatio: 0,
    loadRatio: 0,
    alive: true,
  };
}
