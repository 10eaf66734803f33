/** What a rule says of its evidence: the value to report, and whether the condition for firing or for ending holds. */
export interface Verdict {
  readonly fires: boolean;
  /** The end of a firing alert. A rule may hold both conditions false: then nothing changes. */
  readonly ends: boolean;
  readonly value: number;
  readonly samples: number;
}

/** A sample's columns as a rule reads them. */
export interface Samples {
  readonly size: number;
  value(index: number, column: number): number;
}

export interface CpuRule {
  /** Ratio above which a sample counts, 0..1. */
  readonly above: number;
  readonly windowMs: number;
  /** Fewest samples in the window; all of them must be above. */
  readonly least: number;
  /** Ratio below which a sample counts towards the end. */
  readonly endBelow: number;
  /** Samples in a row below it that end the alert. */
  readonly endCount: number;
}

/**
 * Node CPU (seed rule 1): over 80 % for 5 minutes, of 30 samples at least 27 there and all above; ends after six in a
 * row below 75 %. `samples` holds the window, oldest first; column 0 is the ratio.
 */
export function judgeCpu(samples: Samples, rule: CpuRule): Verdict {
  let allAbove = true;
  let sum = 0;
  for (let i = 0; i < samples.size; i++) {
    const ratio = samples.value(i, 0);
    sum += ratio;
    if (!(ratio > rule.above)) allAbove = false;
  }
  let below = 0;
  for (let i = samples.size - 1; i >= 0 && samples.value(i, 0) < rule.endBelow; i--) below += 1;
  return {
    fires: samples.size >= rule.least && allAbove,
    ends: below >= rule.endCount,
    value: samples.size === 0 ? 0 : sum / samples.size,
    samples: samples.size,
  };
}

export interface DelayRule {
  readonly aboveMs: number;
  readonly quantile: number;
  readonly windowMs: number;
  readonly least: number;
}

/** The value at rank ceil(quantile x n), 1-based (nearest rank); 0 for no values. `values` is sorted in place. */
export function nearestRank(values: Float64Array, quantile: number): number {
  if (values.length === 0) return 0;
  values.sort();
  return values[rankOf(values.length, quantile) - 1] as number;
}

/** ceil(quantile x n), at least 1; a product that should be whole is not raised by its rounding error. */
function rankOf(count: number, quantile: number): number {
  return Math.max(1, Math.ceil(quantile * count - 1e-9));
}

/**
 * Cross-border delay (seed rule 2): P95 over one minute above 500 ms, of at least 20 samples. Whether the value at the
 * rank is above is told by counting; the value itself is found only where `wanted`, since it costs a sort.
 */
export function judgeDelay(values: Float64Array, rule: DelayRule, wanted: boolean): Verdict {
  let above = 0;
  for (const value of values) if (value > rule.aboveMs) above += 1;
  const fires =
    values.length >= rule.least && above > values.length - rankOf(values.length, rule.quantile);
  const value = fires || wanted ? nearestRank(values, rule.quantile) : 0;
  return { fires, ends: !fires, value, samples: values.length };
}

export interface ReconnectRule {
  readonly aboveRatio: number;
  readonly windowMs: number;
  readonly leastAttempts: number;
}

/**
 * WebSocket reconnects (seed rule 3): reconnects over all attempts above 5 % in 30 s, of at least 20 attempts. Column 1
 * is connects and column 2 reconnects.
 */
export function judgeReconnects(samples: Samples, rule: ReconnectRule): Verdict {
  let connects = 0;
  let reconnects = 0;
  for (let i = 0; i < samples.size; i++) {
    connects += samples.value(i, 1);
    reconnects += samples.value(i, 2);
  }
  const attempts = connects + reconnects;
  const value = attempts === 0 ? 0 : reconnects / attempts;
  const fires = attempts >= rule.leastAttempts && value > rule.aboveRatio;
  return { fires, ends: !fires, value, samples: attempts };
}

export interface FlapRule {
  readonly moreThan: number;
  readonly windowMs: number;
}

/** BGP flaps (seed rule 4): more than 10 of one peer and prefix in any 60 s, so the 11th fires at once. */
export function judgeFlaps(samples: Samples, rule: FlapRule): Verdict {
  const fires = samples.size > rule.moreThan;
  return { fires, ends: !fires, value: samples.size, samples: samples.size };
}
