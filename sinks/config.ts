import { z } from "zod";

/** Configuration of the process that hosts the sinks. */
export interface SinksConfig {
  readonly folder: string;
  readonly metricsHost: string;
  readonly metricsPort: number;
  readonly attribution: string;
  readonly webhook?:
    | {
        readonly url: string;
        readonly secretFile?: string | undefined;
        readonly timeoutMs: number;
        readonly retries: number;
        readonly firstRetryMs: number;
      }
    | undefined;
}

export interface SinksInput {
  readonly folder: string;
  readonly metricsHost?: string | undefined;
  readonly metricsPort?: number | undefined;
  readonly attribution?: string | undefined;
  readonly webhook?:
    | {
        readonly url: string;
        readonly secretFile?: string | undefined;
        readonly timeoutMs?: number | undefined;
        readonly retries?: number | undefined;
        readonly firstRetryMs?: number | undefined;
      }
    | undefined;
}

export const sinksSchema: z.ZodType<SinksConfig, SinksInput> = z.strictObject({
  folder: z.string().min(1).describe("Data folder of the engine."),
  metricsHost: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address of the Prometheus endpoint."),
  metricsPort: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8_082)
    .describe("Its port; 0: a free one."),
  attribution: z
    .string()
    .max(500)
    .default("")
    .describe("Attribution of the geo data, shown with the metrics."),
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).describe("Where alerts are posted as JSON."),
      secretFile: z
        .string()
        .min(1)
        .optional()
        .describe("File, mode 600, with the secret that signs the bodies."),
      timeoutMs: z.number().int().min(100).max(20_000).default(5_000),
      retries: z.number().int().min(0).max(10).default(3).describe("After them: a dead letter."),
      firstRetryMs: z.number().int().min(10).max(10_000).default(500),
    })
    .optional()
    .describe("Without it alerts stay on the log and in the metrics."),
});
