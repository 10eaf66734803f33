import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { AddressFamily } from "../../domain/address.ts";
import { checkGeoArrays, type GeoArrays } from "../../domain/geo-table.ts";
import { readAsnCsv } from "./asn-csv.ts";
import { compileGeo, type FamilySegments } from "./geo-compile.ts";
import { geoFault } from "./geo-fault.ts";
import { compareWithMaxmind } from "./geo-oracle.ts";
import { MAX_DATABASE_BYTES } from "./limits.ts";
import { isMmdb, type MmdbFile, openMmdb } from "./mmdb-file.ts";
import { MmdbRecords } from "./mmdb-records.ts";
import { walkNetworks } from "./mmdb-walk.ts";
import { PlaceTable } from "./place-table.ts";
import type { Segments } from "./segments.ts";

/** The databases that one table is compiled from; the first of a kind that has a family gives it. */
export interface GeoFiles {
  readonly cityDatabases: readonly string[];
  readonly asnDatabases: readonly string[];
}

/** One database that a table was compiled from. */
export interface GeoSource {
  readonly file: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly sha256: string;
  /** The type in the metadata of a MaxMind DB, `csv` for an AS table in CSV. */
  readonly databaseType: string;
  /** When the database was built, 0 where it does not say. */
  readonly builtMs: number;
}

export interface CompiledGeo {
  readonly arrays: GeoArrays;
  readonly sources: readonly GeoSource[];
}

const nothing: Segments = { starts: Float64Array.of(0), values: Uint32Array.of(0) };

/**
 * Compiles databases into the arrays of a `GeoTable`; takes seconds of CPU, so it runs in a worker.
 * Throws `OCDN_GEO`, naming file and cause, for databases that are absent, damaged, or name no
 * country.
 */
export function compileDatabases(files: GeoFiles): CompiledGeo {
  const sources: GeoSource[] = [];
  const places = new PlaceTable();
  const placeSegments: Partial<Record<AddressFamily, Segments>> = {};
  const asnSegments: Partial<Record<AddressFamily, Segments>> = {};
  for (const file of files.cityDatabases) {
    const database = readDatabase(file);
    const mmdb = openMmdb(file, database.bytes);
    sources.push(sourceOf(file, database, mmdb));
    addPlaces(mmdb, places, placeSegments);
  }
  for (const file of files.asnDatabases) {
    const database = readDatabase(file);
    const { bytes } = database;
    const mmdb = isMmdb(bytes) ? openMmdb(file, bytes) : undefined;
    sources.push(sourceOf(file, database, mmdb));
    const { four, six } = mmdb === undefined ? readAsnCsv(file, bytes) : asnsOf(mmdb);
    if (four !== undefined) asnSegments[4] ??= four;
    if (six !== undefined) asnSegments[6] ??= six;
  }
  const family = (which: AddressFamily): FamilySegments => ({
    places: placeSegments[which] ?? nothing,
    asns: asnSegments[which] ?? nothing,
  });
  const arrays = compileGeo(places, family(4), family(6));
  const wrong = checkGeoArrays(arrays);
  if (wrong !== undefined) throw new Error(`compiling the geo table: ${wrong}`);
  return { arrays, sources };
}

/** A database as it was read, with the time that the file had before. */
interface Database {
  readonly bytes: Buffer;
  readonly modifiedMs: number;
}

/** Reads a database as a whole; throws `OCDN_GEO` when it is absent or too large. */
export function readDatabase(file: string): Database {
  try {
    // The time first: a file that is replaced in between then looks changed, and is read again.
    const { size, mtimeMs } = statSync(file);
    if (size > MAX_DATABASE_BYTES) throw geoFault(file, `${size} bytes are too many`);
    return { bytes: readFileSync(file), modifiedMs: mtimeMs };
  } catch (error) {
    throw readFault(file, error);
  }
}

function readFault(file: string, error: unknown): Error {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "OCDN_GEO") return error as Error;
  const cause = code === "ENOENT" ? "file not found" : `the file cannot be read (${String(code)})`;
  return geoFault(file, cause, undefined, error);
}

function sourceOf(
  file: string,
  { bytes, modifiedMs }: Database,
  mmdb: MmdbFile | undefined,
): GeoSource {
  return {
    file,
    sizeBytes: bytes.length,
    modifiedMs,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    databaseType: mmdb?.databaseType ?? "csv",
    builtMs: mmdb?.buildMs ?? 0,
  };
}

function addPlaces(
  mmdb: MmdbFile,
  places: PlaceTable,
  segments: Partial<Record<AddressFamily, Segments>>,
): void {
  const records = new MmdbRecords(mmdb);
  const before = places.count;
  for (const family of [4, 6] as const) {
    if (segments[family] !== undefined) continue;
    const walked = walkNetworks(mmdb, family, records.placeReader(places));
    if (walked === undefined || !walked.values.some((place) => place !== 0)) continue;
    compareWithMaxmind(mmdb, family, walked, places);
    segments[family] = walked;
  }
  if (places.count === before) {
    throw geoFault(mmdb.file, `no record of this database (${mmdb.databaseType}) names a country`);
  }
}

function asnsOf(mmdb: MmdbFile): { four: Segments | undefined; six: Segments | undefined } {
  const records = new MmdbRecords(mmdb);
  const four = walkNetworks(mmdb, 4, records.asnReader());
  const six = walkNetworks(mmdb, 6, records.asnReader());
  const known = [four, six].some((segments) => segments?.values.some((asn) => asn !== 0));
  if (!known) {
    throw geoFault(
      mmdb.file,
      `no record of this database (${mmdb.databaseType}) names an AS number`,
    );
  }
  return { four, six };
}
