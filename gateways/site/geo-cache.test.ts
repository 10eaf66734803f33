import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { geoCacheFile, readGeoCache, writeGeoCache } from "./geo-cache.ts";
import { isFresh, refreshGeoCache } from "./geo-refresh.ts";
import { compileDatabases } from "./geo-sources.ts";
import { writeMmdb } from "./testing/mmdb-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "opencdn-cache-"));
afterAll(() => rmSync(folder, { recursive: true }));

const database = join(folder, "city.mmdb");
const tokyo = { country_code: "JP", state1: "Tokyo", latitude: 35.69, longitude: 139.69 };
writeFileSync(database, writeMmdb({ networks: [["203.0.113.0/24", tokyo]] }));
const files = { cityDatabases: [database], asnDatabases: [] };
const compiled = compileDatabases(files);

function write(name: string): string {
  const file = join(folder, name);
  writeGeoCache(file, compiled);
  return file;
}

function failureOf(file: string): string {
  const cache = readGeoCache(file);
  return "kind" in cache ? cache.message : "";
}

describe("readGeoCache", () => {
  it("gives back what was written", () => {
    const cache = readGeoCache(write("whole"));
    if ("kind" in cache) throw new Error(cache.message);
    expect(cache.arrays).toEqual(compiled.arrays);
    expect(cache.sources).toEqual(compiled.sources);
    expect(cache.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it("notices every changed byte and every missing end", () => {
    const file = write("damaged");
    const bytes = readFileSync(file);
    fc.assert(
      fc.property(
        fc.nat({ max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, mask, cut) => {
          const damaged = cut ? bytes.subarray(0, at) : Buffer.from(bytes);
          if (!cut) damaged[at] = (damaged[at] ?? 0) ^ mask;
          writeFileSync(file, damaged);
          expect(failureOf(file)).toMatch(/no compiled table|version|checksum|header/);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("names the file that is absent", () => {
    expect(failureOf(join(folder, "absent"))).toContain("absent");
  });
});

describe("refreshGeoCache", () => {
  const file = geoCacheFile(folder, files);

  it("compiles when there is no table, a damaged one, or another database", () => {
    refreshGeoCache(files, file);
    expect(failureOf(file)).toBe("");
    writeFileSync(file, "damaged");
    refreshGeoCache(files, file);
    const first = readGeoCache(file);
    writeFileSync(database, writeMmdb({ networks: [["203.0.112.0/23", tokyo]] }));
    refreshGeoCache(files, file);
    const second = readGeoCache(file);
    if ("kind" in first || "kind" in second) throw new Error("no table");
    expect(isFresh(first)).toBe(false);
    expect(isFresh(second)).toBe(true);
    expect(second.hash).not.toBe(first.hash);
  });

  it("keeps the table when only the time of a file changed", () => {
    refreshGeoCache(files, file);
    const before = readGeoCache(file);
    utimesSync(database, 1, 1);
    refreshGeoCache(files, file);
    const after = readGeoCache(file);
    if ("kind" in before || "kind" in after) throw new Error("no table");
    expect(after.hash).toBe(before.hash);
    expect(after.sources[0]?.modifiedMs).toBe(1_000);
  });

  it("takes the lock of a process that is gone", () => {
    writeFileSync(file, "damaged");
    writeFileSync(`${file}.lock`, "4194305");
    refreshGeoCache(files, file);
    expect(failureOf(file)).toBe("");
  });

  it("leaves no lock and no half-written file behind, also when the databases are damaged", () => {
    const missing = { cityDatabases: [join(folder, "gone.mmdb")], asnDatabases: [] };
    const target = geoCacheFile(folder, missing);
    expect(() => refreshGeoCache(missing, target)).toThrow("file not found");
    expect(failureOf(`${target}.lock`)).toContain("ENOENT");
    expect(failureOf(target)).toContain("ENOENT");
  });
});
