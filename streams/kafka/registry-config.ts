import { z } from "zod";
import { onePassword, type PasswordPlace, passwordFields } from "./config.ts";
import { defaultOperationMs, defaultRequestMs } from "./limits.ts";

/** Connection to a schema registry with Confluent's API; see `registrySchema` for meanings and defaults. */
export interface RegistryConfig {
  readonly url: string;
  readonly basic?: (PasswordPlace & { readonly username: string }) | undefined;
  readonly requestMs: number;
  readonly operationMs: number;
}

export interface RegistryInput {
  readonly url: string;
  readonly basic?: RegistryConfig["basic"];
  readonly requestMs?: number | undefined;
  readonly operationMs?: number | undefined;
}

const waitMs = z.number().int().min(100).max(600_000);

export const registrySchema: z.ZodType<RegistryConfig, RegistryInput> = z.strictObject({
  url: z
    .string()
    .max(2_048)
    .refine(isPlainUrl, "an http or https URL without user, query and fragment is wanted")
    .transform((url) => url.replace(/\/+$/, ""))
    .describe("Root of Confluent's API; of Apicurio http://HOST:PORT/apis/ccompat/v7."),
  basic: z
    .strictObject({ username: z.string().min(1).max(256), ...passwordFields })
    .refine(onePassword, "either passwordFile or passwordVariable is wanted")
    .optional()
    .describe("User of the registry; without it requests are anonymous."),
  requestMs: waitMs.default(defaultRequestMs).describe("Longest wait for one answer."),
  operationMs: waitMs
    .default(defaultOperationMs)
    .describe("Longest wait for one operation with its retries."),
});

/** URLs are shown in messages and files, so no secret may stand in one. */
function isPlainUrl(text: string): boolean {
  try {
    const { protocol, username, password, search, hash } = new URL(text);
    const web = protocol === "http:" || protocol === "https:";
    return web && username === "" && password === "" && search === "" && hash === "";
  } catch {
    return false;
  }
}
