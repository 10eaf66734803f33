import type { Address, AddressFamily } from "./address.ts";
import {
  addressOfKey,
  type Block,
  blockLength,
  blockOf,
  KEYS_6,
  keyOf4,
  keyOf6,
  MIN_BLOCK_LENGTH_6,
  NO_KEY,
} from "./block.ts";
import { cellName, UNKNOWN_CELL } from "./cell.ts";

/**
 * The compiled geo and AS tables. A range is a run of /24 (IPv4, cut at every /16) or of /56
 * (IPv6) that have one cell; ranges are sorted and leave no gap.
 */
export interface GeoArrays {
  /** 65,537 entries: the ranges of the /16 number i are those from top4[i] to top4[i + 1]. */
  readonly top4: Uint32Array;
  /** Third byte of the first /24 of each range. */
  readonly low4: Uint8Array;
  /** Cell of each IPv4 range. */
  readonly cell4: Uint32Array;
  /** First /56 of each IPv6 range, counted from 2000::. */
  readonly start6: Float64Array;
  /** Cell of each IPv6 range. */
  readonly cell6: Uint32Array;
  /** The cell one step up; cell 0 is the unknown cell and its own parent. */
  readonly parent: Uint32Array;
  /** Positions in `countries` and `regions`. */
  readonly country: Uint16Array;
  readonly region: Uint32Array;
  /** AS number of each cell, 0 for none. */
  readonly asn: Uint32Array;
  /** Degrees; NaN where no network of the cell has a place. */
  readonly latitude: Float32Array;
  readonly longitude: Float32Array;
  readonly countries: readonly string[];
  readonly regions: readonly string[];
}

/** A place on earth, degrees. */
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

/** Where an address is, as one object: for people and for rare events, not for the hot path. */
export interface Location {
  readonly cell: string;
  readonly block: Block;
  readonly place: Place | undefined;
}

const TOP_ENTRIES = 65_537;
/** IPv6 ranges on a page: 512 bytes of starts. */
const PAGE_RANGES = 64;
/** The range of an IPv6 address outside of the global unicast space. */
const NOWHERE = -1;

/**
 * Turns addresses into blocks and cells. `find` gives a range, a small integer from which
 * everything else follows without an allocation:
 *
 *     const range = table.find(address.family, address.bytes);
 *     const cell = table.cellOf(range);                // decisions can lie in an array by cell
 *     const length = table.lengthOf(range, address.family, address.bytes);
 *
 * Ranges and cells are numbers of this table only; a reloaded table has others, names stay.
 */
export class GeoTable {
  readonly arrays: GeoArrays;
  /** 64 hex digits: the hash of the databases that this table was compiled from. */
  readonly hash: string;
  readonly #ranges4: number;
  /** Every 64th of `start6`: a small array stays in the cache, a big one does not. */
  readonly #pages6: Float64Array;
  readonly #names: (string | undefined)[];

  /** Takes arrays that passed `checkGeoArrays`. */
  constructor(arrays: GeoArrays, hash: string) {
    this.arrays = arrays;
    this.hash = hash;
    this.#ranges4 = arrays.low4.length;
    this.#pages6 = Float64Array.from(
      { length: Math.ceil(arrays.start6.length / PAGE_RANGES) },
      (_, page) => arrays.start6[page * PAGE_RANGES] as number,
    );
    this.#names = new Array<string | undefined>(arrays.parent.length).fill(undefined);
  }

  get cellCount(): number {
    return this.arrays.parent.length;
  }

  get rangeCount(): number {
    return this.#ranges4 + this.arrays.start6.length;
  }

  /** The range of the 4 or 16 bytes at `start`. */
  find(family: AddressFamily, bytes: Uint8Array, start = 0): number {
    return family === 4 ? this.#find4(keyOf4(bytes, start)) : this.#find6(keyOf6(bytes, start));
  }

  #find4(key: number): number {
    const { top4, low4 } = this.arrays;
    let from = top4[key >>> 8] as number;
    let to = top4[(key >>> 8) + 1] as number;
    const low = key & 0xff;
    while (to - from > 1) {
      const middle = (from + to) >>> 1;
      if ((low4[middle] as number) <= low) from = middle;
      else to = middle;
    }
    return from;
  }

  #find6(key: number): number {
    if (key === NO_KEY) return NOWHERE;
    const { start6 } = this.arrays;
    const page = lastAtMost(this.#pages6, key, 0, this.#pages6.length);
    const from = page * PAGE_RANGES;
    const to = Math.min(from + PAGE_RANGES, start6.length);
    return this.#ranges4 + lastAtMost(start6, key, from, to);
  }

  /** The cell of a range. */
  cellOf(range: number): number {
    if (range === NOWHERE) return 0;
    const { cell4, cell6 } = this.arrays;
    const at = range - this.#ranges4;
    return (at < 0 ? cell4[range] : cell6[at]) as number;
  }

  /** The length of the block that holds this address, which must lie in `range`. */
  lengthOf(range: number, family: AddressFamily, bytes: Uint8Array, start = 0): number {
    if (range === NOWHERE) return MIN_BLOCK_LENGTH_6;
    const { low4, start6 } = this.arrays;
    if (family === 4) {
      const key = keyOf4(bytes, start);
      const top = key & 0xffff00;
      const from = top + (low4[range] as number);
      const next = low4[range + 1] ?? 0;
      return blockLength(4, key, from, top + (next === 0 ? 256 : next));
    }
    const at = range - this.#ranges4;
    return blockLength(6, keyOf6(bytes, start), start6[at] as number, start6[at + 1] ?? KEYS_6);
  }

  /** The block that holds this address. */
  blockOf(family: AddressFamily, bytes: Uint8Array): Block {
    const length = this.lengthOf(this.find(family, bytes), family, bytes);
    return blockOf(family, bytes, length);
  }

  /** Cell, block and place of an address. */
  locate(address: Address): Location {
    const range = this.find(address.family, address.bytes);
    const cell = this.cellOf(range);
    const length = this.lengthOf(range, address.family, address.bytes);
    return {
      cell: this.nameOf(cell),
      block: blockOf(address.family, address.bytes, length),
      place: this.placeOf(cell),
    };
  }

  /** The name of a cell; made once, then kept. */
  nameOf(cell: number): string {
    const known = this.#names[cell];
    if (known !== undefined) return known;
    const { country, region, asn, countries, regions } = this.arrays;
    const name = cellName(
      countries[country[cell] as number] ?? UNKNOWN_CELL,
      regions[region[cell] as number],
      asn[cell],
    );
    this.#names[cell] = name;
    return name;
  }

  /** The cell one step up; 0 for 0. */
  parentOf(cell: number): number {
    return this.arrays.parent[cell] as number;
  }

  /** The middle of a cell's networks, weighted by their size. */
  placeOf(cell: number): Place | undefined {
    const latitude = this.arrays.latitude[cell] ?? Number.NaN;
    const longitude = this.arrays.longitude[cell] ?? Number.NaN;
    return Number.isNaN(latitude) ? undefined : { latitude, longitude };
  }

  /**
   * Writes an address of a range at the start of `target` (16 bytes) and returns its family: the
   * first address of the key at `position` (0 up to, not including, 1) of the range. Random
   * ranges and positions make random clients.
   */
  addressIn(range: number, position: number, target: Uint8Array): AddressFamily {
    const { top4, low4, start6 } = this.arrays;
    if (range < this.#ranges4) {
      const top = upperBound(top4, range) - 1;
      const from = low4[range] as number;
      const next = low4[range + 1] ?? 0;
      const size = (next === 0 ? 256 : next) - from;
      addressOfKey(4, (top << 8) + from + Math.floor(position * size), target);
      return 4;
    }
    const at = range - this.#ranges4;
    const from = start6[at] as number;
    const size = (start6[at + 1] ?? KEYS_6) - from;
    addressOfKey(6, from + Math.floor(position * size), target);
    return 6;
  }
}

/** The last position in [from, to) of a sorted array that holds at most `key`, else `from`. */
function lastAtMost(sorted: Float64Array, key: number, from: number, to: number): number {
  let low = from;
  let high = to;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= key) low = middle;
    else high = middle;
  }
  return low;
}

/** How many entries at the start of a sorted array are at most `value`. */
function upperBound(sorted: Uint32Array, value: number): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] as number) <= value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** What is wrong with compiled arrays, or undefined: every look-up stays inside of sound ones. */
export function checkGeoArrays(arrays: GeoArrays): string | undefined {
  const { top4, low4, cell4, start6, cell6, parent } = arrays;
  const cells = parent.length;
  if (top4.length !== TOP_ENTRIES) return `the top index has ${top4.length} entries`;
  if (top4[0] !== 0 || top4[TOP_ENTRIES - 1] !== low4.length) return "the top index has a gap";
  if (cell4.length !== low4.length) return "IPv4 starts and cells differ in number";
  if (cell6.length !== start6.length) return "IPv6 starts and cells differ in number";
  if (cells === 0 || parent[0] !== 0) return "the unknown cell is missing";
  for (const column of [arrays.country, arrays.region, arrays.asn]) {
    if (column.length !== cells) return "the columns of the cells differ in length";
  }
  if (arrays.latitude.length !== cells || arrays.longitude.length !== cells) {
    return "the columns of the cells differ in length";
  }
  return checkRanges4(arrays) ?? checkRanges6(arrays) ?? checkCells(arrays);
}

function checkRanges4({ top4, low4, cell4, parent }: GeoArrays): string | undefined {
  for (let top = 0; top < TOP_ENTRIES - 1; top++) {
    const from = top4[top] as number;
    const to = top4[top + 1] as number;
    if (from >= to || low4[from] !== 0) return `the /16 number ${top} has no range`;
    for (let at = from + 1; at < to; at++) {
      if ((low4[at] as number) <= (low4[at - 1] as number)) return `range ${at} is not sorted`;
    }
  }
  return checkIndexes(cell4, parent.length, "IPv4 cell");
}

function checkRanges6({ start6, cell6, parent }: GeoArrays): string | undefined {
  if (start6[0] !== 0) return "IPv6 does not begin at 2000::";
  for (let at = 1; at < start6.length; at++) {
    if (!((start6[at] as number) > (start6[at - 1] as number))) return `range ${at} is not sorted`;
  }
  if (!((start6.at(-1) as number) < KEYS_6)) return "IPv6 ends after 3fff::";
  return checkIndexes(cell6, parent.length, "IPv6 cell");
}

/** Parents come before their cells, so every way up ends at cell 0. */
function checkCells(arrays: GeoArrays): string | undefined {
  for (let cell = 1; cell < arrays.parent.length; cell++) {
    if ((arrays.parent[cell] as number) >= cell) return `cell ${cell} has no parent before it`;
  }
  return (
    checkIndexes(arrays.country, arrays.countries.length, "country") ??
    checkIndexes(arrays.region, arrays.regions.length, "region")
  );
}

function checkIndexes(
  column: Uint32Array | Uint16Array,
  size: number,
  what: string,
): string | undefined {
  for (let at = 0; at < column.length; at++) {
    if ((column[at] as number) >= size) return `${what} ${column[at]} of entry ${at} is unknown`;
  }
  return undefined;
}
