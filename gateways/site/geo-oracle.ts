import { type AddressFamily, addressBytes, formatAddress } from "../../domain/address.ts";
import { addressOfKey, MAX_BLOCK_LENGTH_4, MAX_BLOCK_LENGTH_6 } from "../../domain/block.ts";
import { countryCode, regionSlug } from "../../domain/cell.ts";
import { geoFault } from "./geo-fault.ts";
import { COMPARED_NETWORKS } from "./limits.ts";
import type { MmdbFile } from "./mmdb-file.ts";
import type { PlaceTable } from "./place-table.ts";
import type { Segments } from "./segments.ts";

/** Country and region of a record as maxmind decodes it, whatever the layout. */
export interface RecordPlace {
  readonly country: string;
  readonly region: string;
}

/**
 * Looks up networks spread evenly over the walked ones through maxmind, which knows the format
 * better than we do, and throws `OCDN_GEO` where it reads another country or region. Only records
 * that passed `MmdbData.check` are decoded.
 */
export function compareWithMaxmind(
  file: MmdbFile,
  family: AddressFamily,
  segments: Segments,
  places: PlaceTable,
): void {
  const bytes = new Uint8Array(16);
  const longest = family === 4 ? MAX_BLOCK_LENGTH_4 : MAX_BLOCK_LENGTH_6;
  const step = Math.max(1, Math.floor(segments.starts.length / COMPARED_NETWORKS));
  for (let at = 0; at < segments.starts.length; at += step) {
    addressOfKey(family, segments.starts[at] as number, bytes);
    const text = formatAddress(bytes.subarray(0, addressBytes(family)), 0, family);
    const [record, length] = file.reader.getWithPrefixLength(text);
    // Inside of a smallest block the record with most addresses counts, not the first one.
    if (length > longest) continue;
    const theirs = placeOfRecord(record);
    const place = segments.values[at] as number;
    const country = places.countries[places.country[place] as number];
    const region = places.regions[places.region[place] as number];
    if (theirs.country === country && theirs.region === region) continue;
    const ours = `${country}/${region}`;
    throw geoFault(
      file.file,
      `maxmind reads ${theirs.country}/${theirs.region} and we ${ours} for ${text}`,
    );
  }
}

/** Reads a decoded record of the GeoIP2, DB-IP or flat layout; `ZZ` where it names no country. */
export function placeOfRecord(record: unknown): RecordPlace {
  const unknown = { country: "ZZ", region: "" };
  if (!isMap(record)) return unknown;
  const flat = record["country_code"];
  const country = countryCode(
    flat !== undefined
      ? text(flat)
      : text(member(record["country"] ?? record["registered_country"], "iso_code")),
  );
  if (country === "ZZ") return unknown;
  if (flat !== undefined) return { country, region: regionSlug(text(record["state1"])) };
  const subdivisions = record["subdivisions"];
  const first: unknown = Array.isArray(subdivisions) ? subdivisions[0] : undefined;
  const region = member(first, "iso_code") ?? member(member(first, "names"), "en");
  return { country, region: regionSlug(text(region)) };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function member(value: unknown, key: string): unknown {
  return isMap(value) ? value[key] : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
