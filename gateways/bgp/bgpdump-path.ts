import { asSegment } from "../../domain/as-path.ts";
import { uint16, uint32 } from "./mrt-format.ts";
import { ascii, type TextWriter } from "./text-writer.ts";

/** `bgpdump` cuts a path short once it has more characters than this. */
const MAX_PATH_TEXT = 7_900;
/** More merged bytes than can be printed below that limit are not built. */
const MAX_MERGED_BYTES = 65_536;

const SPACE = 0x20;
const COMMA = 0x2c;
const errorText: Uint8Array = ascii("! Error !");
const ellipsis: Uint8Array = ascii("...");
/** Opening and closing characters by segment type; a sequence has none. */
const opening = [0, 0x7b, 0, 0x28, 0x5b];
const closing = [0, 0x7d, 0, 0x29, 0x5d];

/**
 * Number of ASNs of a path as `bgpdump` counts them (a set of either kind counts 1, confederations
 * count), or -1 when a segment is of unknown type or runs past the end.
 */
export function pathCount(bytes: Uint8Array, start: number, end: number, asnBytes: 2 | 4): number {
  let count = 0;
  for (let at = start; at < end; ) {
    const next = segmentEnd(bytes, at, end, asnBytes);
    if (next < 0) return -1;
    const type = bytes[at];
    const set = type === asSegment.set || type === asSegment.confedSet;
    count += set ? 1 : (bytes[at + 1] as number);
    at = next;
  }
  return count;
}

function segmentEnd(bytes: Uint8Array, at: number, end: number, asnBytes: 2 | 4): number {
  const type = bytes[at] as number;
  if (type < asSegment.set || type > asSegment.confedSet || at + 2 > end) return -1;
  const next = at + 2 + (bytes[at + 1] as number) * asnBytes;
  return next > end ? -1 : next;
}

/**
 * Writes a path as `bgpdump` does: ASNs by spaces, `{set}`, `(confederation sequence)`,
 * `[confederation set]`; `! Error !` for a path that cannot be read.
 */
export function writePath(
  out: TextWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  asnBytes: 2 | 4,
): void {
  const from = out.length;
  let last: number = asSegment.sequence;
  let space = false;
  for (let at = start; at < end; ) {
    const next = segmentEnd(bytes, at, end, asnBytes);
    if (next < 0) {
      out.length = from;
      out.text(errorText);
      return;
    }
    if (last !== asSegment.sequence) out.byte(closing[last] as number);
    if (space) out.byte(SPACE);
    last = bytes[at] as number;
    if (last !== asSegment.sequence) out.byte(opening[last] as number);
    const between = last === asSegment.set || last === asSegment.confedSet ? COMMA : SPACE;
    for (let asn = at + 2; asn < next; asn += asnBytes) {
      if (asn > at + 2) out.byte(between);
      out.decimal(asnBytes === 2 ? uint16(bytes, asn) : uint32(bytes, asn));
      if (out.length - from > MAX_PATH_TEXT) {
        out.text(ellipsis);
        return;
      }
    }
    space = next > at + 2;
    at = next;
  }
  if (last !== asSegment.sequence) out.byte(closing[last] as number);
}

/**
 * AS_PATH and AS4_PATH joined as `bgpdump` does it, which differs from RFC 6793 for paths of
 * several segments: leading ASNs are always taken from the first segment of AS_PATH, again and
 * again when it is too short.
 */
export class MergedPath {
  /** 4-byte ASNs. */
  readonly bytes: Uint8Array = new Uint8Array(2 * MAX_MERGED_BYTES);
  length = 0;

  /** Merges `bytes[start..end)`, of 2-byte ASNs and longer by `extra` ASNs, with `bytes[as4Start..as4End)`. */
  merge(
    bytes: Uint8Array,
    start: number,
    end: number,
    extra: number,
    as4Start: number,
    as4End: number,
  ): void {
    this.length = 0;
    const type = bytes[start] as number;
    const set = type === asSegment.set || type === asSegment.confedSet;
    const size = end > start ? (bytes[start + 1] as number) : 0;
    for (let left = extra; left > 0 && size > 0 && this.length < MAX_MERGED_BYTES; ) {
      const count = set ? size : Math.min(size, left);
      this.#segment(type, bytes, start + 2, count);
      left -= set ? 1 : size;
    }
    const room = Math.min(as4End - as4Start, this.bytes.length - this.length);
    this.bytes.set(bytes.subarray(as4Start, as4Start + room), this.length);
    this.length += room;
  }

  #segment(type: number, source: Uint8Array, from: number, count: number): void {
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = type;
    bytes[at++] = count;
    for (let index = 0; index < count; index++) {
      bytes[at++] = 0;
      bytes[at++] = 0;
      bytes[at++] = source[from + 2 * index] as number;
      bytes[at++] = source[from + 2 * index + 1] as number;
    }
    this.length = at;
  }
}
