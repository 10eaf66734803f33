import { asSegment, MAX_AS_PATH_BYTES } from "../../domain/as-path.ts";

const scratch: Uint8Array = new Uint8Array(2 * MAX_AS_PATH_BYTES);

/**
 * A path of 2-byte ASNs, `bytes[start..end)`, packed with 4-byte ones and joined with the AS4_PATH
 * in `bytes[as4Start..as4End)` (RFC 6793 section 4.2.3; empty when there is none): as many leading
 * ASNs of the short path as it is longer, then the long one without its confederation segments.
 * Both must have passed `checkAsPath`. The answer lies in memory that the next call reuses.
 */
export function widenAsPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  as4Start: number,
  as4End: number,
): Uint8Array {
  const as4Count = countAsns(bytes, as4Start, as4End, 4);
  const count = countAsns(bytes, start, end, 2);
  if (as4Start === as4End || count < as4Count) {
    return scratch.subarray(0, takeLeading(bytes, start, end, Number.POSITIVE_INFINITY));
  }
  const length = takeLeading(bytes, start, end, count - as4Count);
  return scratch.subarray(0, appendLong(bytes, as4Start, as4End, length));
}

/** Number of ASNs for route selection: a set counts 1, confederation segments 0. */
function countAsns(bytes: Uint8Array, start: number, end: number, asnBytes: 2 | 4): number {
  let total = 0;
  for (let at = start; at < end; ) {
    const count = bytes[at + 1] as number;
    if (bytes[at] === asSegment.sequence) total += count;
    else if (bytes[at] === asSegment.set) total += 1;
    at += 2 + count * asnBytes;
  }
  return total;
}

/**
 * Copies segments from the front until `wanted` ASNs are there, confederation segments that stand
 * before or right behind them included; returns how many bytes that made.
 */
function takeLeading(bytes: Uint8Array, start: number, end: number, wanted: number): number {
  let left = wanted;
  let to = 0;
  for (let at = start; at < end; ) {
    const type = bytes[at] as number;
    const count = bytes[at + 1] as number;
    const counted = type === asSegment.sequence || type === asSegment.set;
    if (counted && left === 0) break;
    const taken = type === asSegment.sequence ? Math.min(count, left) : count;
    scratch[to++] = type;
    scratch[to++] = taken;
    for (let index = 0; index < taken; index++) {
      scratch[to++] = 0;
      scratch[to++] = 0;
      scratch[to++] = bytes[at + 2 + 2 * index] as number;
      scratch[to++] = bytes[at + 3 + 2 * index] as number;
    }
    if (taken < count) break;
    if (counted) left -= type === asSegment.set ? 1 : count;
    at += 2 + 2 * count;
  }
  return to;
}

/** Appends the long path; a sequence that continues a sequence becomes one segment where it fits. */
function appendLong(bytes: Uint8Array, start: number, end: number, length: number): number {
  let to = length;
  let lastAt = lastSegment(length);
  for (let at = start; at < end; ) {
    const type = bytes[at] as number;
    const count = bytes[at + 1] as number;
    const next = at + 2 + 4 * count;
    if (type === asSegment.sequence || type === asSegment.set) {
      const joins =
        lastAt >= 0 &&
        type === asSegment.sequence &&
        scratch[lastAt] === asSegment.sequence &&
        (scratch[lastAt + 1] as number) + count <= 255;
      if (joins) {
        scratch[lastAt + 1] = (scratch[lastAt + 1] as number) + count;
      } else {
        lastAt = to;
        scratch[to++] = type;
        scratch[to++] = count;
      }
      for (let from = at + 2; from < next; from++) scratch[to++] = bytes[from] as number;
    }
    at = next;
  }
  return to;
}

/** Where the last segment of the first `length` bytes begins, -1 when there is none. */
function lastSegment(length: number): number {
  let last = -1;
  for (let at = 0; at < length; at += 2 + 4 * (scratch[at + 1] as number)) last = at;
  return last;
}
