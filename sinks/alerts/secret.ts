import { createSecretKey, type KeyObject } from "node:crypto";
import { open } from "node:fs/promises";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";

const maxSecretBytes = 4_096;

/**
 * The secret in a file that only its owner may read, without white space around it. Throws OCDN_CONFIG; no message
 * holds its content.
 */
export async function readSecret(file: string): Promise<KeyObject> {
  const fail = (reason: string): OpenCdnError =>
    new OpenCdnError("OCDN_CONFIG", `reading the webhook's secret ${file}: ${reason}`);
  const handle = await open(file, "r").catch((error: unknown) => {
    throw fail(messageOf(error));
  });
  try {
    const { mode, size } = await handle.stat();
    if ((mode & 0o077) !== 0) throw fail("others may read it; set its mode to 600");
    if (size > maxSecretBytes) throw fail(`it has ${size} bytes, more than ${maxSecretBytes}`);
    const secret = (await handle.readFile("utf8")).trim();
    if (secret === "") throw fail("it is empty");
    return createSecretKey(Buffer.from(secret));
  } finally {
    await handle.close();
  }
}
