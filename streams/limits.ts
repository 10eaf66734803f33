/** Bounds of the runtime, each with its reason. Relations are asserted at the end of the file. */

/** Largest key: a key is a name, not a payload. */
export const maxKeyBytes: number = 1_024;
/** Largest framed record: above it a producer splits (a BGP message) or refuses. */
export const maxRecordBytes: number = 262_144;
/** A dead letter carries a record of the largest size whole, with what is said about it. */
export const maxDeadLetterBytes: number = maxRecordBytes + maxKeyBytes + 4_096;
/** Longest message of a dead letter. */
export const maxMessageCharacters: number = 500;
/** Largest payload of a chunk: one chunk is read, checked and handed over as a whole. */
export const maxChunkBytes: number = 4 * 1_048_576;
/** Most records of a task between two commits: bounds undo, outputs and the loss of work on an abort. */
export const maxRecordsPerCommit: number = 65_536;
/** Most output bytes of a task between two commits; reaching it seals the commit. */
export const maxOutputBytesPerCommit: number = 32 * 1_048_576;
/** Records per turn of a task: bounds how long other tasks and sockets wait. */
export const maxRecordsPerTurn: number = 4_096;
/** A record further ahead of its ingestion than this is clamped: one bad clock may not close everybody's windows. */
export const maxAheadMs: number = 60_000;
/** Silence after which ticks advance an input's stream time. */
export const defaultIdleMs: number = 10_000;
/**
 * Most that one tick advances a silent input: while the process was down nobody could be heard, so a downtime may not
 * count as silence (and fire every alert that waits for one) before the inputs had a chance to speak.
 */
export const maxIdleStepMs: number = 5_000;
/** Slots of a new log. */
export const defaultSlots: number = 16;
export const maxSlots: number = 1_024;
/** Replay horizon and retention of streams. */
export const defaultRetentionMs: number = 7 * 86_400_000;
/** Entries and bytes of one store: positions in it are 32-bit. */
export const maxStoreEntries: number = 67_108_864;
export const maxStoreBytes: number = 2_147_483_647;

/** Largest framed record of a topic. */
export function maxRecordBytesOf(topic: string): number {
  return topic === "dead.letters.v1" ? maxDeadLetterBytes : maxRecordBytes;
}

if (maxDeadLetterBytes + maxKeyBytes + 64 > maxChunkBytes) {
  throw new Error("limits: a chunk must hold at least one record of the largest size");
}
if (maxRecordsPerTurn > maxRecordsPerCommit) {
  throw new Error("limits: a turn may not exceed a commit");
}
