import type { Section } from "./batch.ts";
import type { Position } from "./log.ts";

/** Changed entries of one store, in the packed record format of chunk.ts (a tombstone deletes). */
export interface StoreChanges {
  readonly store: string;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly length: number;
}

/**
 * What one task wants made durable: outputs (the journal entry among them), store changes and the moved input
 * positions, all together or none. It owns its memory: the task may go on with the next generation.
 */
export interface CommitDraft {
  readonly processor: string;
  readonly slot: number;
  /** Counts the commits of this task from 1. */
  readonly commit: number;
  readonly outputs: readonly Section[];
  readonly stores: readonly StoreChanges[];
  /** The input positions that moved; the others are as the commit before left them. */
  readonly positions: readonly Position[];
  /** Hash of this commit's journal entry, 16 bytes; the next entry names it as its predecessor. */
  readonly chain: Uint8Array;
}

/** Where a task stopped, as the engine kept it. */
export interface TaskState {
  readonly commit: number;
  readonly positions: readonly Position[];
  readonly chain: Uint8Array;
}
