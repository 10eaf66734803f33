import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "./address.ts";
import { addressOfKey, KEYS_6, keyOf4, keyOf6 } from "./block.ts";
import { checkGeoArrays, type GeoArrays, GeoTable } from "./geo-table.ts";
import { formatPrefix } from "./prefix.ts";

type Run = readonly [from: number, cell: number];

/** Cells: 0 ZZ, 1 @AS, 2 JP, 3 JP/tokyo, 4 JP/tokyo/2516. */
function arraysOf(runs4: readonly Run[], runs6: readonly Run[]): GeoArrays {
  const top4 = new Uint32Array(65_537);
  const low4: number[] = [];
  const cell4: number[] = [];
  let at = 0;
  for (let top = 0; top < 65_536; top++) {
    top4[top] = low4.length;
    const first = top << 8;
    while ((runs4[at + 1]?.[0] ?? Infinity) <= first) at++;
    low4.push(0);
    cell4.push(runs4[at]?.[1] ?? 0);
    while ((runs4[at + 1]?.[0] ?? Infinity) < first + 256) {
      at++;
      low4.push((runs4[at]?.[0] ?? 0) & 0xff);
      cell4.push(runs4[at]?.[1] ?? 0);
    }
  }
  top4[65_536] = low4.length;
  return {
    top4,
    low4: Uint8Array.from(low4),
    cell4: Uint32Array.from(cell4),
    start6: Float64Array.from(runs6, ([from]) => from),
    cell6: Uint32Array.from(runs6, ([, cell]) => cell),
    parent: Uint32Array.from([0, 0, 1, 2, 3]),
    country: Uint16Array.from([0, 1, 2, 2, 2]),
    region: Uint32Array.from([0, 0, 0, 1, 1]),
    asn: Uint32Array.from([0, 0, 0, 0, 2516]),
    latitude: Float32Array.from([NaN, 35, 36, 35.5, 35.75]),
    longitude: Float32Array.from([NaN, 100, 138, 139.5, 139.75]),
    countries: ["ZZ", "@AS", "JP"],
    regions: ["", "tokyo"],
  };
}

const hash = "0".repeat(64);
const runs4: Run[] = [
  [0, 0],
  [keyOf4(bytesOf("133.11.0.0")), 4],
  [keyOf4(bytesOf("133.12.4.0")), 3],
  [keyOf4(bytesOf("133.12.8.0")), 0],
];
const runs6: Run[] = [
  [0, 0],
  [keyOf6(bytesOf("2001:200::")), 4],
  [keyOf6(bytesOf("2001:201::")), 0],
];
const table = new GeoTable(arraysOf(runs4, runs6), hash);

function bytesOf(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address.bytes;
}

function locate(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  const { cell, block } = table.locate(address);
  return `${cell} ${formatPrefix(block)}`;
}

describe("GeoTable", () => {
  it.each([
    ["133.11.0.1", "JP/tokyo/2516 133.11.0.0/16"],
    ["133.12.1.1", "JP/tokyo/2516 133.12.0.0/22"],
    ["133.12.5.255", "JP/tokyo 133.12.4.0/22"],
    ["133.12.8.1", "ZZ 133.12.8.0/21"],
    ["133.12.200.1", "ZZ 133.12.128.0/17"],
    ["10.0.0.1", "ZZ 10.0.0.0/16"],
    ["255.255.255.255", "ZZ 255.255.0.0/16"],
    ["2001:200::1", "JP/tokyo/2516 2001:200::/32"],
    ["2001:201::1", "ZZ 2001:201::/32"],
    ["fe80::1", "ZZ fe80::/32"],
    ["::1", "ZZ ::/32"],
  ])("locates %s", (address, expected) => {
    expect(locate(address)).toBe(expected);
  });

  it("names cells once and walks up to the unknown one", () => {
    expect(table.nameOf(4)).toBe("JP/tokyo/2516");
    const chain: string[] = [];
    for (let cell = 4; cell !== 0; cell = table.parentOf(cell)) chain.push(table.nameOf(cell));
    expect(chain).toEqual(["JP/tokyo/2516", "JP/tokyo", "JP", "@AS"]);
    expect(table.placeOf(0)).toBeUndefined();
    expect(table.placeOf(4)).toEqual({ latitude: 35.75, longitude: 139.75 });
  });

  it("finds in every block the cell of each of its addresses", () => {
    const key4 = fc.integer({
      min: keyOf4(bytesOf("133.10.0.0")),
      max: keyOf4(bytesOf("133.13.0.0")),
    });
    fc.assert(
      fc.property(key4, key4, (key, other) => {
        const bytes = new Uint8Array(16);
        addressOfKey(4, key, bytes);
        const block = table.blockOf(4, bytes);
        const cell = table.cellOf(table.find(4, bytes));
        const size = 2 ** (24 - block.length);
        addressOfKey(4, keyOf4(block.bytes) + (other % size), bytes);
        expect(table.cellOf(table.find(4, bytes))).toBe(cell);
        expect(table.blockOf(4, bytes)).toEqual(block);
      }),
    );
  });

  it("gives an address of every range", () => {
    const bytes = new Uint8Array(16);
    for (let range = 0; range < table.rangeCount; range++) {
      const position = (range % 100) / 100;
      const family = table.addressIn(range, position, bytes);
      if (table.find(family, bytes) !== range) {
        expect.unreachable(`${formatAddress(bytes, 0, family)} is not in range ${range}`);
      }
    }
    expect(table.rangeCount).toBe(65_536 + 2 + 3);
  });
});

describe("look-ups over random runs", () => {
  it("agree with a plain search (IPv6)", () => {
    const border = fc.oneof(fc.maxSafeNat(), fc.nat({ max: 300 }));
    fc.assert(
      fc.property(
        fc.uniqueArray(border, { minLength: 1, maxLength: 20 }),
        border,
        (borders, key) => {
          const starts = [...new Set([0, ...borders])].sort((a, b) => a - b);
          const runs = starts.map((from, at): Run => [from, at % 5]);
          const random = new GeoTable(arraysOf([[0, 0]], runs), hash);
          const bytes = new Uint8Array(16);
          addressOfKey(6, key, bytes);
          const expected = runs.findLast(([from]) => from <= key)?.[1];
          expect(random.cellOf(random.find(6, bytes))).toBe(expected);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("checkGeoArrays", () => {
  it("accepts sound arrays", () => {
    expect(checkGeoArrays(table.arrays)).toBeUndefined();
  });

  const good = table.arrays;
  const changed = (change: (arrays: GeoArrays) => Partial<GeoArrays>): GeoArrays => ({
    ...good,
    ...change(structuredClone(good)),
  });
  it.each<[string, GeoArrays]>([
    ["the top index has", { ...good, top4: new Uint32Array(3) }],
    ["IPv4 cell 5", changed(({ cell4 }) => ({ cell4: cell4.fill(5) }))],
    ["IPv6 cell 9", changed(({ cell6 }) => ({ cell6: cell6.fill(9) }))],
    ["IPv6 ends after", { ...good, start6: Float64Array.from([0, 1, KEYS_6]) }],
    ["range 1 is not sorted", { ...good, start6: Float64Array.from([0, NaN, 3]) }],
    ["has no range", changed(({ top4 }) => ({ top4: top4.fill(4, 5, 6) }))],
    ["cell 2 has no parent", { ...good, parent: Uint32Array.from([0, 0, 2, 1, 0]) }],
    ["country 2", { ...good, countries: ["ZZ", "@AS"] }],
    ["differ in length", { ...good, asn: new Uint32Array(2) }],
  ])("refuses: %s", (expected, arrays) => {
    expect(checkGeoArrays(arrays)).toContain(expected);
  });
});
