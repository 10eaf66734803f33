import { continentOf } from "./continent.ts";

/** The cell of everybody whose place is not known, and the last fallback of every other cell. */
export const UNKNOWN_CELL = "ZZ";
/** Stands for the region of a cell that has an AS number but no region. */
export const UNKNOWN_REGION = "-";
/** Longest name of a cell: three parts and two slashes. */
export const MAX_CELL_LENGTH = 96;
/** Longest part of a cell's name. */
export const MAX_CELL_PART = 32;

/** A cell's name in parts; a cell of a whole country has neither region nor AS number. */
export interface CellParts {
  /** ISO 3166-1 alpha-2, `@` and a continent, or a made-up name in lower case. */
  readonly country: string;
  readonly region?: string;
  readonly asn?: number;
}

const part = `[A-Za-z0-9@._~-]{1,${MAX_CELL_PART}}`;
const cellPattern = new RegExp(`^(${part})(?:/(${part})(?:/([1-9][0-9]{0,9}))?)?$`);
const MAX_ASN = 0xffff_ffff;

/**
 * Reads a name of the form `country`, `country/region` or `country/region/asn`, e.g.
 * `JP/tokyo/2516`; undefined when it is none.
 */
export function parseCell(cell: string): CellParts | undefined {
  if (cell.length > MAX_CELL_LENGTH) return undefined;
  const match = cellPattern.exec(cell);
  const country = match?.[1];
  if (country === undefined) return undefined;
  const region = match?.[2];
  if (region === undefined) return { country };
  if (match?.[3] === undefined) return { country, region };
  const asn = Number(match[3]);
  return asn <= MAX_ASN ? { country, region, asn } : undefined;
}

/**
 * The name of a cell. An AS number without a region gets the region `-`; the unknown country has
 * neither.
 */
export function cellName(country: string, region = "", asn = 0): string {
  if (country === UNKNOWN_CELL) return UNKNOWN_CELL;
  if (asn !== 0) return `${country}/${region === "" ? UNKNOWN_REGION : region}/${asn}`;
  return region === "" || region === UNKNOWN_REGION ? country : `${country}/${region}`;
}

/** The name of a continent's cell: `@EU`. */
export function continentCell(continent: string): string {
  return `@${continent}`;
}

/** The cell one step up: region, country, continent, unknown; undefined above the unknown cell. */
export function parentCell(cell: string): string | undefined {
  if (cell === UNKNOWN_CELL) return undefined;
  const slash = cell.lastIndexOf("/");
  if (slash >= 0) {
    const parent = cell.slice(0, slash);
    return parent.endsWith(`/${UNKNOWN_REGION}`) ? parent.slice(0, -2) : parent;
  }
  const continent = continentOf(cell);
  return continent === undefined ? UNKNOWN_CELL : continentCell(continent);
}

/**
 * The cell and all its fallbacks, narrowest first:
 * `JP/tokyo/2516`, `JP/tokyo`, `JP`, `@AS`, `ZZ`. What is decided for a wider cell says nothing
 * about who may serve the narrower one: masks by the client's country hold all the way up.
 */
export function fallbacks(cell: string): readonly string[] {
  const chain: string[] = [];
  for (let at: string | undefined = cell; at !== undefined; at = parentCell(at)) chain.push(at);
  return chain;
}

/**
 * The name of a region as a part of a cell: ASCII, lower case, at most 32 characters. Accents are
 * dropped; a name of which letters were lost, or which was too long, ends in a hash of the whole,
 * so that two regions do not become one. Empty for an empty name.
 */
export function regionSlug(name: string): string {
  const folded = fold(name.slice(0, MAX_REGION_TEXT));
  const slug = folded.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  const lost = /[\p{L}\p{N}]/u.test(folded.replace(/[a-z0-9]/g, ""));
  if (!lost && slug.length <= MAX_CELL_PART && name.length <= MAX_REGION_TEXT) return slug;
  const digest = `x${fnv1a(name).toString(16).padStart(8, "0")}`;
  const kept = slug.slice(0, MAX_CELL_PART - digest.length - 1).replace(/-+$/, "");
  return kept === "" ? digest : `${kept}-${digest}`;
}

const MAX_REGION_TEXT = 256;
const lettersWithoutAccent: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  ð: "d",
  ø: "o",
  þ: "th",
  đ: "d",
  ħ: "h",
  ı: "i",
  ł: "l",
  œ: "oe",
  ə: "a",
};

function fold(name: string): string {
  return name
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[\p{M}\u02b0-\u02ff]/gu, "")
    .replace(/[ßæðøþđħıłœə]/g, (letter) => lettersWithoutAccent[letter] ?? "");
}

/** FNV-1a, 32 bits, over UTF-16 code units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >> 8), 0x01000193);
  }
  return hash >>> 0;
}

/** A country code of a database as the first part of a cell; what is none becomes `ZZ`. */
export function countryCode(code: string): string {
  return /^[A-Z]{2}$/.test(code) ? code : UNKNOWN_CELL;
}

/** The key of a topic by cell, and by service where one is given: `JP/tokyo/2516|video`. */
export function cellKey(cell: string, service?: string): string {
  return service === undefined ? cell : `${cell}|${service}`;
}

/** The inverse of `cellKey`. */
export function splitCellKey(key: string): { readonly cell: string; readonly service?: string } {
  const bar = key.indexOf("|");
  return bar < 0 ? { cell: key } : { cell: key.slice(0, bar), service: key.slice(bar + 1) };
}

/** The country of a cell or of a key that begins with one: what comes before the first `/` or `|`. */
export function cellCountry(key: string): string {
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at);
    if (code === 0x2f || code === 0x7c) return key.slice(0, at);
  }
  return key;
}
