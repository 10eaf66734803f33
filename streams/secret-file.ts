import { open } from "node:fs/promises";
import { messageOf, OpenCdnError } from "./errors.ts";

/** Largest password or key of ours: more is some other file. */
export const maxSecretBytes: number = 4_096;

export interface SmallFile {
  readonly path: string;
  /** For messages: `the password of Redis`. */
  readonly what: string;
  readonly maxBytes: number;
  /** Nobody but its owner may read it. */
  readonly secret: boolean;
}

/**
 * A small text file named by a configuration. Throws OCDN_CONFIG when it cannot be read, is no file, is too large, or
 * is a secret that others may read; no message holds its content.
 */
export async function readSmallFile(file: SmallFile): Promise<string> {
  const { path, what, maxBytes } = file;
  const fail = (reason: string): OpenCdnError =>
    new OpenCdnError("OCDN_CONFIG", `reading ${what} in ${path}: ${reason}`);
  const handle = await open(path, "r").catch((error: unknown) => {
    throw fail(messageOf(error));
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw fail("it is no file");
    if (file.secret && (stat.mode & 0o077) !== 0) {
      throw fail("others may read it; set its mode to 600");
    }
    if (stat.size > maxBytes) throw fail(`it has ${stat.size} bytes, more than ${maxBytes}`);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** A secret without the white space around it. Throws as `readSmallFile` does, and when nothing is left. */
export async function readSecretFile(path: string, what: string): Promise<string> {
  const text = await readSmallFile({ path, what, maxBytes: maxSecretBytes, secret: true });
  const secret = text.trim();
  if (secret !== "") return secret;
  throw new OpenCdnError("OCDN_CONFIG", `reading ${what} in ${path}: it is empty`);
}
