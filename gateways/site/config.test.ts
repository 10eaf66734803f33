import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  clientAddressOptions,
  geoOptions,
  geoSchema,
  keyRingOptions,
  keyRingSchema,
  proxySchema,
} from "./config.ts";
import {
  asnAttribution,
  attributionsOf,
  attributionText,
  dbIpAttribution,
} from "./geo-attribution.ts";

describe("the configuration of a site", () => {
  it("defaults to the databases of the packages, in the data folder", () => {
    const options = geoOptions(geoSchema.parse({}), "/data");
    expect(options.cacheFolder).toBe("/data/geo");
    expect([...options.cityDatabases, ...options.asnDatabases].map(existsSync)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(keyRingOptions(keyRingSchema.parse({}), "/data").file).toBe("/data/keys.json");
    expect(clientAddressOptions(proxySchema.parse({}))).toEqual({
      trustedProxies: [],
      forwardedHeader: "either",
    });
  });

  it("refuses unknown keys and networks that are none", () => {
    expect(geoSchema.safeParse({ cityDatabase: [] }).success).toBe(false);
    expect(geoSchema.safeParse({ cityDatabases: [] }).success).toBe(false);
    expect(keyRingSchema.safeParse({ reloadPollMs: 0 }).success).toBe(false);
    expect(proxySchema.safeParse({ trusted: ["10.0.0.0/33"] }).success).toBe(false);
    expect(proxySchema.parse({ trusted: ["10.0.0.0/8"] }).trusted).toEqual(["10.0.0.0/8"]);
  });
});

describe("attributions", () => {
  const source = (databaseType: string) => ({
    file: "x",
    sizeBytes: 1,
    modifiedMs: 0,
    sha256: "",
    databaseType,
    builtMs: 0,
  });

  it("name those who made the databases in use", () => {
    expect(attributionsOf([source("city ipv4"), source("city ipv6"), source("csv")])).toEqual([
      dbIpAttribution,
      asnAttribution,
    ]);
    expect(attributionsOf([source("DBIP-City-Lite")])).toEqual([dbIpAttribution]);
    expect(attributionText([source("GeoLite2-City")])).toContain("MaxMind");
    expect(attributionText([source("city ipv4")])).toContain("https://db-ip.com");
    expect(attributionText([])).toBe("");
  });
});
