import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../domain/address.ts";
import { addressOfKey, KEYS_4 } from "../../domain/block.ts";
import { cellName } from "../../domain/cell.ts";
import { distanceKm } from "../../domain/distance.ts";
import { GeoTable } from "../../domain/geo-table.ts";
import { formatPrefix } from "../../domain/prefix.ts";
import { placeOfRecord } from "./geo-oracle.ts";
import { compileDatabases } from "./geo-sources.ts";
import { openMmdb } from "./mmdb-file.ts";
import { type MmdbInput, type MmdbValue, writeMmdb } from "./testing/mmdb-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "opencdn-geo-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function fileOf(content: Buffer | string): string {
  const file = join(folder, `file-${files++}`);
  writeFileSync(file, content);
  return file;
}

function tableOf(cities: readonly MmdbInput[], asns: readonly (Buffer | string)[] = []): GeoTable {
  const { arrays } = compileDatabases({
    cityDatabases: cities.map((city) => fileOf(writeMmdb(city))),
    asnDatabases: asns.map(fileOf),
  });
  return new GeoTable(arrays, "0".repeat(64));
}

function cellOf(table: GeoTable, text: string): string {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  const { cell, block } = table.locate(address);
  return `${cell} ${formatPrefix(block)}`;
}

const tokyo = { country_code: "JP", state1: "Tokyo", latitude: 35.69, longitude: 139.69 };
const osaka = { country_code: "JP", state1: "Osaka", latitude: 34.69, longitude: 135.5 };
const nested = (code: string, region: string): MmdbValue => ({
  continent: { code: "EU" },
  country: { iso_code: code, names: { en: "x" } },
  location: { latitude: 50.11, longitude: 8.68 },
  subdivisions:
    region === "" ? [] : [{ iso_code: region, names: { en: "Hesse" } }, { iso_code: "ZZ" }],
});

describe("compileDatabases", () => {
  it("joins places and AS numbers into cells and blocks", () => {
    const table = tableOf(
      [
        {
          networks: [
            ["203.0.112.0/22", tokyo],
            ["203.0.114.0/24", osaka],
          ],
        },
      ],
      ['203.0.112.0,203.0.112.255,2516,"KDDI, Corp"\n203.0.114.0,203.0.115.255,4713,NTT\n'],
    );
    expect(cellOf(table, "203.0.112.9")).toBe("JP/tokyo/2516 203.0.112.0/24");
    expect(cellOf(table, "203.0.113.9")).toBe("JP/tokyo 203.0.113.0/24");
    expect(cellOf(table, "203.0.114.9")).toBe("JP/osaka/4713 203.0.114.0/24");
    expect(cellOf(table, "203.0.115.9")).toBe("JP/tokyo/4713 203.0.115.0/24");
    expect(cellOf(table, "203.0.116.0")).toBe("ZZ 203.0.116.0/22");
  });

  it("does not split a block where the cell stays the same", () => {
    const table = tableOf([
      {
        networks: [
          ["203.0.0.0/17", { ...tokyo, city: "a" }],
          ["203.0.128.0/17", { ...tokyo, city: "b" }],
        ],
      },
    ]);
    expect(cellOf(table, "203.0.1.1")).toBe("JP/tokyo 203.0.0.0/16");
  });

  it("gives a /24 to the region that has most of it, the first in a tie, a known one in doubt", () => {
    const table = tableOf([
      {
        networks: [
          ["192.0.2.0/26", tokyo],
          ["192.0.2.64/26", osaka],
          ["192.0.2.128/26", osaka],
          ["198.51.100.0/25", tokyo],
          ["198.51.100.128/25", osaka],
          ["203.0.113.254/32", tokyo],
        ],
      },
    ]);
    expect(cellOf(table, "192.0.2.1")).toBe("JP/osaka 192.0.2.0/24");
    expect(cellOf(table, "192.0.2.250")).toBe("JP/osaka 192.0.2.0/24");
    expect(cellOf(table, "203.0.113.7")).toBe("JP/tokyo 203.0.113.0/24");
    expect(cellOf(table, "198.51.100.200")).toBe("JP/tokyo 198.51.100.0/24");
  });

  it("reads both families of one database, and IPv6 blocks of any length", () => {
    const table = tableOf([
      {
        ipVersion: 6,
        networks: [
          ["192.0.2.0/24", nested("DE", "HE")],
          ["2001:db8::/32", nested("FR", "")],
          ["2001:db8:8000::/34", nested("DE", "HE")],
          ["2001:db9:0:100::/64", nested("DE", "HE")],
        ],
      },
    ]);
    expect(cellOf(table, "192.0.2.1")).toBe("DE/he 192.0.2.0/24");
    expect(cellOf(table, "::ffff:192.0.2.1")).toBe("DE/he 192.0.2.0/24");
    expect(cellOf(table, "2001:db8::1")).toBe("FR 2001:db8::/33");
    expect(cellOf(table, "2001:db8:9::1")).toBe("FR 2001:db8::/33");
    expect(cellOf(table, "2001:db8:8000::1")).toBe("DE/he 2001:db8:8000::/34");
    expect(cellOf(table, "2001:db8:c000::1")).toBe("FR 2001:db8:c000::/34");
    expect(cellOf(table, "2001:db9:0:100::1")).toBe("DE/he 2001:db9:0:100::/56");
  });

  it("takes each family from the first database that has it", () => {
    const table = tableOf([
      { networks: [["10.0.0.0/8", tokyo]] },
      {
        ipVersion: 6,
        networks: [
          ["10.0.0.0/8", osaka],
          ["2001:db8::/32", osaka],
        ],
      },
    ]);
    expect(cellOf(table, "10.1.1.1")).toContain("JP/tokyo ");
    expect(cellOf(table, "2001:db8::1")).toContain("JP/osaka ");
  });

  it("places a cell in the middle of its networks, and a country in that of its cells", () => {
    const table = tableOf([
      {
        networks: [
          ["10.0.0.0/16", tokyo],
          ["10.1.0.0/16", osaka],
        ],
      },
    ]);
    const place = (text: string) =>
      table.placeOf(table.cellOf(table.find(4, parseAddress(text)?.bytes ?? new Uint8Array(4))));
    expect(distanceKm(place("10.0.0.1") ?? tokyo, tokyo)).toBeLessThan(0.1);
    const country = table.parentOf(table.cellOf(table.find(4, Uint8Array.of(10, 0, 0, 1))));
    const middle = table.placeOf(country);
    expect(table.nameOf(country)).toBe("JP");
    expect(
      Math.abs(distanceKm(middle ?? tokyo, tokyo) - distanceKm(middle ?? tokyo, osaka)),
    ).toBeLessThan(1);
  });

  it.each<[string, () => unknown]>([
    [
      "file not found",
      () => compileDatabases({ cityDatabases: ["/nowhere.mmdb"], asnDatabases: [] }),
    ],
    [
      "no record of this database (Test-City) names a country",
      () => tableOf([{ networks: [["1.0.0.0/8", { x: 1 }]] }]),
    ],
    [
      "names an AS number",
      () =>
        tableOf(
          [{ networks: [["1.0.0.0/8", tokyo]] }],
          [writeMmdb({ networks: [["1.0.0.0/8", tokyo]] })],
        ),
    ],
    [
      "line 2: the first field is no address",
      () => tableOf([{ networks: [["1.0.0.0/8", tokyo]] }], ["1.0.0.0,1.0.0.255,7,x\nsomething\n"]),
    ],
  ])("throws OCDN_GEO: %s", (message, run) => {
    expect(run).toThrow(
      expect.objectContaining({ code: "OCDN_GEO", message: expect.stringContaining(message) }),
    );
  });

  it("reads AS numbers from a database as well", () => {
    const asn = writeMmdb({
      networks: [["10.0.0.0/9", { autonomous_system_number: 4_200_000_001 }]],
    });
    const table = tableOf([{ networks: [["10.0.0.0/8", tokyo]] }], [asn]);
    expect(cellOf(table, "10.1.1.1")).toBe("JP/tokyo/4200000001 10.1.0.0/16");
    expect(cellOf(table, "10.200.1.1")).toBe("JP/tokyo 10.200.0.0/16");
  });
});

describe("against maxmind", () => {
  const record = fc.constantFrom<MmdbValue>(
    tokyo,
    osaka,
    nested("DE", "HE"),
    nested("FR", ""),
    { country_code: "" },
    "text",
  );
  const network = fc.tuple(fc.nat({ max: 4_095 }), fc.integer({ min: 13, max: 24 }), record);
  it("every /24 of random databases has maxmind's country and region", () => {
    const bytes = new Uint8Array(16);
    const sizes = fc.constantFrom(24, 28, 32);
    fc.assert(
      fc.property(
        fc.array(network, { minLength: 1, maxLength: 12 }),
        sizes,
        fc.constantFrom(4, 6),
        (list, recordSize, ipVersion) => {
          const networks = list.map(([key, length, value]): [string, MmdbValue] => {
            addressOfKey(4, key << 12, bytes);
            return [`${formatAddress(bytes, 0, 4)}/${length}`, value];
          });
          networks.push(["240.0.0.0/4", tokyo]);
          const input: MmdbInput = { networks, recordSize, ipVersion };
          const { reader } = openMmdb("x", writeMmdb(input));
          const table = tableOf([input]);
          for (const [key] of list) {
            for (const step of [-1, 0, 1, 77]) {
              addressOfKey(4, Math.min(KEYS_4 - 1, Math.max(0, (key << 12) + step)), bytes);
              const { country, region } = placeOfRecord(reader.get(formatAddress(bytes, 0, 4)));
              const cell = table.nameOf(table.cellOf(table.find(4, bytes)));
              expect(cell).toBe(cellName(country, region));
            }
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  const data = "../shared/data/geoip/test-data";
  it.skipIf(!existsSync(data))(`test databases (skipped: needs ${data})`, () => {
    const table = (name: string): GeoTable => {
      const { arrays } = compileDatabases({
        cityDatabases: [`${data}/${name}`],
        asnDatabases: [`${data}/GeoLite2-ASN-Test.mmdb`],
      });
      return new GeoTable(arrays, "");
    };
    const city = table("GeoIP2-City-Test.mmdb");
    expect(cellOf(city, "81.2.69.142")).toBe("GB/eng 81.2.69.0/24");
    expect(cellOf(city, "2001:218::1")).toMatch(/^JP(\/-\/\d+)? 2001:218::\/\d+$/);
    expect(cellOf(city, "216.160.83.56")).toBe("US/wa/209 216.160.83.0/24");
    expect(cellOf(table("GeoLite2-City-Test.mmdb"), "89.160.20.112")).toMatch(/^SE\/e\/29518 /);
    expect(cellOf(table("GeoLite2-Country-Test.mmdb"), "216.160.83.56")).toBe(
      "US/-/209 216.160.83.0/24",
    );
    expect(cellOf(table("GeoIP2-Enterprise-Test.mmdb"), "74.209.24.0")).toBe(
      "US/ny 74.209.16.0/20",
    );
  });
});
