import * as runtime from "./bounds-run.ts";
import { CheckSource } from "./bounds-source.ts";
import { CodecFailure } from "./failure.ts";
import { MAX_FRAME_BYTES, MAX_ZERO_BYTE_ELEMENTS } from "./limits.ts";
import type { SchemaNode } from "./schema-node.ts";

/**
 * Looks whether `buffer[start, end)` is exactly one value of the schema it was compiled for, within
 * the limits of `limits.ts`, without building anything. Returns the reason and the byte when not.
 * Bytes that pass can be read and skipped by avsc without throwing, looping or reading past `end`.
 */
export interface BoundsCheck {
  (buffer: Uint8Array, start: number, end: number): CodecFailure | undefined;
  /** True when some encodable values fail: recursive schemas and arrays of zero-byte elements. */
  readonly refusesSomeValues: boolean;
}

type CompiledCheck = (buffer: Uint8Array, start: number, end: number, depth: number) => number;

/**
 * Compiles the bounds check of a schema to JavaScript. The source holds only numbers taken from the
 * schema, never its names. Straight-line code is what makes it cheap: see `bench/codec.ts`.
 */
export function compileBoundsCheck(node: SchemaNode): BoundsCheck {
  const source = new CheckSource();
  const entry = source.add(node);
  const factory = new Function("rt", `"use strict";\n${source.text()}\nreturn ${entry};`);
  const compiled = factory(runtime) as CompiledCheck;
  const check = (buffer: Uint8Array, start: number, end: number): CodecFailure | undefined => {
    if (!(start >= 0 && start <= end && end <= buffer.length)) {
      return new CodecFailure("BOUNDS", "the range is not inside the buffer", start);
    }
    if (end - start > MAX_FRAME_BYTES) {
      return new CodecFailure("TOO_LARGE", `${end - start} bytes are too many`, start);
    }
    runtime.run.zeroBudget = MAX_ZERO_BYTE_ELEMENTS;
    const next = compiled(buffer, start, end, 0);
    return next === end ? undefined : explain(next, end);
  };
  return Object.assign(check, { refusesSomeValues: source.refusesSomeValues });
}

function explain(next: number, end: number): CodecFailure {
  if (next >= 0 && next < end) {
    return new CodecFailure("TRAILING", `${end - next} bytes are left over`, next);
  }
  const past = next > end || runtime.run.at >= end;
  const [code, message] = runtime.REFUSALS[past ? -runtime.BOUNDS : -next] ?? ["BOUNDS", ""];
  return new CodecFailure(code, message, past ? end : runtime.run.at);
}
