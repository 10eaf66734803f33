import { z } from "zod";
import type { PartialOptions } from "../../options.ts";

/** What the rib remembers beside the routes; see `ribOptions` for reasons. */
export interface RibOptions {
  readonly flapMemoryMs: number;
  readonly flapMemoryRoutes: number;
  readonly peerWriteMs: number;
  readonly sweepEvery: number;
}

export type RibInput = PartialOptions<RibOptions>;

/** Options of the rib; unknown keys are refused. */
export const ribOptions: z.ZodType<RibOptions, RibInput> = z.strictObject({
  flapMemoryMs: z
    .number()
    .int()
    .positive()
    .default(3_600_000)
    .describe(
      "A route that comes back later than this after its withdrawal is new, not a flap: an hour, as long as a route stays suppressed by flap damping (RFC 2439).",
    ),
  flapMemoryRoutes: z
    .number()
    .int()
    .min(1)
    .max(16_777_216)
    .default(131_072)
    .describe(
      "Withdrawn routes remembered by one task, the newest: 115 bytes each, 15 MB at most.",
    ),
  peerWriteMs: z
    .number()
    .int()
    .positive()
    .default(10_000)
    .describe("How often a peer's last message is written, in its own time: six times a minute."),
  sweepEvery: z
    .number()
    .int()
    .positive()
    .default(16)
    .describe(
      "A slice (1/256) of the routes that a peer lost is freed with every so many records: each walks the store once, about 10 ms for a million routes.",
    ),
});
