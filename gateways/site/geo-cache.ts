import { createHash } from "node:crypto";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writevSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { checkGeoArrays, type GeoArrays } from "../../domain/geo-table.ts";
import type { CompiledGeo, GeoFiles, GeoSource } from "./geo-sources.ts";
import { MAX_CACHE_BYTES, MAX_CACHE_HEADER_BYTES } from "./limits.ts";
import { removeUnfinished } from "./unfinished-files.ts";

/** Raised whenever the same databases would compile into other arrays. */
export const GEO_LOGIC_VERSION = 1;

/** A compiled table as it lies in a cache file. */
export interface GeoCache extends CompiledGeo {
  /** 64 hex digits over the databases' contents and the version of the compiler. */
  readonly hash: string;
}

/** Why a cache cannot be used. It is then made again. */
export interface GeoCacheFailure {
  readonly kind: "failure";
  readonly message: string;
}

const MAGIC = "OCDNGEO\n";
const DIGEST_BYTES = 32;
const PREAMBLE_BYTES = 16;

const columns = {
  start6: Float64Array,
  top4: Uint32Array,
  cell4: Uint32Array,
  cell6: Uint32Array,
  parent: Uint32Array,
  region: Uint32Array,
  asn: Uint32Array,
  latitude: Float32Array,
  longitude: Float32Array,
  country: Uint16Array,
  low4: Uint8Array,
} as const;
type Column = keyof typeof columns;
const columnNames = Object.keys(columns) as Column[];

const sourceSchema = z.strictObject({
  file: z.string(),
  sizeBytes: z.number(),
  modifiedMs: z.number(),
  sha256: z.string().length(64),
  databaseType: z.string(),
  builtMs: z.number(),
});
const headerSchema = z.strictObject({
  sources: z.array(sourceSchema),
  lengths: z.record(
    z.enum(columnNames as [Column, ...Column[]]),
    z.number().int().min(0).max(MAX_CACHE_BYTES),
  ),
  countries: z.array(z.string()),
  regions: z.array(z.string()),
});

/** The hash of a table: the same databases give the same one, wherever they lie. */
export function geoHash(sources: readonly GeoSource[]): string {
  const hash = createHash("sha256").update(`opencdn geo ${GEO_LOGIC_VERSION}\n`);
  for (const { sha256 } of sources) hash.update(`${sha256}\n`);
  return hash.digest("hex");
}

/** Where the table of these databases is kept in a folder. */
export function geoCacheFile(folder: string, { cityDatabases, asnDatabases }: GeoFiles): string {
  const names = JSON.stringify([cityDatabases, asnDatabases]);
  const digest = createHash("sha256").update(names).digest("hex");
  return join(folder, `geo-${digest.slice(0, 16)}.table`);
}

/**
 * Writes a cache file in one step: a reader finds the old one or the new one. It is not forced to
 * the disk, for one that a crash damages is noticed and made again.
 */
export function writeGeoCache(file: string, { arrays, sources }: CompiledGeo): void {
  const header = Buffer.from(
    JSON.stringify({
      sources,
      lengths: Object.fromEntries(columnNames.map((name) => [name, arrays[name].length])),
      countries: arrays.countries,
      regions: arrays.regions,
    }),
  );
  const preamble = Buffer.alloc(PREAMBLE_BYTES);
  preamble.write(MAGIC, "latin1");
  preamble.writeUInt32LE(GEO_LOGIC_VERSION, 8);
  preamble.writeUInt32LE(header.length, 12);
  const parts = [preamble, header, padding(header.length)];
  for (const name of columnNames) {
    const { buffer, byteOffset, byteLength } = arrays[name];
    parts.push(Buffer.from(buffer, byteOffset, byteLength), padding(byteLength));
  }
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part);
  parts.push(digest.digest());
  mkdirSync(dirname(file), { recursive: true });
  writeParts(file, parts);
}

function padding(bytes: number): Buffer {
  return Buffer.alloc(aligned(bytes) - bytes);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function writeParts(file: string, parts: readonly Buffer[]): void {
  removeUnfinished(file);
  const temporary = `${file}.${process.pid}.part`;
  try {
    const handle = openSync(temporary, "w", 0o644);
    try {
      const expected = parts.reduce((sum, part) => sum + part.length, 0);
      const written = writevSync(handle, parts);
      if (written !== expected) throw new Error(`wrote ${written} of ${expected} bytes`);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Reads a cache file, one read and no copy: the arrays are views of one shared buffer, so threads
 * can have it too. A failure for a file that is absent, of another version, cut off or changed.
 */
export function readGeoCache(file: string): GeoCache | GeoCacheFailure {
  const bytes = readShared(file);
  if (bytes instanceof Error)
    return { kind: "failure", message: `reading ${file}: ${bytes.message}` };
  const cause = (message: string): GeoCacheFailure => ({
    kind: "failure",
    message: `reading ${file}: ${message}`,
  });
  if (bytes.length < PREAMBLE_BYTES + DIGEST_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) {
    return cause("no compiled table");
  }
  const version = bytes.readUInt32LE(8);
  if (version !== GEO_LOGIC_VERSION) return cause(`version ${version} is not ${GEO_LOGIC_VERSION}`);
  const body = bytes.subarray(0, -DIGEST_BYTES);
  const digest = createHash("sha256").update(body).digest();
  if (!digest.equals(bytes.subarray(-DIGEST_BYTES))) return cause("the checksum differs");
  return parseBody(body) ?? cause("the header is not valid");
}

function readShared(file: string): Buffer | Error {
  let handle: number;
  try {
    handle = openSync(file, "r");
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
  try {
    const { size } = fstatSync(handle);
    if (size > MAX_CACHE_BYTES) return new Error(`${size} bytes are too many`);
    const bytes = Buffer.from(new SharedArrayBuffer(size));
    let filled = 0;
    while (filled < size) {
      const count = readSync(handle, bytes, filled, size - filled, filled);
      if (count === 0) return new Error("the file became shorter");
      filled += count;
    }
    return bytes;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    closeSync(handle);
  }
}

function parseBody(body: Buffer): GeoCache | undefined {
  const headerBytes = body.readUInt32LE(12);
  if (headerBytes > MAX_CACHE_HEADER_BYTES || PREAMBLE_BYTES + headerBytes > body.length)
    return undefined;
  const header = headerSchema.safeParse(
    parseJson(body.toString("utf8", PREAMBLE_BYTES, PREAMBLE_BYTES + headerBytes)),
  );
  if (!header.success) return undefined;
  const { sources, lengths, countries, regions } = header.data;
  let at = PREAMBLE_BYTES + aligned(headerBytes);
  const take = <Name extends Column>(name: Name): InstanceType<(typeof columns)[Name]> => {
    const length = lengths[name];
    const column = new columns[name](body.buffer as ArrayBuffer, body.byteOffset + at, length);
    at += aligned(column.byteLength);
    return column as InstanceType<(typeof columns)[Name]>;
  };
  const needed = columnNames.reduce(
    (sum, name) => sum + aligned(lengths[name] * columns[name].BYTES_PER_ELEMENT),
    at,
  );
  if (needed !== body.length) return undefined;
  const taken = Object.fromEntries(columnNames.map((name) => [name, take(name)]));
  const arrays = { ...taken, countries, regions } as unknown as GeoArrays;
  if (checkGeoArrays(arrays) !== undefined) return undefined;
  return { arrays, sources, hash: geoHash(sources) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
