import { z } from "zod";
import type { PartialOptions } from "../../options.ts";

/** When a prefix counts as seen; see `visibilityOptions` for reasons. */
export interface VisibilityOptions {
  readonly minLivePeers: number;
  readonly silenceMs: number;
  readonly notSeenRatio: number;
  readonly seenRatio: number;
}

export type VisibilityInput = PartialOptions<VisibilityOptions>;

/** Options of the visibility processor; unknown keys are refused. */
export const visibilityOptions: z.ZodType<VisibilityOptions, VisibilityInput> = z
  .strictObject({
    minLivePeers: z
      .number()
      .int()
      .min(1)
      .default(3)
      .describe(
        "Fewer live peers with a view say nothing for certain: one or two may have the same broken upstream.",
      ),
    silenceMs: z
      .number()
      .int()
      .positive()
      .default(60_000)
      .describe(
        "A feed without any message for so long says nothing about now. Peers are written every 10 s, so silence may be found up to 10 s early, never late.",
      ),
    notSeenRatio: z
      .number()
      .min(0)
      .max(1)
      .default(0.1)
      .describe(
        "Up to this share of the live peers with a route, the prefix is not visible: withdrawn routes stay behind at a few peers for hours.",
      ),
    seenRatio: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe("From this share on the prefix is visible; between the two nothing is certain."),
  })
  .refine((options) => options.notSeenRatio < options.seenRatio, "notSeenRatio must be lower");
