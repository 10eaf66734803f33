/**
 * Why bytes, a value or a schema were refused.
 * `TOO_LARGE` over the size limit; `BAD_MAGIC` not a frame; `UNKNOWN_SCHEMA` the id is not in the
 * table; `BAD_SCHEMA` the schema's text is refused; `INCOMPATIBLE` the reader cannot read the writer;
 * `BOUNDS` bytes end too early; `RANGE` a number, index or boolean out of range; `COUNT` a block
 * claims more items than the bytes can hold; `DEPTH` nested too deep; `TRAILING` bytes left over;
 * `BAD_KEY` a map key that reaches a prototype; `BAD_VALUE` a value does not fit its schema.
 */
export type FailureCode =
  | "TOO_LARGE"
  | "BAD_MAGIC"
  | "UNKNOWN_SCHEMA"
  | "BAD_SCHEMA"
  | "INCOMPATIBLE"
  | "BOUNDS"
  | "RANGE"
  | "COUNT"
  | "DEPTH"
  | "TRAILING"
  | "BAD_KEY"
  | "BAD_VALUE";

/**
 * What `schemas/` returns instead of throwing. A class, so that `instanceof` tells it from an event
 * whatever fields the event has.
 */
export class CodecFailure {
  readonly kind = "failure" as const;
  readonly code: FailureCode;
  readonly message: string;
  /** Byte position in the buffer that was read; -1 where the failure is about no byte. */
  readonly at: number;

  constructor(code: FailureCode, message: string, at = -1) {
    this.code = code;
    this.message = message;
    this.at = at;
  }
}

/** True when `value` is a failure of the codec and not a result. */
export function isFailure(value: unknown): value is CodecFailure {
  return value instanceof CodecFailure;
}
