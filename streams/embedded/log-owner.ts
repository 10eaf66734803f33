import type { AppendOutcome, EmbeddedLog, SourceAppend } from "./embedded-log.ts";

/** The part of the storage that followers and clients are served from. */
export type OwnedLog = Pick<
  EmbeddedLog,
  | "logId"
  | "slots"
  | "historical"
  | "schemas"
  | "startOffset"
  | "endOffset"
  | "read"
  | "snapshot"
  | "sourcePosition"
  | "topics"
  | "onCommitted"
>;

/** Who holds the data folder: the scheduler of an engine, or a direct log without one. */
export interface Owner {
  readonly log: OwnedLog;
  /** Resolves when the records are durable; OCDN_OVERLOADED when too much waits. */
  submit(append: SourceAppend): Promise<AppendOutcome>;
}
