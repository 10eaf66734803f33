import type { AddressFamily } from "../../domain/address.ts";
import { KEYS_4, KEYS_6 } from "../../domain/block.ts";
import { continentCell } from "../../domain/cell.ts";
import { continentOf } from "../../domain/continent.ts";
import type { GeoArrays } from "../../domain/geo-table.ts";
import { IntMap } from "./int-map.ts";
import { type PlaceTable, placeUnder } from "./place-table.ts";
import { SegmentBuilder, type Segments } from "./segments.ts";

/** What the databases say of one family: places and AS numbers by key. */
export interface FamilySegments {
  readonly places: Segments;
  readonly asns: Segments;
}

/** Room for the cells of the default databases; more are fine. */
const CELLS = 250_000;

/** Joins places and AS numbers of both families into the arrays of a `GeoTable`. */
export function compileGeo(
  places: PlaceTable,
  four: FamilySegments,
  six: FamilySegments,
): GeoArrays {
  const cells = new CellTable(places);
  const cells4 = joinFamily(cells, 4, four);
  const cells6 = joinFamily(cells, 6, six);
  return {
    ...topIndex(cells4),
    start6: cells6.starts,
    cell6: cells6.values,
    ...cells.finish(),
  };
}

/** Segments of cells: a new one begins where either side changes and the cell with it. */
function joinFamily(
  cells: CellTable,
  family: AddressFamily,
  { places, asns }: FamilySegments,
): Segments {
  const end = family === 4 ? KEYS_4 : KEYS_6;
  const joined = new SegmentBuilder(places.starts.length + asns.starts.length);
  let placeAt = 0;
  let asnAt = 0;
  for (let key = 0; key < end; ) {
    const nextPlace = places.starts[placeAt + 1] ?? end;
    const nextAsn = asns.starts[asnAt + 1] ?? end;
    const next = Math.min(nextPlace, nextAsn);
    const place = places.values[placeAt] as number;
    const cell = cells.cellOf(place, asns.values[asnAt] as number);
    // A network of IPv6 counts once, whatever its size: sizes there say nothing about clients.
    cells.weigh(cell, place, family === 4 ? next - key : 1);
    joined.push(key, cell);
    if (next === nextPlace) placeAt++;
    if (next === nextAsn) asnAt++;
    key = next;
  }
  return joined.finish();
}

/** Cuts the segments of IPv4 at every /16 and indexes them by it. */
function topIndex({ starts, values }: Segments): Pick<GeoArrays, "top4" | "low4" | "cell4"> {
  const top4 = new Uint32Array(65_537);
  const capacity = starts.length + 65_536;
  const low4 = new Uint8Array(capacity);
  const cell4 = new Uint32Array(capacity);
  let count = 0;
  let at = 0;
  for (let top = 0; top < 65_536; top++) {
    const from = top << 8;
    top4[top] = count;
    while (at + 1 < starts.length && (starts[at + 1] as number) <= from) at++;
    cell4[count++] = values[at] as number;
    while (at + 1 < starts.length && (starts[at + 1] as number) < from + 256) {
      at++;
      low4[count] = (starts[at] as number) - from;
      cell4[count++] = values[at] as number;
    }
  }
  top4[65_536] = count;
  return { top4, low4: low4.subarray(0, count), cell4: cell4.subarray(0, count) };
}

/** The cells, wider ones before narrower ones: unknown, continent, country, region, AS number. */
class CellTable {
  readonly #places: PlaceTable;
  readonly #cells = new IntMap(CELLS);
  readonly #parent: number[] = [0];
  readonly #country: number[] = [0];
  readonly #region: number[] = [0];
  readonly #asn: number[] = [0];
  /** Weighted sums of points on the unit sphere. */
  #sums = new Float64Array(3 * CELLS);
  #lastCountry = 0;
  #lastRegion = 0;
  #lastAsn = 0;
  #lastCell = 0;
  readonly #countries: string[];
  readonly #continents = new Map<string, number>();

  constructor(places: PlaceTable) {
    this.#places = places;
    this.#countries = [...places.countries];
  }

  /** The cell of a place and an AS number. */
  cellOf(place: number, asn: number): number {
    if (place === 0) return 0;
    const country = this.#places.country[place] as number;
    const region = this.#places.region[place] as number;
    // Neighbours are often of one region and one AS.
    if (asn === this.#lastAsn && region === this.#lastRegion && country === this.#lastCountry) {
      return this.#lastCell;
    }
    this.#lastCountry = country;
    this.#lastRegion = region;
    this.#lastAsn = asn;
    this.#lastCell = this.#cell(country, region, asn);
    return this.#lastCell;
  }

  #cell(country: number, region: number, asn: number): number {
    const high = country * 2 ** 20 + region;
    const known = this.#cells.get(high, asn);
    if (known !== undefined) return known;
    const cell = this.#add(this.#parentOf(country, region, asn), country, region, asn);
    this.#cells.set(high, asn, cell);
    return cell;
  }

  #parentOf(country: number, region: number, asn: number): number {
    if (asn !== 0) return this.#cell(country, region, 0);
    if (region !== 0) return this.#cell(country, 0, 0);
    const continent = continentOf(this.#countries[country] ?? "");
    return continent === undefined ? 0 : this.#continentCell(continent);
  }

  #continentCell(continent: string): number {
    const known = this.#continents.get(continent);
    if (known !== undefined) return known;
    const cell = this.#add(0, this.#countries.length, 0, 0);
    this.#countries.push(continentCell(continent));
    this.#continents.set(continent, cell);
    return cell;
  }

  #add(parent: number, country: number, region: number, asn: number): number {
    this.#country.push(country);
    this.#region.push(region);
    this.#asn.push(asn);
    return this.#parent.push(parent) - 1;
  }

  /** Adds a network of this size to the middle of a cell and of the cells above it. */
  weigh(cell: number, place: number, weight: number): void {
    if (place === 0) return;
    if (3 * this.#parent.length > this.#sums.length) {
      const sums = new Float64Array(2 * this.#sums.length);
      sums.set(this.#sums);
      this.#sums = sums;
    }
    const { points } = this.#places;
    const sums = this.#sums;
    const at = 3 * cell;
    const from = 3 * place;
    sums[at] = (sums[at] as number) + weight * (points[from] as number);
    sums[at + 1] = (sums[at + 1] as number) + weight * (points[from + 1] as number);
    sums[at + 2] = (sums[at + 2] as number) + weight * (points[from + 2] as number);
  }

  finish(): Omit<GeoArrays, "top4" | "low4" | "cell4" | "start6" | "cell6"> {
    const count = this.#parent.length;
    const latitude = new Float32Array(count).fill(Number.NaN);
    const longitude = new Float32Array(count).fill(Number.NaN);
    const sums = this.#sums;
    // From the narrowest cells up, so that each parent has all of its children's sums.
    for (let cell = count - 1; cell > 0; cell--) {
      const x = sums[3 * cell] as number;
      const y = sums[3 * cell + 1] as number;
      const z = sums[3 * cell + 2] as number;
      const parent = 3 * (this.#parent[cell] as number);
      sums[parent] = (sums[parent] as number) + x;
      sums[parent + 1] = (sums[parent + 1] as number) + y;
      sums[parent + 2] = (sums[parent + 2] as number) + z;
      const place = placeUnder(x, y, z);
      if (place === undefined) continue;
      latitude[cell] = place.latitude;
      longitude[cell] = place.longitude;
    }
    return {
      parent: Uint32Array.from(this.#parent),
      country: Uint16Array.from(this.#country),
      region: Uint32Array.from(this.#region),
      asn: Uint32Array.from(this.#asn),
      latitude,
      longitude,
      countries: this.#countries,
      regions: this.#places.regions,
    };
  }
}
