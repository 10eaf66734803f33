/**
 * The seed's formula, exactly: `0.4*(1-latency/500)+0.3*(1-loss)+0.3*(1-load)`, clamped to 0..1. For comparison and as
 * the fallback; it lets a node with 30 % loss beat a clean one that is 113 ms slower.
 */
export function staticScore(latencyMs: number, lossRatio: number, loadRatio: number): number {
  const score = 0.4 * (1 - latencyMs / 500) + 0.3 * (1 - lossRatio) + 0.3 * (1 - loadRatio);
  return Math.min(1, Math.max(0, score));
}
