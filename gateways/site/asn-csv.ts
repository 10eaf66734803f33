import { type AddressFamily, parseAddressInto } from "../../domain/address.ts";
import { KEYS_4, KEYS_6, keyOf4, keyOf6, NO_KEY } from "../../domain/block.ts";
import { geoFault } from "./geo-fault.ts";
import { MAX_CSV_LINE_BYTES } from "./limits.ts";
import { SegmentBuilder, type Segments } from "./segments.ts";

/** The AS numbers of each family, 0 where none is known; undefined for a family that is absent. */
export interface AsnSegments {
  readonly four: Segments | undefined;
  readonly six: Segments | undefined;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const COMMA = 0x2c;
const MAX_ASN = 0xffff_ffff;
/** Addresses of a /24 and of a /56. */
const KEY_ADDRESSES_4 = 2 ** 8;
const KEY_ADDRESSES_6 = 2 ** 72;

/**
 * Reads an AS table in the layout of ip-location-db: lines of first address, last address, AS
 * number and name, sorted by address within each family. A range that ends inside of a smallest
 * block (/24, /56) takes it when it has most of its addresses, the first in a tie. Throws
 * `OCDN_GEO` with the number of the line that is wrong.
 */
export function readAsnCsv(file: string, bytes: Buffer): AsnSegments {
  const families = { 4: new AsnRanges(4), 6: new AsnRanges(6) };
  let line = 0;
  for (let at = 0; at < bytes.length; ) {
    line++;
    const found = bytes.indexOf(NEWLINE, at);
    const lineEnd = found < 0 ? bytes.length : found;
    const wrong = readLine(bytes, at, lineEnd, families);
    if (wrong !== undefined) throw geoFault(file, `line ${line}: ${wrong}`);
    at = lineEnd + 1;
  }
  return { four: families[4].finish(), six: families[6].finish() };
}

const first = new Uint8Array(16);
const last = new Uint8Array(16);

/** Adds the range of a line; returns what is wrong with it. */
function readLine(
  bytes: Buffer,
  at: number,
  lineEnd: number,
  families: Readonly<Record<AddressFamily, AsnRanges>>,
): string | undefined {
  if (lineEnd - at > MAX_CSV_LINE_BYTES) return `longer than ${MAX_CSV_LINE_BYTES} bytes`;
  if (lineEnd === at || bytes[at] === RETURN) return undefined;
  const firstEnd = fieldEnd(bytes, at, lineEnd);
  const lastEnd = fieldEnd(bytes, firstEnd + 1, lineEnd);
  const asnEnd = fieldEnd(bytes, lastEnd + 1, lineEnd);
  const family = parseAddressInto(bytes.toString("latin1", at, firstEnd), first);
  if (family === 0) return "the first field is no address";
  if (parseAddressInto(bytes.toString("latin1", firstEnd + 1, lastEnd), last) !== family) {
    return "the second field is no address of the same family";
  }
  const asn = numberIn(bytes, lastEnd + 1, asnEnd);
  if (asn < 0) return "the third field is no AS number";
  return families[family].add(first, last, asn);
}

function fieldEnd(bytes: Buffer, from: number, lineEnd: number): number {
  for (let at = from; at < lineEnd; at++) {
    if (bytes[at] === COMMA || bytes[at] === RETURN) return at;
  }
  return lineEnd;
}

function numberIn(bytes: Buffer, from: number, to: number): number {
  if (to <= from || to - from > 10) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= MAX_ASN ? value : -1;
}

/** Whether the first position, a key and an address in it, comes before the second. */
function isBefore(key: number, rest: number, otherKey: number, otherRest: number): boolean {
  return key < otherKey || (key === otherKey && rest < otherRest);
}

/** Turns sorted ranges of addresses of one family into segments of keys. */
class AsnRanges {
  readonly #family: AddressFamily;
  readonly #keyAddresses: number;
  readonly #segments = new SegmentBuilder();
  #empty = true;
  /** Up to here everything is in the segments. */
  #doneTo = 0;
  /** The block that the last range ended in, and what has most of it so far. */
  #openKey = NO_KEY;
  #openAsn = 0;
  #openShare = 0;
  /** Where the last range begins, and the first address after all ranges so far. */
  #firstKey = 0;
  #firstRest = 0;
  #nextKey = 0;
  #nextRest = 0;

  constructor(family: AddressFamily) {
    this.#family = family;
    this.#keyAddresses = family === 4 ? KEY_ADDRESSES_4 : KEY_ADDRESSES_6;
  }

  /** Adds a range, both ends included; returns what is wrong with its order. */
  add(first: Uint8Array, last: Uint8Array, asn: number): string | undefined {
    const from = this.#key(first);
    const to = this.#key(last);
    // What is not global unicast has no key and no clients.
    if (from === NO_KEY || to === NO_KEY) return undefined;
    const fromRest = this.#rest(first);
    const toRest = this.#rest(last);
    if (isBefore(to, toRest, from, fromRest)) return "the range ends before it begins";
    if (isBefore(from, fromRest, this.#firstKey, this.#firstRest))
      return "the ranges are not sorted";
    this.#empty = false;
    this.#firstKey = from;
    this.#firstRest = fromRest;
    // What an earlier range has, a later one that overlaps does not take away.
    const overlaps = isBefore(from, fromRest, this.#nextKey, this.#nextRest);
    const key = overlaps ? this.#nextKey : from;
    const rest = overlaps ? this.#nextRest : fromRest;
    if (isBefore(to, toRest, key, rest)) return undefined;
    this.#addFrom(key, rest, to, toRest, asn);
    this.#nextKey = toRest + 1 < this.#keyAddresses ? to : to + 1;
    this.#nextRest = toRest + 1 < this.#keyAddresses ? toRest + 1 : 0;
    return undefined;
  }

  #addFrom(from: number, fromRest: number, to: number, toRest: number, asn: number): void {
    const size = this.#keyAddresses;
    if (from === to) {
      this.#share(from, (toRest - fromRest + 1) / size, asn);
      return;
    }
    this.#share(from, (size - fromRest) / size, asn);
    if (to - from > 1) {
      this.#closeOpen();
      this.#fill(from + 1, to, asn);
    }
    this.#share(to, (toRest + 1) / size, asn);
  }

  finish(): Segments | undefined {
    if (this.#empty) return undefined;
    this.#closeOpen();
    const end = this.#family === 4 ? KEYS_4 : KEYS_6;
    if (this.#doneTo < end) this.#segments.push(this.#doneTo, 0);
    return this.#segments.finish();
  }

  #key(bytes: Uint8Array): number {
    return this.#family === 4 ? keyOf4(bytes) : keyOf6(bytes);
  }

  /** The position of an address in its /24 or /56. */
  #rest(bytes: Uint8Array): number {
    if (this.#family === 4) return bytes[3] as number;
    let rest = 0;
    for (let at = 7; at < 16; at++) rest = rest * 256 + (bytes[at] as number);
    return rest;
  }

  #share(key: number, share: number, asn: number): void {
    if (key !== this.#openKey) {
      this.#closeOpen();
      this.#openKey = key;
      this.#openShare = 0;
    }
    if (share <= this.#openShare) return;
    this.#openShare = share;
    this.#openAsn = asn;
  }

  #closeOpen(): void {
    if (this.#openKey === NO_KEY) return;
    this.#fill(this.#openKey, this.#openKey + 1, this.#openAsn);
    this.#openKey = NO_KEY;
  }

  #fill(from: number, to: number, asn: number): void {
    if (from > this.#doneTo) this.#segments.push(this.#doneTo, 0);
    this.#segments.push(from, asn);
    this.#doneTo = to;
  }
}
