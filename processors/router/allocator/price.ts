import type { AllocatorOptions } from "./config.ts";

/** A price on its way: what it is, and how it last moved. */
export interface PriceState {
  readonly priceMs: number;
  /** Size of the last move; 0 when it did not move. */
  readonly stepMs: number;
  /** 1 up, -1 down, 0 when it did not move. */
  readonly direction: number;
}

export const restingPrice: PriceState = { priceMs: 0, stepMs: 0, direction: 0 };

export interface LoadNow {
  readonly predictedRps: number;
  /** Change of load when the price rises by one ms; 0 or less. */
  readonly slopeRpsPerMs: number;
  /** Load that the price is to hold the node at or under. */
  readonly targetRps: number;
}

/**
 * Part of its capacity that a node may be filled to: the target, or more where the whole fleet's demand is more than
 * all targets together, so that an overload is shared in proportion to capacity instead of driving all prices up.
 */
export function fairUtilisation(
  totalPredictedRps: number,
  totalCapacityRps: number,
  options: AllocatorOptions,
): number {
  if (totalCapacityRps <= 0) return options.targetUtilisation;
  return Math.max(options.targetUtilisation, totalPredictedRps / totalCapacityRps);
}

/**
 * The next price, by dual ascent on predicted load <= target. Load answers to a price in a step as wide as the soft-min's
 * temperature, which may be far away: so the move doubles while it goes on in one direction and falls to a third when it
 * turns (as in Rprop, Riedmiller 1993), and is never more than Newton's step where the load answers. Never below 0;
 * without excess the price goes back to 0.
 */
export function nextPrice(
  before: PriceState,
  load: LoadNow,
  options: AllocatorOptions,
): PriceState {
  const { predictedRps, slopeRpsPerMs, targetRps } = load;
  const excess = predictedRps - targetRps;
  if (excess <= 0 && before.priceMs === 0) return restingPrice;
  const relative = Math.abs(excess) / Math.max(targetRps, 1e-9);
  if (relative < options.deadBandRatio && excess <= 0)
    return { ...before, stepMs: 0, direction: 0 };
  const direction = excess > 0 ? 1 : -1;
  const grown =
    before.direction === 0
      ? options.firstStepMs
      : before.stepMs * (before.direction === direction ? 2 : 1 / 3);
  const newton = slopeRpsPerMs < 0 ? Math.abs(excess / slopeRpsPerMs) : Number.POSITIVE_INFINITY;
  const stepMs = Math.min(
    options.maxStepMs,
    Math.max(options.leastStepMs, Math.min(grown, newton)),
  );
  const priceMs = Math.min(options.maxPriceMs, Math.max(0, before.priceMs + direction * stepMs));
  return { priceMs, stepMs, direction };
}
