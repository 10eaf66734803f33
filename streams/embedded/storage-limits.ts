/** Bounds of the storage, each with its reason. */

/** Format of the folder: raised when an older program could no longer read or continue it. */
export const folderFormat: number = 1;
/** A segment is closed at this size: the unit that retention unlinks. */
export const defaultSegmentBytes: number = 64 * 1_048_576;
export const minSegmentBytes: number = 4_096;
export const maxSegmentBytes: number = 1_024 * 1_048_576;
/** Recent chunks kept in memory, so that tasks and followers at the tail never touch the disk. */
export const tailCacheBytes: number = 32 * 1_048_576;
/** When a checkpoint begins, and how late it may be. */
export interface CheckpointLimits {
  /** Log bytes since the last one: bounds what a start has to read again. */
  readonly logBytes: number;
  /** Bytes of state changes since the last one: they are kept in memory until then. */
  readonly stateBytes: number;
  /** Age of the last one, when a commit comes. */
  readonly ageMs: number;
  /** Commits wait for it once it is this many times the bytes late. */
  readonly maxLag: number;
}

export const checkpointLimits: CheckpointLimits = {
  logBytes: 256 * 1_048_576,
  stateBytes: 96 * 1_048_576,
  ageMs: 15_000,
  maxLag: 2,
};
/** Most bytes of one group commit: positions inside a segment are 32-bit. */
export const maxGroupBytes: number = 1_024 * 1_048_576;
/** Commits that may wait behind the one under way. */
export const maxQueuedCommits: number = 2;
/** Names of topics, sources, processors and stores: they are part of LMDB keys. */
export const maxNameBytes: number = 512;
/** Position of a source: a small value, read whole at every start. */
export const maxPositionBytes: number = 8_192;
/** Topics of a log: ids are 16-bit. */
export const maxTopics: number = 65_535;
/** Segment files held open for reading. */
export const maxOpenSegments: number = 16;
/** Neighbouring chunks are read with one call when the gap between them is at most this. */
export const readGapBytes: number = 32_768;
export const maxReadRunBytes: number = 1_048_576;
/** Entries of one block of the chunk index: 24 bytes each, so that a block stays inside a page. */
export const indexBlockEntries: number = 64;
/** Longest stretch of a checkpoint before others get their turn, ms. */
export const checkpointSliceMs: number = 4;
/** Payload of a snapshot's chunks. */
export const snapshotChunkBytes: number = 1_048_576;
