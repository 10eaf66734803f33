import { z } from "zod";

/** How a recording is played as if it were live. */
export interface RebaseConfig {
  readonly speed: number;
}

/** Options of `ingest mrt`; see `mrtSourceSchema` for meanings and defaults. */
export interface MrtSourceConfig {
  readonly collector: string;
  readonly rebase?: RebaseConfig | undefined;
}

/** What may be given; the rest has defaults. */
export interface MrtSourceInput {
  readonly collector?: string | undefined;
  readonly rebase?: { readonly speed?: number | undefined } | undefined;
}

export const mrtSourceSchema: z.ZodType<MrtSourceConfig, MrtSourceInput> = z.strictObject({
  collector: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, "is not 1 to 64 letters, digits, dots, dashes or underscores")
    .default("mrt")
    .describe("Name of the collector that wrote the file, the first part of its peers' keys."),
  rebase: z
    .strictObject({
      speed: z
        .number()
        .min(0.001)
        .max(1_000_000)
        .default(1)
        .describe("How many times faster than recorded."),
    })
    .optional()
    .describe("Play the file from now on as if it were live; left out: keep its times."),
});
