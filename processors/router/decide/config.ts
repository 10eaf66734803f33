import { z } from "zod";
import type { PartialOptions } from "../../options.ts";

/** How costs become fractions; see `decideOptions` for reasons. */
export interface DecideOptions {
  readonly temperatureMs: number;
  readonly sigmaWeight: number;
  readonly lossRoundTrips: number;
  readonly leastRetransmitMs: number;
  readonly maxUtilisation: number;
  readonly leastFraction: number;
  readonly hysteresis: number;
  readonly stepMs: number;
  readonly unknownRttMs: number;
}

export type DecideInput = PartialOptions<DecideOptions>;

const ratio = z.number().min(0).max(1);

/** Options of the decide processor; unknown keys are refused. */
export const decideOptions: z.ZodType<DecideOptions, DecideInput> = z.strictObject({
  temperatureMs: z
    .number()
    .positive()
    .default(8)
    .describe(
      "Cost difference that divides a node's share by e: nodes within a few ms share, one 40 ms farther gets under 1 %.",
    ),
  sigmaWeight: z
    .number()
    .min(0)
    .default(0.5)
    .describe(
      "Share of the uncertainty that counts as cost: of two equal means the steadier path wins.",
    ),
  lossRoundTrips: z
    .number()
    .min(0)
    .default(20)
    .describe("Packets of a page whose loss stops it: each costs a retransmission timeout."),
  leastRetransmitMs: z
    .number()
    .min(0)
    .default(200)
    .describe("Lowest retransmission timeout in use (Linux); RFC 6298 says 1 s."),
  maxUtilisation: ratio
    .default(0.95)
    .describe("Utilisation at which the queueing term is held, so that it stays finite."),
  leastFraction: ratio
    .default(0.01)
    .describe("A smaller share is not worth a candidate: it becomes 0."),
  hysteresis: ratio
    .default(0.02)
    .describe("Fractions that would all move by less than this are not written."),
  stepMs: z
    .number()
    .int()
    .min(100)
    .default(1_000)
    .describe("Time between two steps of a shift that the policy's bound divides."),
  unknownRttMs: z
    .number()
    .positive()
    .default(150)
    .describe("RTT of a node that nothing is known of: half around the world."),
});
