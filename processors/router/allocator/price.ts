import type { AllocatorOptions } from "./config.ts";

export interface PriceInputs {
  readonly priceMs: number;
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
 * The next price: dual ascent on predicted load <= target, with Newton's step where the load answers to the price,
 * damped and bounded. Never below 0; without excess the price goes back to 0.
 */
export function nextPrice(inputs: PriceInputs, options: AllocatorOptions): number {
  const target = inputs.targetRps;
  const excess = inputs.predictedRps - target;
  if (excess < 0 && inputs.priceMs === 0) return 0;
  const relative = excess / Math.max(target, 1e-9);
  const elastic = -inputs.slopeRpsPerMs > 1e-6 * Math.max(target, 1e-9);
  const wanted = elastic ? excess / -inputs.slopeRpsPerMs : relative * options.inelasticStepMs;
  const step = options.damping * wanted;
  const bounded = Math.min(options.maxStepMs, Math.max(-options.maxStepMs, step));
  return Math.min(options.maxPriceMs, Math.max(0, inputs.priceMs + bounded));
}
