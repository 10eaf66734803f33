/** Bounds of the probes, each with its reason. Relations are asserted at the end. */

/** One matrix of round-trip times, text: 1,000 x 1,000 entries of up to 16 characters. */
export const maxMatrixBytes: number = 16 * 1_048_576;
/** Rows of a matrix: a pair is a sample, so the work grows with the square. */
export const maxMatrixRows: number = 1_000;
/** Slices of one import: 688 are in the largest published set. */
export const maxSlices: number = 100_000;
/** Entries of all slices together, 4 bytes each in memory. */
export const maxMatrixEntries: number = 64 * 1_048_576;
/** Bytes of an unpacked archive, so that a small file cannot unpack without end. */
export const maxArchiveBytes: number = 2_147_483_648;
/** Events of one batch that a source hands over. */
export const maxEventsPerBatch: number = 10_000;
/** A time of 0 was under the resolution of 10 ms (data/README of the set): its middle. */
export const underResolutionMs: number = 5;
/** Round-trip times outside of these are artefacts of the measurement and are clipped. */
export const shortestRttMs: number = 1;
export const longestRttMs: number = 2_000;

/** Distance of two checks of one node by one vantage process. */
export const checkIntervalMs: number = 500;
/**
 * Time that a node has to answer a check: longer than the longest path on earth (300 ms and jitter) and short
 * enough that two processes find a node that hangs within 500 + 800 + 150 ms of the 2 s for failover.
 */
export const checkTimeoutMs: number = 800;
/** A canary that takes longer than this says that the process or its machine is too busy to judge others. */
export const promptMs: number = 150;
/** Bytes of an answer that a probe reads. */
export const maxAnswerBytes: number = 4_096;
/** Nodes that one vantage process checks; 2 checks a second each. */
export const maxTargets: number = 4_096;
/** Share of failing targets from which on a vantage process doubts itself and looks at its canaries. */
export const blindRatio: number = 0.5;
/** Places that one vantage process measures from. */
export const maxPlaces: number = 512;
/** Answers to a path probe that do not come within this are lost. */
export const probeTimeoutMs: number = 1_500;
/** Requests of one path round: enough for a mean deviation, few enough for hundreds of paths. */
export const probesPerRound: number = 4;
/** Requests of the first round, so that every path has a sample within 2 s of the start. */
export const probesInFirstRound: number = 2;
/** Distance of two rounds of one path: 188 paths then cost about 75 requests a second. */
export const roundIntervalMs: number = 10_000;
/** Bytes that the delay proxy holds per direction of a tunnel before it stops reading. */
export const maxDelayedBytes: number = 65_536;
/** Tunnels of one delay proxy. */
export const maxTunnels: number = 4_096;
/** Time for a tunnel to be asked for and opened. */
export const tunnelTimeoutMs: number = 2_000;
/** A lost segment of a stream is sent again after this or two round trips (RFC 6298 section 2: at least 1 s; Linux: 200 ms). */
export const retransmissionMs: number = 200;

if (checkIntervalMs + checkTimeoutMs + promptMs > 1_500) {
  throw new Error("limits: a node that hangs must be found well within the 2 s for failover");
}
if (maxMatrixRows * maxMatrixRows > maxMatrixEntries) {
  throw new Error("limits: one matrix must fit the entries of all");
}
