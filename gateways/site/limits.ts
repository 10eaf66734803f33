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
/** A compile that takes longer hangs: the default databases take 3 s, the largest ones a minute. */
export const MAX_COMPILE_MS = 300_000;
/** Longest wait for another process that compiles the same databases. */
export const MAX_LOCK_WAIT_MS = 240_000;
/** Largest key-ring file and most keys in it: a few are valid at one time. */
export const MAX_KEY_RING_BYTES = 65_536;
export const MAX_KEYS = 16;
/** Longest Forwarded header that is read, and how much of the end of X-Forwarded-For. */
export const MAX_FORWARDED_BYTES = 2_048;
/** Proxies that a request may come through. */
export const MAX_PROXY_HOPS = 16;
/** Networks of trusted proxies that a configuration may name. */
export const MAX_TRUSTED_PROXIES = 256;
/** Largest file of persisted tables: a million decisions of 200 bytes. */
export const MAX_PERSISTED_BYTES: number = 2 ** 28;
/** Largest header of it: mostly the text of schemas. */
export const MAX_PERSISTED_HEADER_BYTES: number = 2 ** 22;
/** Tables that one gateway follows. */
export const MAX_PERSISTED_TOPICS = 64;
/** Databases of one kind that one site may name. */
export const MAX_DATABASES = 8;

if (MAX_LOCK_WAIT_MS >= MAX_COMPILE_MS) {
  throw new Error("limits: a compile must outlast the wait for another one");
}
if (MAX_CACHE_HEADER_BYTES >= MAX_CACHE_BYTES) {
  throw new Error("limits: the header of a compiled table must be smaller than the table");
}
