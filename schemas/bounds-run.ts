import type { FailureCode } from "./failure.ts";

/** What compiled checks report instead of the next position; the index is the negated number. */
export const REFUSALS: readonly (readonly [FailureCode, string])[] = [
  ["BOUNDS", ""],
  ["BOUNDS", "the bytes end too early"],
  ["RANGE", "a number is out of range"],
  ["RANGE", "a length is negative"],
  ["RANGE", "an index is out of range"],
  ["RANGE", "a boolean is neither 0 nor 1"],
  ["COUNT", "a block claims more items than there are bytes"],
  ["COUNT", "too many items of zero bytes"],
  ["COUNT", "a block is not as long as it says"],
  ["DEPTH", "records are nested too deep"],
  ["BAD_KEY", "a map key reaches a prototype"],
];

export const BOUNDS = -1;
export const NUMBER = -2;
export const LENGTH = -3;
export const INDEX = -4;
export const BOOLEAN = -5;
export const COUNT = -6;
export const ZERO_COUNT = -7;
export const BLOCK_SIZE = -8;
export const DEPTH = -9;
export const KEY = -10;

/** State of the check that is running; checks neither wait nor nest, so one is enough. */
export interface Run {
  /** Where the last refusal was. */
  at: number;
  /** The number that `readLong` read. */
  value: number;
  /** Elements of zero bytes that are still allowed in this frame. */
  zeroBudget: number;
}

export const run: Run = { at: 0, value: 0, zeroBudget: 0 };

/** Largest and smallest long that avsc reads: one inside the safe integers. */
const MAX_MAGNITUDE = Number.MAX_SAFE_INTEGER - 1;

/**
 * Reads a varint long at `position` into `run.value` and returns the position behind it, or `NUMBER`
 * for one of over 10 bytes or outside the safe integers.
 */
export function readLong(buffer: Uint8Array, position: number): number {
  let next = position;
  let byte = buffer[next++] as number;
  if (byte < 128) {
    run.value = (byte >> 1) ^ -(byte & 1);
    return next;
  }
  const odd = byte & 1;
  let magnitude = (byte & 0x7f) >> 1;
  let scale = 64;
  while (byte > 127) {
    if (next - position >= 10) {
      return refuse(NUMBER, position);
    }
    byte = buffer[next++] as number;
    magnitude += (byte & 0x7f) * scale;
    scale *= 128;
  }
  if (magnitude > MAX_MAGNITUDE - odd) {
    return refuse(NUMBER, position);
  }
  run.value = odd === 0 ? magnitude : -magnitude - 1;
  return next;
}

/** Checks a varint int of 5 bytes (the first four continue): only 4 bits of the last count. */
export function checkLastIntByte(buffer: Uint8Array, position: number): number {
  return (buffer[position] as number) > 15 ? refuse(NUMBER, position) : position + 1;
}

/** Reads a length of any size at `position` into `run.value`; negative ones are refused. */
export function readLength(buffer: Uint8Array, position: number): number {
  const next = readLong(buffer, position);
  return next >= 0 && run.value < 0 ? refuse(LENGTH, position) : next;
}

/** Checks an index below `count` that may take more than one byte. */
export function checkIndex(buffer: Uint8Array, position: number, count: number): number {
  const next = readLong(buffer, position);
  return next >= 0 && (run.value < 0 || run.value >= count) ? refuse(INDEX, position) : next;
}

/** Notes where a refusal is and returns its code. */
export function refuse(code: number, position: number): number {
  run.at = position;
  return code;
}

/** True when the 9 or 11 bytes at `start` spell a name that reaches an object's prototype. */
export function isForbiddenKey(buffer: Uint8Array, start: number, size: number): boolean {
  const text = String.fromCharCode(...buffer.subarray(start, start + size));
  return text === "__proto__" || text === "prototype" || text === "constructor";
}
