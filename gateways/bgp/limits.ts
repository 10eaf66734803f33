/** Bounds of the BGP gateway, each with its reason. Relations are asserted at the end of the file. */

import { maxRecordBytes } from "../../streams/limits.ts";

/** MRT header of RFC 6396 section 2. */
export const mrtHeaderBytes = 12;

/**
 * Largest MRT record: 65,535 RIB entries (their count has 16 bits) of 256 bytes. The largest ones
 * seen in public archives are under 1 MiB; a longer one is taken for damage, before it is buffered.
 */
export const maxMrtRecordBytes: number = 16 * 1_048_576;

/** Longest BGP message (RFC 8654) and with it the longest run of path attributes. */
export const maxBgpMessageBytes = 65_535;

/** Compressed bytes read at once, and so the most that one decompression step can expand. */
export const readBytes: number = 64 * 1_024;

/** Size of one decompressed chunk: large enough that the cut record at its end costs little. */
export const inflatedChunkBytes: number = 128 * 1_024;

/** Most events in one batch of a source: bounds what waits between two commits. */
export const maxEventsPerBatch = 4_096;

/** Most bytes of one batch, about: a batch fits in one chunk of the log with room to spare. */
export const maxBatchBytes: number = 1_048_576;

/** Largest prefix lists of one event; attributes (at most two BGP messages) come on top. */
export const maxEventListBytes: number = maxRecordBytes - 2 * maxBgpMessageBytes - 1_024;

/**
 * Path attributes kept decoded, by content: 2^16 entries of about 700 bytes are at most 45 MB. A
 * quarter of it costs a fifth more CPU on a table.
 */
export const attributeCacheSlots: number = 1 << 16;

/** Longest attributes that are kept decoded: longer ones are rare and would fill the cache's memory. */
export const maxCachedAttributeBytes = 512;

/** Peers of one file: the peer index of RFC 6396 counts them with 16 bits; updates may name more. */
export const maxPeers = 131_072;

/** Printed text held back before it is written. */
export const printBufferBytes: number = 256 * 1_024;

/**
 * Longest printed line: 8,000 characters of path, 8,192 of communities (the limits of `bgpdump`)
 * and the short fields.
 */
export const maxPrintedLineBytes: number = 17 * 1_024;

if ((attributeCacheSlots & (attributeCacheSlots - 1)) !== 0 || attributeCacheSlots < 1_024) {
  throw new Error("limits: attributeCacheSlots must be a power of two from 1,024 on");
}
if (maxEventListBytes < 4_096) {
  throw new Error("limits: a record must hold attributes and some prefixes");
}
if (printBufferBytes < 2 * maxPrintedLineBytes) {
  throw new Error("limits: the print buffer must hold a line");
}
