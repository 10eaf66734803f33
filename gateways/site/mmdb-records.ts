import { geoFault } from "./geo-fault.ts";
import { IntMap } from "./int-map.ts";
import { MAX_REGIONS } from "./limits.ts";
import { ARRAY, MAP, type MmdbData } from "./mmdb-data.ts";
import type { MmdbFile } from "./mmdb-file.ts";
import type { PlaceTable } from "./place-table.ts";

/**
 * The fields that are read, of three layouts: GeoIP2 and GeoLite2 (and DB-IP's own files, which
 * follow it) with nested maps, the flat layout of ip-location-db, and AS databases of both.
 */
const fields = [
  "",
  "country_code",
  "state1",
  "latitude",
  "longitude",
  "country",
  "registered_country",
  "subdivisions",
  "location",
  "iso_code",
  "names",
  "en",
  "autonomous_system_number",
] as const;
/** Bytes of a data section for each record, a guess. */
const RECORD_BYTES = 48;

type Field = (typeof fields)[number];
const numbers = Object.fromEntries(fields.map((field, at) => [field, at])) as Record<Field, number>;
const fieldNumbers: ReadonlyMap<string, number> = new Map(fields.map((field, at) => [field, at]));

/**
 * Reads each record of a database once: checks it with bounds, then makes a place or an AS number
 * of it. Records that say neither count as unknown.
 */
export class MmdbRecords {
  readonly #data: MmdbData;
  readonly #file: string;
  readonly #fieldsByKey = new IntMap();
  readonly #regionsByText = new IntMap();
  readonly #countriesByText = new IntMap();
  readonly #known: IntMap;
  /** Where the values of the fields of the map read last lie; 0 for absent. */
  readonly #slots = new Int32Array(fields.length);

  constructor(file: MmdbFile) {
    this.#data = file.data;
    this.#known = new IntMap((file.dataEnd - file.dataStart) / RECORD_BYTES);
    this.#file = file.file;
  }

  /** The number of the place of the record at this byte of the file. */
  place(recordAt: number, places: PlaceTable): number {
    const known = this.#known.get(0, recordAt);
    if (known !== undefined) return known;
    const place = this.#readPlace(recordAt, places);
    this.#known.set(0, recordAt, place);
    return place;
  }

  /** The AS number of the record at this byte of the file. */
  asn(recordAt: number): number {
    const known = this.#known.get(1, recordAt);
    if (known !== undefined) return known >>> 0;
    const asnAt = this.#checkRecord(recordAt) ? this.#slot("autonomous_system_number") : 0;
    const asn = asnAt === 0 ? 0 : this.#data.number(asnAt);
    if (!(asn >= 0 && asn <= 0xffff_ffff)) {
      throw geoFault(this.#file, "an AS number is none", asnAt);
    }
    this.#known.set(1, recordAt, asn | 0);
    return asn;
  }

  #readPlace(recordAt: number, places: PlaceTable): number {
    if (!this.#checkRecord(recordAt)) return 0;
    const flatCountry = this.#slot("country_code");
    if (flatCountry !== 0) {
      const stateAt = this.#slot("state1");
      const latitude = this.#numberAt(this.#slot("latitude"));
      const longitude = this.#numberAt(this.#slot("longitude"));
      const country = this.#countryOf(flatCountry, places);
      return places.add(country, this.#regionOf(stateAt, places), latitude, longitude);
    }
    const countryAt = this.#slot("country") || this.#slot("registered_country");
    const subdivisionsAt = this.#slot("subdivisions");
    const locationAt = this.#slot("location");
    const codeAt = this.#scan(countryAt) ? this.#slot("iso_code") : 0;
    const regionAt = this.#subdivision(subdivisionsAt);
    const hasLocation = this.#scan(locationAt);
    const latitude = hasLocation ? this.#numberAt(this.#slot("latitude")) : Number.NaN;
    const longitude = hasLocation ? this.#numberAt(this.#slot("longitude")) : Number.NaN;
    const country = this.#countryOf(codeAt, places);
    return places.add(country, this.#regionOf(regionAt, places), latitude, longitude);
  }

  /** The code of the first (largest) subdivision, or its English name. */
  #subdivision(subdivisionsAt: number): number {
    if (subdivisionsAt === 0) return 0;
    this.#data.open(subdivisionsAt);
    if (this.#data.type !== ARRAY || this.#data.size === 0) return 0;
    if (!this.#scan(this.#data.payload)) return 0;
    const codeAt = this.#slot("iso_code");
    if (codeAt !== 0) return codeAt;
    return this.#scan(this.#slot("names")) ? this.#slot("en") : 0;
  }

  #countryOf(textAt: number, places: PlaceTable): number {
    return this.#interned(textAt, this.#countriesByText, (text) => places.countryNumber(text));
  }

  #regionOf(textAt: number, places: PlaceTable): number {
    if (places.regions.length > MAX_REGIONS) {
      throw geoFault(this.#file, `more than ${MAX_REGIONS} regions`, textAt);
    }
    return this.#interned(textAt, this.#regionsByText, (text) => places.regionNumber(text));
  }

  #interned(textAt: number, known: IntMap, intern: (text: string) => number): number {
    if (textAt === 0) return 0;
    this.#data.open(textAt);
    const { payload } = this.#data;
    const number = known.get(0, payload);
    if (number !== undefined) return number;
    const made = intern(this.#data.text(textAt));
    known.set(0, payload, made);
    return made;
  }

  #numberAt(offset: number): number {
    return offset === 0 ? Number.NaN : this.#data.number(offset);
  }

  #slot(field: Field): number {
    return this.#slots[numbers[field]] as number;
  }

  /** Checks a record and finds its fields; false when it is no map. */
  #checkRecord(recordAt: number): boolean {
    const data = this.#data;
    this.#slots.fill(0);
    const entries = data.beginRecord(recordAt);
    for (let left = entries; left > 0; left--) {
      data.checkKey(data.next);
      const field = this.#fieldOpened();
      const valueAt = data.next;
      if (field !== 0) this.#slots[field] = valueAt;
      data.checkEntry(valueAt);
    }
    return entries >= 0;
  }

  /** Finds the fields of the checked map at `offset`; false when there is no map. */
  #scan(offset: number): boolean {
    const data = this.#data;
    this.#slots.fill(0);
    if (offset === 0) return false;
    data.open(offset);
    if (data.type !== MAP) return false;
    let at = data.payload;
    for (let left = data.size; left > 0; left--) {
      data.open(at);
      const field = this.#fieldOpened();
      const valueAt = data.next;
      if (field !== 0) this.#slots[field] = valueAt;
      at = data.skip(valueAt);
    }
    return true;
  }

  /** The number of the field that the opened key names, 0 for others. */
  #fieldOpened(): number {
    const { payload, size, bytes } = this.#data;
    const known = this.#fieldsByKey.get(0, payload);
    if (known !== undefined) return known;
    const field = fieldNumbers.get(bytes.toString("utf8", payload, payload + size)) ?? 0;
    this.#fieldsByKey.set(0, payload, field);
    return field;
  }
}
