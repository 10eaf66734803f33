import { z } from "zod";
import type { PartialOptions } from "../../options.ts";

/** How samples become estimates; see `estimatesOptions` for reasons. */
export interface EstimatesOptions {
  readonly gain: number;
  readonly parentGain: number;
  readonly sigmaGain: number;
  readonly lossGain: number;
  readonly initialSigmaRatio: number;
  readonly demandTauMs: number;
  readonly rttStepRatio: number;
  readonly rttStepMs: number;
  readonly lossStep: number;
  readonly demandStepRatio: number;
  readonly maxAgeMs: number;
}

export type EstimatesInput = PartialOptions<EstimatesOptions>;

const ratio = z.number().min(0).max(1);
const gain = z.number().gt(0).max(1);

/** Options of the estimates processor; unknown keys are refused. */
export const estimatesOptions: z.ZodType<EstimatesOptions, EstimatesInput> = z.strictObject({
  gain: gain
    .default(0.5)
    .describe(
      "Share of the newest sample in a cell's own RTT: paths change in steps, so the last value says most.",
    ),
  parentGain: gain
    .default(0.1)
    .describe("The same for wider cells, whose samples come from many cells in turn."),
  sigmaGain: gain.default(0.2).describe("Share of the newest deviation in the uncertainty."),
  lossGain: gain
    .default(0.3)
    .describe("Share of the newest sample in the loss: one sample has few packets."),
  initialSigmaRatio: ratio
    .default(0.25)
    .describe("Uncertainty of the first sample, as a share of it: nothing is known of its spread."),
  demandTauMs: z
    .number()
    .int()
    .min(1_000)
    .default(30_000)
    .describe(
      "Time in which old demand falls to 1/e: several seconds of sums, less than a flash crowd.",
    ),
  rttStepRatio: ratio.default(0.03).describe("An RTT that moved by less is not written again,"),
  rttStepMs: z.number().min(0).default(0.5).describe("nor one that moved by less than this."),
  lossStep: ratio.default(0.005),
  demandStepRatio: ratio.default(0.1),
  maxAgeMs: z
    .number()
    .int()
    .min(1_000)
    .default(60_000)
    .describe("An estimate with fresh evidence is written at least this often."),
});
