import { OpenCdnError } from "../errors.ts";
import { readSecretFile, readSmallFile } from "../secret-file.ts";
import type { KafkaConfig, PasswordPlace } from "./config.ts";
import { maxCertificateBytes } from "./limits.ts";

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
    const text = `reading the password of ${whose}: the environment variable ${place.passwordVariable} is not set`;
    throw new OpenCdnError("OCDN_CONFIG", text);
  }
  return await readSecretFile(place.passwordFile as string, `the password of ${whose}`);
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
    readSmallFile({ path, what, maxBytes: maxCertificateBytes, secret });
  return {
    ...(caFile === undefined ? {} : { ca: await read(caFile, "the certificate authority", false) }),
    ...(certificateFile === undefined
      ? {}
      : { cert: await read(certificateFile, "the client's certificate", false) }),
    ...(keyFile === undefined ? {} : { key: await read(keyFile, "the client's key", true) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}
