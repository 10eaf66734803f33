import { countryCode, regionSlug } from "../../domain/cell.ts";
import type { Place } from "../../domain/geo-table.ts";

/**
 * Places of networks, by number: a region (country and slug, interned over all databases) and a
 * point on the unit sphere. 0 is the unknown place.
 */
export class PlaceTable {
  readonly countries: string[] = ["ZZ"];
  readonly regions: string[] = [""];
  /** By place: positions in `countries` and `regions`. */
  country: Uint16Array = new Uint16Array(FIRST_CAPACITY);
  region: Uint32Array = new Uint32Array(FIRST_CAPACITY);
  /** By place: three coordinates on the unit sphere, all 0 where the place has no point. */
  points: Float64Array = new Float64Array(3 * FIRST_CAPACITY);
  #count = 1;
  readonly #countryNumbers = new Map<string, number>([["ZZ", 0]]);
  readonly #regionNumbers = new Map<string, number>([["", 0]]);

  get count(): number {
    return this.#count;
  }

  /** The number of a country code of a database; 0 for what is no code. */
  countryNumber(code: string): number {
    return numberOf(countryCode(code), this.#countryNumbers, this.countries);
  }

  /** The number of a region by its name or code in a database. */
  regionNumber(name: string): number {
    return numberOf(regionSlug(name), this.#regionNumbers, this.regions);
  }

  /** A number that the places of one region have in common. */
  regionOf(place: number): number {
    return (this.country[place] as number) * 2 ** 20 + (this.region[place] as number);
  }

  /** Adds a place and returns its number. */
  add(country: number, region: number, latitude: number, longitude: number): number {
    if (country === 0) return 0;
    const place = this.#count++;
    if (place === this.country.length) this.#grow();
    this.country[place] = country;
    this.region[place] = region;
    if (Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180) {
      const phi = (latitude * Math.PI) / 180;
      const lambda = (longitude * Math.PI) / 180;
      this.points[3 * place] = Math.cos(phi) * Math.cos(lambda);
      this.points[3 * place + 1] = Math.cos(phi) * Math.sin(lambda);
      this.points[3 * place + 2] = Math.sin(phi);
    }
    return place;
  }

  #grow(): void {
    const { country, region, points } = this;
    this.country = new Uint16Array(2 * country.length);
    this.country.set(country);
    this.region = new Uint32Array(2 * region.length);
    this.region.set(region);
    this.points = new Float64Array(2 * points.length);
    this.points.set(points);
  }
}

const FIRST_CAPACITY = 4_096;

function numberOf(text: string, numbers: Map<string, number>, texts: string[]): number {
  const known = numbers.get(text);
  if (known !== undefined) return known;
  numbers.set(text, texts.length);
  texts.push(text);
  return texts.length - 1;
}

/** The place under a sum of points, or undefined where they cancel out or there were none. */
export function placeUnder(x: number, y: number, z: number): Place | undefined {
  const level = Math.hypot(x, y);
  if (!(Math.hypot(level, z) > 0)) return undefined;
  return {
    latitude: (Math.atan2(z, level) * 180) / Math.PI,
    longitude: (Math.atan2(y, x) * 180) / Math.PI,
  };
}
