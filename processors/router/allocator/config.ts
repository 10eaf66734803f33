import { z } from "zod";
import type { PartialOptions } from "../../options.ts";

/** How prices move; see `allocatorOptions` for reasons. */
export interface AllocatorOptions {
  readonly tickMs: number;
  readonly targetUtilisation: number;
  readonly damping: number;
  readonly maxStepMs: number;
  readonly maxPriceMs: number;
  readonly inelasticStepMs: number;
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
  damping: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe(
      "Part of Newton's step that is taken: load answers a tick later, and all nodes move at once.",
    ),
  maxStepMs: z.number().positive().default(20).describe("Largest change of a price in one tick."),
  maxPriceMs: z
    .number()
    .positive()
    .default(1_000)
    .describe("Highest price: beyond it no client is left that another node could serve better."),
  inelasticStepMs: z
    .number()
    .positive()
    .default(10)
    .describe("Step for an excess of the whole capacity where load does not answer to price."),
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
