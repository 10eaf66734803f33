import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cellCountry,
  cellKey,
  cellName,
  countryCode,
  fallbacks,
  MAX_CELL_LENGTH,
  MAX_CELL_PART,
  parentCell,
  parseCell,
  regionSlug,
  splitCellKey,
  UNKNOWN_CELL,
} from "./cell.ts";
import { continentOf } from "./continent.ts";

const country = fc.constantFrom("JP", "BR", "XQ", "seattle", "@EU");
const region = fc.string().map(regionSlug);
const asn = fc.nat({ max: 0xffff_ffff });

describe("cellName", () => {
  it.each([
    [["JP", "tokyo", 2516], "JP/tokyo/2516"],
    [["JP", "tokyo"], "JP/tokyo"],
    [["JP", "", 2516], "JP/-/2516"],
    [["JP"], "JP"],
    [["ZZ", "tokyo", 2516], "ZZ"],
  ] as const)("names %j %s", ([code, place, number], expected) => {
    expect(cellName(code, place, number)).toBe(expected);
  });

  it("is read back by parseCell", () => {
    fc.assert(
      fc.property(country, region, asn, (code, place, number) => {
        const name = cellName(code, place, number);
        const parts = parseCell(name);
        expect(parts?.country).toBe(code);
        expect(cellName(code, parts?.region, parts?.asn)).toBe(name);
        expect(name.length).toBeLessThanOrEqual(MAX_CELL_LENGTH);
        expect(name).toMatch(/^[\x21-\x7e]+$/);
      }),
    );
  });
});

describe("parseCell", () => {
  it.each(["", "/", "JP/", "JP//1", "JP/x/0", "JP/x/01", "JP/x/y", "JP/x/1/2", "J P", "JP|v", "é"])(
    "refuses %j",
    (text) => {
      expect(parseCell(text)).toBeUndefined();
    },
  );

  it("refuses an AS number of more than 32 bits and a part that is too long", () => {
    expect(parseCell("JP/x/4294967295")?.asn).toBe(4294967295);
    expect(parseCell("JP/x/4294967296")).toBeUndefined();
    expect(parseCell("a".repeat(MAX_CELL_PART))).toBeDefined();
    expect(parseCell("a".repeat(MAX_CELL_PART + 1))).toBeUndefined();
    expect(parseCell("a".repeat(1_000_000))).toBeUndefined();
  });
});

describe("fallbacks", () => {
  it.each([
    ["JP/tokyo/2516", ["JP/tokyo/2516", "JP/tokyo", "JP", "@AS", "ZZ"]],
    ["BR/-/1", ["BR/-/1", "BR", "@SA", "ZZ"]],
    ["@EU", ["@EU", "ZZ"]],
    ["seattle/07", ["seattle/07", "seattle", "ZZ"]],
    ["ZZ", ["ZZ"]],
  ])("goes from %s upwards", (cell, expected) => {
    expect(fallbacks(cell)).toEqual(expected);
  });

  it("always ends at the unknown cell", () => {
    fc.assert(
      fc.property(country, region, asn, (code, place, number) => {
        const chain = fallbacks(cellName(code, place, number));
        expect(chain.at(-1)).toBe(UNKNOWN_CELL);
        expect(chain.length).toBeLessThanOrEqual(5);
        expect(parentCell(UNKNOWN_CELL)).toBeUndefined();
      }),
    );
  });
});

describe("regionSlug", () => {
  it.each([
    ["Tokyo", "tokyo"],
    ["São Paulo", "sao-paulo"],
    ["Sao Paulo", "sao-paulo"],
    ["ENG", "eng"],
    ["13", "13"],
    ["  Provence-Alpes-Côte d'Azur ", "provence-alpes-cote-d-azur"],
    ["Łódź", "lodz"],
    ["Østfold", "ostfold"],
    ["", ""],
  ])("makes %j %j", (name, expected) => {
    expect(regionSlug(name)).toBe(expected);
  });

  it("tells names apart whose letters ASCII cannot hold", () => {
    expect(regionSlug("東京都")).toMatch(/^x[0-9a-f]{8}$/);
    expect(regionSlug("東京都")).not.toBe(regionSlug("大阪府"));
    expect(regionSlug(`${"a".repeat(40)}b`)).not.toBe(regionSlug(`${"a".repeat(40)}c`));
  });

  it("is always a part of a cell, and stable", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        const slug = regionSlug(name);
        expect(slug).toMatch(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$/);
        expect(slug.length).toBeLessThanOrEqual(MAX_CELL_PART);
        expect(regionSlug(slug)).toBe(slug);
      }),
      { numRuns: 500 },
    );
  });
});

describe("keys", () => {
  it("begin with the country and end with the service", () => {
    fc.assert(
      fc.property(country, region, asn, fc.option(region), (code, place, number, service) => {
        const cell = cellName(code, place, number);
        const key = service === null ? cellKey(cell) : cellKey(cell, service);
        expect(cellCountry(key)).toBe(code);
        expect(splitCellKey(key)).toEqual(service === null ? { cell } : { cell, service });
      }),
    );
  });
});

describe("countryCode", () => {
  it("keeps two capitals and nothing else", () => {
    expect(countryCode("JP")).toBe("JP");
    for (const odd of ["", "jp", "JPN", "J1", "日本"]) expect(countryCode(odd)).toBe("ZZ");
  });
});

describe("continentOf", () => {
  it("knows the seven continents", () => {
    const found = ["ZA", "AQ", "JP", "DE", "US", "AU", "BR"].map(continentOf);
    expect(found).toEqual(["AF", "AN", "AS", "EU", "NA", "OC", "SA"]);
    expect(continentOf("ZZ")).toBeUndefined();
  });
});
