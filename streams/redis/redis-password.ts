import { open } from "node:fs/promises";
import { messageOf, OpenCdnError } from "../errors.ts";
import type { RedisConfig } from "./redis-config.ts";

const maxPasswordBytes = 4_096;

/**
 * The password that the configuration points at, without white space around it; undefined where it names none. A file
 * must be readable by its owner only. Throws OCDN_CONFIG; no message holds the password.
 */
export async function readRedisPassword(
  { passwordFile, passwordEnv }: Pick<RedisConfig, "passwordFile" | "passwordEnv">,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (passwordFile !== undefined) return await passwordIn(passwordFile);
  if (passwordEnv === undefined) return undefined;
  const password = environment[passwordEnv]?.trim() ?? "";
  if (password !== "") return password;
  const text = `reading the password of Redis: set the environment variable ${passwordEnv}`;
  throw new OpenCdnError("OCDN_CONFIG", text);
}

async function passwordIn(file: string): Promise<string> {
  const fail = (reason: string): OpenCdnError =>
    new OpenCdnError("OCDN_CONFIG", `reading the password of Redis ${file}: ${reason}`);
  const handle = await open(file, "r").catch((error: unknown) => {
    throw fail(messageOf(error));
  });
  try {
    const { mode, size } = await handle.stat();
    if ((mode & 0o077) !== 0) throw fail("others may read it; set its mode to 600");
    if (size > maxPasswordBytes) throw fail(`it has ${size} bytes, more than ${maxPasswordBytes}`);
    const password = (await handle.readFile("utf8")).trim();
    if (password === "") throw fail("it is empty");
    return password;
  } finally {
    await handle.close();
  }
}
