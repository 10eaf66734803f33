import { z } from "zod";
import type { PartialOptions } from "../options.ts";

/** Thresholds of the alert rules; see `anomalyOptions` for reasons. */
export interface AnomalyOptions {
  readonly cpuRatio: number;
  readonly cpuResolveRatio: number;
  readonly cpuSampleMs: number;
  readonly cpuWindowSamples: number;
  readonly cpuMinSamples: number;
  readonly cpuResolveSamples: number;
  readonly delayMs: number;
  readonly delayQuantile: number;
  readonly delayWindowMs: number;
  readonly delayMinSamples: number;
  readonly reconnectRatio: number;
  readonly reconnectWindowMs: number;
  readonly reconnectMinAttempts: number;
  readonly flapsPerWindow: number;
  readonly flapWindowMs: number;
  readonly silenceMs: number;
}

export type AnomalyInput = PartialOptions<AnomalyOptions>;

const ratio = z.number().min(0).max(1);
const duration = z.number().int().positive();
const count = z.number().int().positive();

/** Options of the alert rules; the defaults are the rules of the seed, exactly. */
export const anomalyOptions: z.ZodType<AnomalyOptions, AnomalyInput> = z.strictObject({
  cpuRatio: ratio.default(0.8).describe("CPU over this for the whole window fires."),
  cpuResolveRatio: ratio
    .default(0.75)
    .describe("CPU below this resolves: lower than the threshold, so that it does not flutter."),
  cpuSampleMs: duration.default(10_000).describe("Distance of two samples of a node."),
  cpuWindowSamples: count.max(360).default(30).describe("Samples of a window: five minutes."),
  cpuMinSamples: count
    .default(27)
    .describe("Samples that must be there: one in ten may be lost on the way."),
  cpuResolveSamples: count.default(6).describe("Samples in a row below that resolve: a minute."),
  delayMs: z.number().positive().default(500).describe("P95 over this fires."),
  delayQuantile: ratio.default(0.95).describe("Quantile, by the nearest-rank method."),
  delayWindowMs: duration.max(600_000).default(60_000).describe("Window of the quantile."),
  delayMinSamples: count.default(20).describe("Fewer samples have no 95th percentile."),
  reconnectRatio: ratio
    .default(0.05)
    .describe("Reconnects / (connects + reconnects) over this fires."),
  reconnectWindowMs: duration.max(600_000).default(30_000).describe("Three samples of 10 s."),
  reconnectMinAttempts: count.default(20).describe("Fewer attempts are no ratio."),
  flapsPerWindow: count.max(1_000).default(10).describe("More flaps than this fire."),
  flapWindowMs: duration.default(60_000).describe("Sliding window of the flaps."),
  silenceMs: duration
    .default(60_000)
    .describe("A node without metrics for so long is silent: six samples."),
});
