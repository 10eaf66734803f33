import { z } from "zod";

/** Where alerts go, and how hard it is tried; see `webhookSchema`. */
export interface WebhookConfig {
  readonly url: string;
  readonly secretFile?: string | undefined;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly firstRetryMs: number;
}

export interface WebhookInput {
  readonly url: string;
  readonly secretFile?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly retries?: number | undefined;
  readonly firstRetryMs?: number | undefined;
}

export const webhookSchema: z.ZodType<WebhookConfig, WebhookInput> = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .refine(hasReadableCredentials, "has a % that is no escape in its credentials")
    .describe("Where alerts are posted as JSON; credentials in it are sent and never printed."),
  secretFile: z
    .string()
    .min(1)
    .optional()
    .describe("File, mode 600, with the secret that signs the bodies."),
  timeoutMs: z
    .number()
    .int()
    .min(100)
    .max(20_000)
    .default(5_000)
    .describe("Longest wait for one answer."),
  retries: z.number().int().min(0).max(10).default(3).describe("After them: a dead letter."),
  firstRetryMs: z
    .number()
    .int()
    .min(10)
    .max(10_000)
    .default(500)
    .describe("Wait before the first retry; it doubles, up to 8 s."),
});

function hasReadableCredentials(text: string): boolean {
  const { username, password } = new URL(text);
  try {
    return typeof decodeURIComponent(`${username}${password}`) === "string";
  } catch {
    return false;
  }
}
