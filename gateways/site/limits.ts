/** Bounds of what a gateway site reads, each with its reason. */

/** Largest geo database: offsets in it are 31-bit integers. */
export const MAX_DATABASE_BYTES: number = 2 ** 31 - 1;
/** The metadata lies in this many bytes at the end of the file (MaxMind DB format 2.0). */
export const MAX_METADATA_BYTES: number = 128 * 1024;
/** Deepest nesting of a record: known databases have 6 levels. */
export const MAX_RECORD_DEPTH = 32;
/** Most values of one record, each pointer counted with what it points to: known ones have 200. */
export const MAX_RECORD_VALUES = 8_192;
/** Values checked for each byte of a data section: a value has a byte or more, but may be pointed to. */
export const MAX_CHECKS_PER_BYTE = 8;
/** Values that may be checked in even the smallest data section. */
export const MIN_CHECKS = 65_536;
/**
 * A search tree is walked once, but some databases hang the IPv4 part in three times more
 * (::ffff:0:0/96, 2001::/32, 2002::/16); above this many visits a node it is no tree.
 */
export const MAX_VISITS_PER_NODE = 4;
/** Visits that even the smallest search tree may have. */
export const MIN_VISITS = 65_536;
/** Different records told apart inside one smallest block; of more, the rest is not counted. */
export const MAX_RECORDS_PER_BLOCK = 256;
/** Most regions of all databases: their numbers have 20 bits in the key of a cell. */
export const MAX_REGIONS: number = 2 ** 20 - 1;
/** Longest line of an AS table: two addresses, a number and a name. */
export const MAX_CSV_LINE_BYTES = 4_096;
/** Networks of a compiled database that are looked up through maxmind to compare. */
export const COMPARED_NETWORKS = 256;
/** Largest compiled table: the default one has a fiftieth of it. */
export const MAX_CACHE_BYTES: number = 2 ** 30;
/** Largest header of a compiled table: mostly the names of regions. */
export const MAX_CACHE_HEADER_BYTES: number = 2 ** 24;
/** Databases of one kind that one site may name. */
export const MAX_DATABASES = 8;

if (MAX_CACHE_HEADER_BYTES >= MAX_CACHE_BYTES) {
  throw new Error("limits: the header of a compiled table must be smaller than the table");
}
