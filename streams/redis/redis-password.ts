import { OpenCdnError } from "../errors.ts";
import { readSecretFile } from "../secret-file.ts";
import type { RedisConfig } from "./redis-config.ts";

/**
 * The password that the configuration points at, without white space around it; undefined where it names none. A file
 * must be readable by its owner only. Throws OCDN_CONFIG; no message holds the password.
 */
export async function readRedisPassword(
  { passwordFile, passwordEnv }: Pick<RedisConfig, "passwordFile" | "passwordEnv">,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (passwordFile !== undefined)
    return await readSecretFile(passwordFile, "the password of Redis");
  if (passwordEnv === undefined) return undefined;
  const password = environment[passwordEnv]?.trim() ?? "";
  if (password !== "") return password;
  const text = `reading the password of Redis: set the environment variable ${passwordEnv}`;
  throw new OpenCdnError("OCDN_CONFIG", text);
}
