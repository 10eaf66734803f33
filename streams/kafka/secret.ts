import { open } from "node:fs/promises";
import { type ErrorCode, messageOf, OpenCdnError } from "../errors.ts";
import type { KafkaConfig, PasswordPlace } from "./config.ts";
import { maxCertificateBytes, maxSecretBytes } from "./limits.ts";

/** Variables of the environment, handed over by whoever may read them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The password of `whose`, without white space around it. Throws OCDN_CONFIG; no message holds its content.
 */
export async function readPassword(
  place: PasswordPlace,
  whose: string,
  environment: Environment,
): Promise<string> {
  if (place.passwordVariable !== undefined) {
    const value = environment[place.passwordVariable]?.trim();
    if (value !== undefined && value !== "") return value;
    throw failure(whose, `the environment variable ${place.passwordVariable} is not set`);
  }
  const path = place.passwordFile as string;
  const secret = (await readSmall(path, `the password of ${whose}`, maxSecretBytes, true)).trim();
  if (secret === "") throw failure(whose, `${path} is empty`);
  return secret;
}

function failure(whose: string, reason: string): OpenCdnError {
  return new OpenCdnError("OCDN_CONFIG", `reading the password of ${whose}: ${reason}`);
}

/** TLS options as Node takes them: contents of the files instead of their names. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Reads the files of a TLS configuration; the key's may be read by its owner only. Throws OCDN_CONFIG. */
export async function readTls(tls: NonNullable<KafkaConfig["tls"]>): Promise<TlsMaterial> {
  const { caFile, certificateFile, keyFile, serverName } = tls;
  const read = (path: string, what: string, secret: boolean): Promise<string> =>
    readSmall(path, what, maxCertificateBytes, secret);
  return {
    ...(caFile === undefined ? {} : { ca: await read(caFile, "the certificate authority", false) }),
    ...(certificateFile === undefined
      ? {}
      : { cert: await read(certificateFile, "the client's certificate", false) }),
    ...(keyFile === undefined ? {} : { key: await read(keyFile, "the client's key", true) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

async function readSmall(
  path: string,
  what: string,
  maxBytes: number,
  secret: boolean,
): Promise<string> {
  const code: ErrorCode = "OCDN_CONFIG";
  const fail = (reason: string): OpenCdnError =>
    new OpenCdnError(code, `reading ${what} in ${path}: ${reason}`);
  const handle = await open(path, "r").catch((error: unknown) => {
    throw fail(messageOf(error));
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw fail("it is no file");
    if (secret && (stat.mode & 0o077) !== 0) throw fail("others may read it; set its mode to 600");
    if (stat.size > maxBytes) throw fail(`it has ${stat.size} bytes, more than ${maxBytes}`);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}
