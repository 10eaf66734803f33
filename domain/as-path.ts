/**
 * A packed AS path: its segments one after the other, each `[type][count][count ASNs of 4 bytes,
 * big endian]`. That is the AS_PATH of RFC 6793 as it travels, so a modern path is stored as is.
 */
export const asSegment = { set: 1, sequence: 2, confedSequence: 3, confedSet: 4 } as const;

export type AsSegmentKind = keyof typeof asSegment;

/** One segment of a path; a packed one has 1 to 255 ASNs, each 0..2^32-1. */
export interface AsSegment {
  readonly kind: AsSegmentKind;
  readonly asns: readonly number[];
}

export type AsPathFault = "segmentType" | "emptySegment" | "truncated" | "tooLong" | "asn";

/** Why bytes or segments are no AS path, and the byte where the bad segment begins. */
export interface AsPathFailure {
  readonly kind: "failure";
  readonly code: AsPathFault;
  readonly offset: number;
}

/** ASN that stands for "does not fit in two bytes" (RFC 6793 section 9). */
export const AS_TRANS = 23456;

/** Largest packed path: twice the length field of a path attribute, for 2-byte ASNs widened to 4. */
export const MAX_AS_PATH_BYTES = 131_072;

const kinds: readonly AsSegmentKind[] = ["set", "sequence", "confedSequence", "confedSet"];

/**
 * Checks `bytes[start..end)` as a path of 2- or 4-byte ASNs by RFC 7606 section 7.2 (unknown
 * type, segment past the end, empty segment); undefined when it is well formed.
 */
export function checkAsPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  asnBytes: 2 | 4,
): AsPathFailure | undefined {
  let at = start;
  while (at < end) {
    if (at + 2 > end) return failure("truncated", at - start);
    const type = bytes[at] as number;
    const count = bytes[at + 1] as number;
    if (type < asSegment.set || type > asSegment.confedSet)
      return failure("segmentType", at - start);
    if (count === 0) return failure("emptySegment", at - start);
    const next = at + 2 + count * asnBytes;
    if (next > end) return failure("truncated", at - start);
    at = next;
  }
  return undefined;
}

/** Packs segments; those with more than 255 ASNs are refused, as is an ASN that is no 32-bit number. */
export function packAsPath(segments: readonly AsSegment[]): Uint8Array | AsPathFailure {
  let size = 0;
  for (const segment of segments) {
    const { length } = segment.asns;
    if (length === 0) return failure("emptySegment", size);
    if (length > 255 || size > MAX_AS_PATH_BYTES) return failure("tooLong", size);
    for (const asn of segment.asns) if (asn !== asn >>> 0) return failure("asn", size);
    size += 2 + 4 * length;
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const segment of segments) {
    bytes[at++] = asSegment[segment.kind];
    bytes[at++] = segment.asns.length;
    for (const asn of segment.asns) {
      view.setUint32(at, asn);
      at += 4;
    }
  }
  return bytes;
}

/** The segments of a packed path, for people and tests; hot code reads the bytes. */
export function unpackAsPath(path: Uint8Array): AsSegment[] | AsPathFailure {
  const fault = checkAsPath(path, 0, path.length, 4);
  if (fault !== undefined) return fault;
  const segments: AsSegment[] = [];
  for (let at = 0; at < path.length; ) {
    const kind = kinds[(path[at] as number) - 1] as AsSegmentKind;
    const count = path[at + 1] as number;
    const asns: number[] = [];
    for (let index = 0; index < count; index++) asns.push(asnAt(path, at + 2 + 4 * index));
    segments.push({ kind, asns });
    at += 2 + 4 * count;
  }
  return segments;
}

/**
 * Length of a packed path in route selection (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3):
 * a sequence counts its ASNs, a set counts 1, confederation segments count 0.
 */
export function asPathLength(path: Uint8Array): number {
  let length = 0;
  for (let at = 0; at + 2 <= path.length; ) {
    const type = path[at];
    const count = path[at + 1] as number;
    if (type === asSegment.sequence) length += count;
    else if (type === asSegment.set) length += 1;
    at += 2 + 4 * count;
  }
  return length;
}

/**
 * The AS that originated the route: the last ASN of the last segment outside a confederation.
 * 0 when that is not one AS: an empty path, or a set of several (RFC 6811 section 2: none).
 */
export function originAsn(path: Uint8Array): number {
  let origin = 0;
  for (let at = 0; at + 2 <= path.length; ) {
    const type = path[at];
    const count = path[at + 1] as number;
    const next = at + 2 + 4 * count;
    if (next > path.length) return 0;
    if (type === asSegment.sequence || (type === asSegment.set && count === 1)) {
      origin = count === 0 ? 0 : asnAt(path, next - 4);
    } else if (type === asSegment.set) {
      origin = 0;
    }
    at = next;
  }
  return origin;
}

/** `64496 64511 {64497,64498} (65001 65002) [65003,65004]`: sets in braces, confederations in brackets. */
export function formatAsPath(path: Uint8Array): string {
  const segments = unpackAsPath(path);
  if ("kind" in segments) return "";
  return segments.map(formatSegment).join(" ");
}

function formatSegment({ kind, asns }: AsSegment): string {
  switch (kind) {
    case "sequence":
      return asns.join(" ");
    case "set":
      return `{${asns.join(",")}}`;
    case "confedSequence":
      return `(${asns.join(" ")})`;
    case "confedSet":
      return `[${asns.join(",")}]`;
  }
}

/** The 4-byte ASN at this place. */
export function asnAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x1000000 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  );
}

function failure(code: AsPathFault, offset: number): AsPathFailure {
  return { kind: "failure", code, offset };
}
