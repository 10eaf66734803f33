import { z } from "zod";
import { type RedisConfig, type RedisInput, redisSchema } from "../streams/redis/redis-config.ts";
import { type WebhookConfig, type WebhookInput, webhookSchema } from "./alerts/config.ts";

/** Configuration of the process that hosts the sinks; see `sinksSchema` for meanings and defaults. */
export interface SinksConfig {
  readonly folder: string;
  readonly metricsHost: string;
  readonly metricsPort: number;
  readonly attribution: string;
  readonly webhook?: WebhookConfig | undefined;
  readonly redis?: RedisConfig | undefined;
}

export interface SinksInput {
  readonly folder: string;
  readonly metricsHost?: string | undefined;
  readonly metricsPort?: number | undefined;
  readonly attribution?: string | undefined;
  readonly webhook?: WebhookInput | undefined;
  readonly redis?: RedisInput | undefined;
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
  webhook: webhookSchema
    .optional()
    .describe("Without it alerts stay on the log and in the metrics."),
  redis: redisSchema
    .optional()
    .describe("Where node scores are kept for others to read; without it in memory alone."),
});
