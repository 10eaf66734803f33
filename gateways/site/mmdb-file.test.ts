import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpenCdnError } from "../../streams/errors.ts";
import { MAX_RECORD_VALUES } from "./limits.ts";
import { openMmdb } from "./mmdb-file.ts";
import { MmdbRecords } from "./mmdb-records.ts";
import { walkNetworks } from "./mmdb-walk.ts";
import { PlaceTable } from "./place-table.ts";
import { control, encode, writeMmdb } from "./testing/mmdb-writer.ts";

const folder = "../shared/data/geoip";
const isThere = existsSync(folder);

/** Opens a database, walks both families and reads every record. */
function readAll(file: string, bytes: Buffer): void {
  const mmdb = openMmdb(file, bytes);
  const records = new MmdbRecords(mmdb);
  const places = new PlaceTable();
  for (const family of [4, 6] as const) {
    walkNetworks(mmdb, family, records.placeReader(places));
  }
}

/** What is said about the file, after its name; empty when nothing is wrong. */
function faultOf(bytes: Buffer, file = "x.mmdb"): string {
  try {
    readAll(file, bytes);
    return "";
  } catch (error) {
    if (!(error instanceof OpenCdnError) || error.code !== "OCDN_GEO") throw error;
    const start = `reading the geo database ${file}: `;
    expect(error.message.slice(0, start.length)).toBe(start);
    return error.message.slice(start.length);
  }
}

/** The broken files of MaxMind's test data and what is wrong with each of them. */
const causes: readonly (readonly [file: string, cause: string])[] = [
  ["bad-data/libmaxminddb/libmaxminddb-corrupt-search-tree.mmdb", "only 1 of 100 nodes"],
  ["bad-data/libmaxminddb/libmaxminddb-deep-array-nesting.mmdb", "nested deeper than 32 levels"],
  ["bad-data/libmaxminddb/libmaxminddb-deep-nesting.mmdb", "nested deeper than 32 levels"],
  ["bad-data/libmaxminddb/libmaxminddb-metadata-marker-only.mmdb", "a value lies outside"],
  ["bad-data/libmaxminddb/libmaxminddb-offset-integer-overflow.mmdb", "a pointer points outside"],
  ["bad-data/libmaxminddb/libmaxminddb-oversized-array.mmdb", "an array of 1000000 entries"],
  ["bad-data/libmaxminddb/libmaxminddb-oversized-map.mmdb", "a map of 1000000 entries"],
  [
    "bad-data/libmaxminddb/libmaxminddb-separator-record-max-left.mmdb",
    "outside of the data section (record 16)",
  ],
  [
    "bad-data/libmaxminddb/libmaxminddb-separator-record-min-left.mmdb",
    "outside of the data section (record 2)",
  ],
  [
    "bad-data/libmaxminddb/libmaxminddb-separator-record-min-right.mmdb",
    "outside of the data section (record 2)",
  ],
  [
    "bad-data/libmaxminddb/libmaxminddb-uint64-max-epoch.mmdb",
    "the build time in the metadata is none",
  ],
  ["bad-data/maxminddb-golang/cyclic-data-structure.mmdb", "is cut off at byte 2730"],
  ["bad-data/maxminddb-golang/invalid-bytes-length.mmdb", "a map of 9 entries is cut off"],
  ["bad-data/maxminddb-golang/invalid-data-record-offset.mmdb", "a text is no UTF-8"],
  ["bad-data/maxminddb-golang/invalid-map-key-length.mmdb", "is cut off at byte 2730"],
  ["bad-data/maxminddb-golang/invalid-string-length.mmdb", "a pointer is cut off"],
  ["bad-data/maxminddb-golang/metadata-is-an-uint128.mmdb", "is cut off at byte 14"],
  ["bad-data/maxminddb-golang/unexpected-bytes.mmdb", "a value lies outside"],
  ["bad-data/maxminddb-python/bad-unicode-in-map-key.mmdb", "does not end where the metadata says"],
  ["test-data/GeoIP2-City-Test-Broken-Double-Format.mmdb", "a number of type 3 has 5 bytes"],
  [
    "test-data/GeoIP2-City-Test-Invalid-Node-Count.mmdb",
    "a search tree of 100000 nodes does not fit",
  ],
  ["test-data/MaxMind-DB-test-broken-pointers-24.mmdb", "a pointer points outside"],
  ["test-data/MaxMind-DB-test-broken-search-tree-24.mmdb", "deeper than an address"],
];
/** Sound files in the folder of broken ones: they only end where careless readers read on. */
const sound = [
  "bad-data/libmaxminddb/libmaxminddb-empty-array-last-in-metadata.mmdb",
  "bad-data/libmaxminddb/libmaxminddb-empty-map-last-in-metadata.mmdb",
];

function filesIn(name: string): string[] {
  return readdirSync(`${folder}/${name}`, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".mmdb"))
    .map((file) => `${name}/${file}`);
}

describe.skipIf(!isThere)(`MaxMind's test databases (skipped: needs ${folder})`, () => {
  it.each(causes)("%s: %s", (name, cause) => {
    expect(faultOf(readFileSync(`${folder}/${name}`), name)).toContain(cause);
  });

  it("have no other broken ones", () => {
    const broken = new Set(causes.map(([name]) => name));
    const files = isThere ? [...filesIn("bad-data"), ...filesIn("test-data")] : [];
    expect(files.length).toBeGreaterThan(50);
    for (const name of files) {
      if (broken.has(name)) continue;
      if (name.startsWith("bad-data")) expect(sound).toContain(name);
      expect(`${name} ${faultOf(readFileSync(`${folder}/${name}`), name)}`).toBe(`${name} `);
    }
  });
});

const city = { country_code: "JP", state1: "Tokyo", latitude: 35.7, longitude: 139.7 };
const good = writeMmdb({
  networks: [
    ["10.0.0.0/8", city],
    ["11.1.0.0/16", { country_code: "BR" }],
  ],
});

/** A database whose only record are these bytes. */
function withRecord(record: Buffer): Buffer {
  const base = writeMmdb({
    networks: [
      ["0.0.0.0/1", "x"],
      ["128.0.0.0/1", "x"],
    ],
  });
  const marker = base.indexOf("\xab\xcd\xefMaxMind.com", 0, "latin1");
  return Buffer.concat([base.subarray(0, 7 + 16), record, base.subarray(marker)]);
}

const pointer = (target: number): Buffer => Buffer.from([0x20 | (target >> 8), target & 0xff]);

describe("openMmdb", () => {
  it("accepts what the writer of these tests writes", () => {
    expect(faultOf(good)).toBe("");
  });

  it.each<[string, Buffer]>([
    ["the file has no metadata", Buffer.alloc(0)],
    ["the file has no metadata", Buffer.alloc(1_000, 7)],
    ["compressed with gzip", Buffer.from([0x1f, 0x8b, 0, 0])],
    [
      "the metadata is no map",
      Buffer.concat([Buffer.from("\xab\xcd\xefMaxMind.com", "latin1"), encode("text")]),
    ],
    [
      "Unsupported record size",
      writeMmdb({ networks: [["1.0.0.0/8", city]], metadata: { record_size: 20 } }),
    ],
    [
      "the metadata cannot be read",
      writeMmdb({ networks: [["1.0.0.0/8", city]], metadata: { record_size: "x" } }),
    ],
    ["IP version 5", writeMmdb({ networks: [["1.0.0.0/8", city]], metadata: { ip_version: 5 } })],
    [
      "format version 3",
      writeMmdb({ networks: [["1.0.0.0/8", city]], metadata: { binary_format_major_version: 3 } }),
    ],
    [
      "a node count of 0",
      writeMmdb({ networks: [["1.0.0.0/8", city]], metadata: { node_count: 0 } }),
    ],
    ["does not fit", writeMmdb({ networks: [["1.0.0.0/8", city]], metadata: { node_count: 4e9 } })],
    [
      "does not end where",
      writeMmdb({ networks: [["1.0.0.0/8", city]], metadata: { node_count: 7 } }),
    ],
  ])("says: %s", (cause, bytes) => {
    expect(faultOf(bytes)).toContain(cause);
  });
});

describe("records that could hang a decoder", () => {
  it.each<[string, Buffer]>([
    ["the data is cyclic", Buffer.concat([control(11, 1), pointer(0)])],
    ["a pointer points to a pointer", Buffer.concat([pointer(2), pointer(0)])],
    ["a pointer points outside", pointer(2_000)],
    ["a map of 28 entries is cut off", control(7, 28)],
    ["an extended type is none", Buffer.from([0x01, 0x00])],
    ["type 12 is unknown", control(12, 0)],
    ["a key is no text", Buffer.concat([control(7, 1), encode(1), encode(1)])],
    ["has 5 bytes", Buffer.concat([control(6, 5), Buffer.alloc(5)])],
    ["a text is no UTF-8", Buffer.concat([control(2, 2), Buffer.from([0xc3, 0x28])])],
    ["is cut off", control(2, 284)],
  ])("%s", (cause, record) => {
    expect(faultOf(withRecord(record))).toContain(cause);
  });

  it("refuses lists that point to lists that point to lists", () => {
    // Each level has ten pointers to the next one: 10^7 values in 200 bytes.
    const levels = 7;
    const parts = [control(11, 10)];
    for (let level = 0; level < levels; level++) {
      const next = 22 * (level + 1);
      parts.push(...Array.from({ length: 10 }, () => pointer(next)));
      parts.push(level + 1 === levels ? Buffer.from([0xa0]) : control(11, 10));
    }
    expect(faultOf(withRecord(Buffer.concat(parts)))).toContain(
      `more than ${MAX_RECORD_VALUES} values`,
    );
  });
});

describe("search trees that are none", () => {
  it.each<[string, (node: number) => number]>([
    ["deeper than an address", () => 0],
    ["is no tree", (node) => Math.min(node + 1, 24)],
  ])("%s", (cause, childOf) => {
    const nodes = 25;
    const bytes = writeMmdb({
      networks: [["0.0.0.0/1", city]],
      recordSize: 24,
      metadata: { node_count: nodes },
    });
    const tree = Buffer.alloc(6 * nodes);
    for (let node = 0; node < nodes; node++) {
      // The last node ends in the empty record, so that only the number of ways grows.
      const child = childOf(node) === node && node > 0 ? nodes : childOf(node);
      tree.writeUIntBE(child, 6 * node, 3);
      tree.writeUIntBE(child, 6 * node + 3, 3);
    }
    expect(faultOf(Buffer.concat([tree, bytes.subarray(6)]))).toContain(cause);
  });
});

describe("damaged databases", () => {
  it("end in an answer or in one of our errors, whatever bytes change", () => {
    const change = fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 8 }),
        fc.nat({ max: good.length }),
        (changes, cut) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          const shortened = cut % 4 === 0 ? bytes.subarray(cut) : bytes;
          expect(typeof faultOf(shortened)).toBe("string");
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
