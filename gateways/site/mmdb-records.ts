import { geoFault } from "./geo-fault.ts";
import { IntMap } from "./int-map.ts";
import { MAX_REGIONS } from "./limits.ts";
import { ARRAY, MAP, type MmdbData } from "./mmdb-data.ts";
import type { MmdbFile } from "./mmdb-file.ts";
import type { RecordReader } from "./mmdb-walk.ts";
import type { PlaceTable } from "./place-table.ts";

/**
 * The fields that are read, of three layouts: GeoIP2 and GeoLite2 (and DB-IP's own files, which
 * follow it) with nested maps, the flat layout of ip-location-db, and AS databases of both.
 */
const COUNTRY_CODE = 1;
const STATE1 = 2;
const LATITUDE = 3;
const LONGITUDE = 4;
const COUNTRY = 5;
const REGISTERED_COUNTRY = 6;
const SUBDIVISIONS = 7;
const LOCATION = 8;
const ISO_CODE = 9;
const NAMES = 10;
const EN = 11;
const AS_NUMBER = 12;
const FIELDS = 13;

const fieldNumbers: ReadonlyMap<string, number> = new Map([
  ["country_code", COUNTRY_CODE],
  ["state1", STATE1],
  ["latitude", LATITUDE],
  ["longitude", LONGITUDE],
  ["country", COUNTRY],
  ["registered_country", REGISTERED_COUNTRY],
  ["subdivisions", SUBDIVISIONS],
  ["location", LOCATION],
  ["iso_code", ISO_CODE],
  ["names", NAMES],
  ["en", EN],
  ["autonomous_system_number", AS_NUMBER],
]);

/** Bytes of a data section for each record, a guess. */
const RECORD_BYTES = 48;

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
  readonly #slots = new Int32Array(FIELDS);

  constructor(file: MmdbFile) {
    this.#data = file.data;
    this.#known = new IntMap((file.dataEnd - file.dataStart) / RECORD_BYTES);
    this.#file = file.file;
  }

  /** Reads records as places, by number; those of one region are one group. */
  placeReader(places: PlaceTable): RecordReader {
    return {
      valueAt: (recordAt) => this.#place(recordAt, places),
      groupOf: (place) => places.regionOf(place),
    };
  }

  /** Reads records as AS numbers. */
  asnReader(): RecordReader {
    return { valueAt: (recordAt) => this.#asn(recordAt), groupOf: (asn) => asn };
  }

  #place(recordAt: number, places: PlaceTable): number {
    const known = this.#known.get(0, recordAt);
    if (known !== undefined) return known;
    const place = this.#readPlace(recordAt, places);
    this.#known.set(0, recordAt, place);
    return place;
  }

  #asn(recordAt: number): number {
    const known = this.#known.get(1, recordAt);
    if (known !== undefined) return known >>> 0;
    const asnAt = this.#checkRecord(recordAt) ? this.#slot(AS_NUMBER) : 0;
    const asn = asnAt === 0 ? 0 : this.#data.number(asnAt);
    if (!(asn >= 0 && asn <= 0xffff_ffff)) {
      throw geoFault(this.#file, "an AS number is none", asnAt);
    }
    this.#known.set(1, recordAt, asn | 0);
    return asn;
  }

  #readPlace(recordAt: number, places: PlaceTable): number {
    if (!this.#checkRecord(recordAt)) return 0;
    const flatCountry = this.#slot(COUNTRY_CODE);
    if (flatCountry !== 0) {
      const stateAt = this.#slot(STATE1);
      const latitude = this.#numberAt(this.#slot(LATITUDE));
      const longitude = this.#numberAt(this.#slot(LONGITUDE));
      const country = this.#countryOf(flatCountry, places);
      return places.add(country, this.#regionOf(stateAt, places), latitude, longitude);
    }
    const countryAt = this.#slot(COUNTRY) || this.#slot(REGISTERED_COUNTRY);
    const subdivisionsAt = this.#slot(SUBDIVISIONS);
    const locationAt = this.#slot(LOCATION);
    const codeAt = this.#scan(countryAt) ? this.#slot(ISO_CODE) : 0;
    const regionAt = this.#subdivision(subdivisionsAt);
    const hasLocation = this.#scan(locationAt);
    const latitude = hasLocation ? this.#numberAt(this.#slot(LATITUDE)) : Number.NaN;
    const longitude = hasLocation ? this.#numberAt(this.#slot(LONGITUDE)) : Number.NaN;
    const country = this.#countryOf(codeAt, places);
    return places.add(country, this.#regionOf(regionAt, places), latitude, longitude);
  }

  /** The code of the first (largest) subdivision, or its English name. */
  #subdivision(subdivisionsAt: number): number {
    if (subdivisionsAt === 0) return 0;
    this.#data.open(subdivisionsAt);
    if (this.#data.type !== ARRAY || this.#data.size === 0) return 0;
    if (!this.#scan(this.#data.payload)) return 0;
    const codeAt = this.#slot(ISO_CODE);
    if (codeAt !== 0) return codeAt;
    return this.#scan(this.#slot(NAMES)) ? this.#slot(EN) : 0;
  }

  #countryOf(textAt: number, places: PlaceTable): number {
    if (textAt === 0) return 0;
    this.#data.open(textAt);
    const { payload } = this.#data;
    const known = this.#countriesByText.get(0, payload);
    if (known !== undefined) return known;
    const country = places.countryNumber(this.#data.text(textAt));
    this.#countriesByText.set(0, payload, country);
    return country;
  }

  #regionOf(textAt: number, places: PlaceTable): number {
    if (textAt === 0) return 0;
    this.#data.open(textAt);
    const { payload } = this.#data;
    const known = this.#regionsByText.get(0, payload);
    if (known !== undefined) return known;
    if (places.regions.length > MAX_REGIONS) {
      throw geoFault(this.#file, `more than ${MAX_REGIONS} regions`, textAt);
    }
    const region = places.regionNumber(this.#data.text(textAt));
    this.#regionsByText.set(0, payload, region);
    return region;
  }

  #numberAt(offset: number): number {
    return offset === 0 ? Number.NaN : this.#data.number(offset);
  }

  #slot(field: number): number {
    return this.#slots[field] as number;
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
