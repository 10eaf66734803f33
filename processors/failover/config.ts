import { z } from "zod";
import type { PartialOptions } from "../options.ts";

/** How the health quorum judges nodes; see `failoverOptions` for reasons. */
export interface FailoverOptions {
  readonly verdictFreshMs: number;
  readonly quorum: number;
  readonly goodChecks: number;
  readonly rampMultipliers: readonly number[];
  readonly rampStepMs: number;
}

export type FailoverInput = PartialOptions<FailoverOptions>;

/** Options of the failover processor; unknown keys are refused. */
export const failoverOptions: z.ZodType<FailoverOptions, FailoverInput> = z.strictObject({
  verdictFreshMs: z
    .number()
    .int()
    .positive()
    .default(2_000)
    .describe(
      "A vantage point's verdict counts for so long: four checks of 500 ms, so that a vantage that stops cannot hold a node dead or alive.",
    ),
  quorum: z
    .number()
    .int()
    .min(2)
    .default(2)
    .describe(
      "Fewest fresh verdicts that must agree, and they must be the majority: two of three.",
    ),
  goodChecks: z
    .number()
    .int()
    .positive()
    .default(20)
    .describe(
      "Good checks in a row that a quorum of vantage points wants before a dead node returns: 10 s of 500 ms checks.",
    ),
  rampMultipliers: z
    .array(z.number().positive().max(1))
    .min(1)
    .max(32)
    .default([0.1, 0.25, 0.5, 0.75, 1])
    .refine(isRamp, "must rise and end with 1")
    .describe(
      "Share of its normal clients that a returning node gets, step by step: cold caches first.",
    ),
  rampStepMs: z
    .number()
    .int()
    .positive()
    .default(2_000)
    .describe("Time between two steps of the ramp: long enough for load to show in its health."),
});

function isRamp(multipliers: readonly number[]): boolean {
  return (
    multipliers.at(-1) === 1 &&
    multipliers.every((value, at) => at === 0 || value > (multipliers[at - 1] as number))
  );
}
