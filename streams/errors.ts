/** The closed list of error codes. A code is stable: it stands in dead letters, logs and exit messages. */
export const errorCodes = {
  OCDN_CONFIG: "the configuration is not valid",
  OCDN_USAGE: "the command was called wrongly",
  OCDN_UNKNOWN_TOPIC: "no such topic",
  OCDN_UNKNOWN_SCHEMA: "no such schema in this log",
  OCDN_UNDECODABLE: "the bytes are not a valid record of their topic",
  OCDN_HANDLER: "a handler threw",
  OCDN_UNDECLARED: "a processor used a topic or store that it did not declare",
  OCDN_LIMIT: "a bound was reached",
  OCDN_FOLDER_OWNED: "another process owns the data folder",
  OCDN_FOLDER_NEWER: "the data folder was written by a newer version",
  OCDN_FOLDER_CORRUPT: "the data folder is damaged",
  OCDN_DISK_FULL: "no space is left on the disk",
  OCDN_STORAGE: "the storage failed",
  OCDN_FENCED: "this owner was replaced by another",
  OCDN_SLOTS_DIFFER: "the slot count differs from the log's",
  OCDN_SOURCE_POSITION: "the source's position in the log is another",
  OCDN_HISTORICAL_INPUT: "historical input may not join a live log",
  OCDN_DISCONNECTED: "the engine cannot be reached",
  OCDN_OVERLOADED: "a queue is full",
  OCDN_TIMEOUT: "a wait ended without an answer",
  OCDN_REPLAY_DIVERGED: "the replay differs from the journal",
  OCDN_BAD_INPUT: "the input is not valid",
  OCDN_NOT_FOUND: "the thing asked for does not exist",
  OCDN_GEO: "the geo database cannot be used",
  OCDN_KEY_RING: "the key ring cannot be used",
  OCDN_ACCESS: "the server refuses this principal",
  OCDN_KAFKA: "the Kafka cluster refused a request",
  OCDN_CLUSTER_DIFFERS: "the cluster is not as the code wants it",
  OCDN_REGISTRY: "the schema registry refused a request",
  OCDN_SCHEMA_REFUSED: "a schema is not compatible with its earlier versions",
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** The one error class. The message begins with what was being done: "opening the geo database: file not found". */
export class OpenCdnError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "OpenCdnError";
    this.code = code;
  }
}

/** The message of anything thrown, for text that a person reads. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of anything thrown: its own when it is ours, OCDN_HANDLER otherwise. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof OpenCdnError ? error.code : "OCDN_HANDLER";
}
