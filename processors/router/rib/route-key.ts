import type { AddressFamily } from "../../../domain/address.ts";

/**
 * Keys of routes: `[peer number, 4 bytes][first byte of the prefix][tag][further bytes of the prefix]`. The tag is
 * the length in bits for IPv4 and 64 + length for IPv6. The first byte stands before the tag, so that 1/256 of a
 * peer's table has a common beginning of 5 bytes.
 */
export const maxRouteKeyBytes: number = 21;
const ipv6Tag = 64;

/** Writes the key of a route at the start of `target` and returns its length. */
export function writeRouteKey(
  target: Uint8Array,
  peerNumber: number,
  family: AddressFamily,
  length: number,
  source: Uint8Array,
  start: number,
): number {
  target[0] = peerNumber >>> 24;
  target[1] = peerNumber >>> 16;
  target[2] = peerNumber >>> 8;
  target[3] = peerNumber;
  return writePrefixKey(target, 4, family, length, source, start);
}

/** Writes the part of the key that says which prefix; bytes and bits after `length` are left out. */
export function writePrefixKey(
  target: Uint8Array,
  at: number,
  family: AddressFamily,
  length: number,
  source: Uint8Array,
  start: number,
): number {
  const size = (length + 7) >> 3;
  const rest = length & 7;
  let end = at;
  target[end++] = size === 0 ? 0 : (source[start] as number);
  target[end++] = family === 6 ? ipv6Tag + length : length;
  for (let byte = 1; byte < size; byte++) target[end++] = source[start + byte] as number;
  if (rest !== 0) {
    const last = size === 1 ? at : end - 1;
    target[last] = (target[last] as number) & (0xff00 >> rest);
  }
  return end;
}

/** 0 for IPv4, 1 for IPv6: the family of the route whose key begins at `start`. */
export function familyIndexOfKey(key: Uint8Array, start: number): 0 | 1 {
  return (key[start + 5] as number) >= ipv6Tag ? 1 : 0;
}
