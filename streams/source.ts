import type { Emitted } from "./processor.ts";
import type { Topic } from "./topic.ts";

/** One event that a source read; its identity is derived from `position`, which is unique within the source. */
export interface SourceEvent<T> {
  readonly topic: Topic<T>;
  readonly key: string;
  readonly value: Emitted<T>;
  readonly eventMs: number;
  readonly position: string;
}

export interface SourceBatch {
  readonly events: readonly SourceEvent<never>[];
  /** Position of the source after these events; opaque, at most 256 characters. */
  readonly position: string;
}

/**
 * A source: an outside feed read in order. Records and position are committed together, so reading the same
 * input twice adds nothing and a killed source goes on where the log says it stopped.
 */
export interface Source {
  /** Stable name of this feed, e.g. `mrt/<hash of the file>`. */
  readonly name: string;
  /** True when the events describe the past; such a source is refused by a live log. */
  readonly historical: boolean;
  /** Reads what follows `after` (undefined: from the beginning). Batches are bounded. */
  read(after: string | undefined): AsyncIterable<SourceBatch>;
}
