import { createSecretKey, type KeyObject } from "node:crypto";
import { readSecretFile } from "../../streams/secret-file.ts";

/** The webhook's secret in a file that only its owner may read. Throws OCDN_CONFIG; no message holds its content. */
export async function readSecret(file: string): Promise<KeyObject> {
  return createSecretKey(Buffer.from(await readSecretFile(file, "the webhook's secret")));
}
