import { z } from "zod";
import type { PartialOptions } from "../../options.ts";

/** How prices move; see `allocatorOptions` for reasons. */
export interface AllocatorOptions {
  readonly tickMs: number;
  readonly targetUtilisation: number;
  readonly moveEveryTicks: number;
  readonly firstStepMs: number;
  readonly leastStepMs: number;
  readonly deadBandRatio: number;
  readonly smoothing: number;
  readonly maxStepMs: number;
  readonly maxPriceMs: number;
  readonly leastMoveMs: number;
  readonly metricsFreshMs: number;
}

export type AllocatorInput = PartialOptions<AllocatorOptions>;

/** Options of the allocator; unknown keys are refused. */
export const allocatorOptions: z.ZodType<AllocatorOptions, AllocatorInput> = z.strictObject({
  tickMs: z.number().int().min(100).default(1_000),
  targetUtilisation: z
    .number()
    .gt(0)
    .max(1)
    .default(0.85)
    .describe(
      "Prices hold predicted load at or under this part of capacity: the rest is for what prediction misses.",
    ),
  moveEveryTicks: z
    .number()
    .int()
    .min(1)
    .default(2)
    .describe(
      "Ticks between two moves of the prices: the loads must have answered to the last one.",
    ),
  firstStepMs: z.number().positive().default(2).describe("Step of a price that begins to move."),
  leastStepMs: z.number().positive().default(0.25).describe("A step does not become smaller."),
  maxStepMs: z
    .number()
    .positive()
    .default(32)
    .describe("Nor larger: four temperatures of `decide`."),
  deadBandRatio: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe("A priced node within this of its target is let be."),
  maxPriceMs: z
    .number()
    .positive()
    .default(1_000)
    .describe("Highest price: beyond it no client is left that another node could serve better."),
  smoothing: z
    .number()
    .gt(0)
    .max(1)
    .default(1 / 30)
    .describe(
      "Share of a tick's utilisation in the smoothed one: 30 s, so that the queueing term never races the price.",
    ),
  leastMoveMs: z
    .number()
    .min(0)
    .default(0.25)
    .describe("A price that moved by less is not written."),
  metricsFreshMs: z
    .number()
    .int()
    .min(1_000)
    .default(35_000)
    .describe("A node is taken for alive in the scores while its metrics are this fresh."),
});
