import { maxChunkBytes } from "../limits.ts";

/** Bounds of the owner's socket, each with its reason. Relations are asserted at the end of the file. */

/** Raised whenever a frame changes its meaning. */
export const protocolVersion: number = 1;
/** Largest frame: two of the largest chunks; checked before anything is buffered. */
export const maxFrameBytes: number = 8 * 1_048_576;
/** Largest first frame of a peer that nobody knows yet. */
export const maxHelloBytes: number = 4_096;
/** Connections at once: every gateway process needs one, and one more for each follower. */
export const maxConnections: number = 512;
/** A peer that has not said hello by then is closed. */
export const helloTimeoutMs: number = 5_000;
/** Appends of one connection that wait for durability; then its socket is not read. */
export const maxAppendsInFlight: number = 64;
export const maxAppendBytesInFlight: number = 16 * 1_048_576;
/** Answers that a peer does not take; then its requests are not read. */
export const maxAnswerBytes: number = 16 * 1_048_576;
/** Tail that is queued for a follower; above it the follower reads from the log at its own pace. */
export const maxFollowerQueueBytes: number = 8 * 1_048_576;
/** A follower that catches up is given more below this, so that little memory waits in its socket. */
export const catchUpQueueBytes: number = 1_048_576;
/** One read of a follower that catches up. */
export const catchUpReadBytes: number = 262_144;
/** What all followers that catch up are given in one turn of the owner's event loop: about half a millisecond. */
export const catchUpTurnBytes: number = 262_144;
/** A table's follower that is further behind is given a fresh snapshot instead of the tail. */
export const maxTableLagRecords: number = 262_144;
/** A follower whose socket takes nothing for so long is closed; it resumes when it is back. */
export const stalledFollowerMs: number = 60_000;
/** Requests of a client without an answer. */
export const maxRequestsInFlight: number = 1_024;
/** Bytes of a client's requests that its socket has not taken. */
export const maxRequestBytes: number = 32 * 1_048_576;
/** Most bytes of one `read`. */
export const maxReadBytes: number = maxChunkBytes;
/** Topics and slots that a status or a position list may name. */
export const maxPositions: number = 262_144;
export const maxTopics: number = 1_024;
export const maxTopicNameBytes: number = 128;
/** Names and positions of sources (streams/source.ts: 256 characters). */
export const maxSourceBytes: number = 256;
export const maxPositionBytes: number = 1_024;
/** Client names and error messages. */
export const maxTextBytes: number = 2_048;
/** Sections of one append: one a topic and slot. */
export const maxSections: number = 16_384;
/** Waits between attempts to reach the owner again: an attempt on a local socket costs next to nothing. */
export const firstReconnectMs: number = 25;
export const longestReconnectMs: number = 250;
/** One attempt to connect and say hello. */
export const connectTimeoutMs: number = 5_000;

if (maxChunkBytes + 4_096 > maxFrameBytes) {
  throw new Error("socket limits: a frame must hold the largest chunk");
}
if (maxFrameBytes > maxAppendBytesInFlight || maxFrameBytes > maxRequestBytes) {
  throw new Error("socket limits: the largest append must be allowed in flight");
}
if (maxReadBytes + maxChunkBytes > maxFrameBytes) {
  throw new Error("socket limits: an answer to a read must fit a frame");
}
