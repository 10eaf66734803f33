import type { AnomalyOptions } from "./config.ts";

/** Extremes of a node's CPU samples in one slot of `cpuSampleMs`. */
export interface CpuSample {
  readonly slot: number;
  readonly low: number;
  readonly high: number;
}

/** The samples of the last window, by slot. */
export interface CpuHistory {
  /** Slot in which the samples began: a window counts when it lies wholly after. */
  readonly sinceSlot: number;
  readonly samples: readonly CpuSample[];
}

export const noCpuHistory: CpuHistory = { sinceSlot: 0, samples: [] };

/** What a rule says after an event; `value` and `samples` are its evidence. */
export interface Finding {
  readonly verdict: "fire" | "resolve" | "keep";
  readonly value: number;
  readonly samples: number;
}

/** The history with one sample more; two in one slot are one, so that a burst is no five minutes. */
export function withCpuSample(
  history: CpuHistory,
  atMs: number,
  cpuRatio: number,
  options: AnomalyOptions,
): CpuHistory {
  const slot = Math.floor(atMs / options.cpuSampleMs);
  const newest = Math.max(slot, history.samples.at(-1)?.slot ?? slot);
  const oldest = newest - options.cpuWindowSamples + 1;
  if (slot < oldest) return history;
  const kept = history.samples.filter((sample) => sample.slot >= oldest && sample.slot !== slot);
  const same = history.samples.find((sample) => sample.slot === slot);
  const sample = {
    slot,
    low: Math.min(cpuRatio, same?.low ?? cpuRatio),
    high: Math.max(cpuRatio, same?.high ?? cpuRatio),
  };
  const sinceSlot = kept.length === 0 ? slot : Math.min(slot, history.sinceSlot);
  return { sinceSlot, samples: [...kept, sample].sort((a, b) => a.slot - b.slot) };
}

/**
 * CPU over the threshold for five minutes: of the 30 slots that end with the newest sample at least 27 have one,
 * all above, and samples were there when the window began. Resolves after 6 samples in a row below 75 %.
 */
export function judgeCpu(history: CpuHistory, options: AnomalyOptions): Finding {
  const { samples } = history;
  const newest = samples.at(-1)?.slot ?? 0;
  const value = mean(samples);
  const found = { value, samples: samples.length };
  const cool = samples.slice(-options.cpuResolveSamples);
  if (
    cool.length === options.cpuResolveSamples &&
    cool.every((sample) => sample.high < options.cpuResolveRatio)
  ) {
    return { ...found, verdict: "resolve", value: mean(cool) };
  }
  const whole = newest - history.sinceSlot >= options.cpuWindowSamples - 1;
  const above = samples.every((sample) => sample.low > options.cpuRatio);
  const fires = whole && above && samples.length >= options.cpuMinSamples;
  return { ...found, verdict: fires ? "fire" : "keep" };
}

function mean(samples: readonly CpuSample[]): number {
  let sum = 0;
  for (const sample of samples) sum += sample.low;
  return samples.length === 0 ? 0 : sum / samples.length;
}
