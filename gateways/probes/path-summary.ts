import type { CheckResult } from "./http-check.ts";

/** What one round of requests says about a path. */
export interface PathSummary {
  /** Median of the answers; null when every request was lost. */
  readonly rttMs: number | null;
  readonly lossRatio: number;
  /** Mean deviation from the median, ms. */
  readonly jitterMs: number;
  readonly sampleCount: number;
}

/**
 * Sums a round up; undefined when it says nothing about the path: a refused connection is the node's doing (or
 * its absence) and no packet loss.
 */
export function summarise(results: readonly CheckResult[]): PathSummary | undefined {
  const rtts: number[] = [];
  let lost = 0;
  for (const result of results) {
    if (result.kind === "answered") rtts.push(result.rttMs);
    if (result.kind === "lost") lost += 1;
  }
  const sampleCount = rtts.length + lost;
  if (sampleCount === 0) return undefined;
  const lossRatio = lost / sampleCount;
  const rttMs = median(rtts);
  if (rttMs === undefined) return { rttMs: null, lossRatio, jitterMs: 0, sampleCount };
  const deviation = rtts.reduce((sum, rtt) => sum + Math.abs(rtt - rttMs), 0);
  return { rttMs, lossRatio, jitterMs: deviation / rtts.length, sampleCount };
}

function median(values: number[]): number | undefined {
  values.sort((left, right) => left - right);
  const middle = values.length >> 1;
  const upper = values[middle];
  if (upper === undefined || values.length % 2 === 1) return upper;
  return ((values[middle - 1] as number) + upper) / 2;
}
