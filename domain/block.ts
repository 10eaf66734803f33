import { type AddressFamily, addressBytes } from "./address.ts";
import { formatPrefixAt, type Prefix, prefixOf } from "./prefix.ts";

/** A block is a prefix that lies between these lengths (in bits) and has one cell. */
export type Block = Prefix;

/** Shortest and longest block of each family. */
export const MIN_BLOCK_LENGTH_4 = 16;
export const MAX_BLOCK_LENGTH_4 = 24;
export const MIN_BLOCK_LENGTH_6 = 32;
export const MAX_BLOCK_LENGTH_6 = 56;

/** Keys of IPv4: one for each /24. */
export const KEYS_4: number = 2 ** MAX_BLOCK_LENGTH_4;
/**
 * Keys of IPv6: one for each /56 of 2000::/3, counted from there. All of the global unicast space
 * (RFC 4291 section 2.4, IANA's registry) then fits the integers that a double holds exactly.
 */
export const KEYS_6: number = 2 ** 53;
/** The key of an IPv6 address that is not global unicast. */
export const NO_KEY = -1;

const LOW_BITS_6 = 24;
const LOW_KEYS_6 = 2 ** LOW_BITS_6;
const GLOBAL_UNICAST = 0b001;

/** The /24 of the IPv4 address at `start`. */
export function keyOf4(bytes: Uint8Array, start = 0): number {
  return ((bytes[start] ?? 0) << 16) | ((bytes[start + 1] ?? 0) << 8) | (bytes[start + 2] ?? 0);
}

/** The /56 of the IPv6 address at `start`, counted from 2000::, or NO_KEY outside of 2000::/3. */
export function keyOf6(bytes: Uint8Array, start = 0): number {
  const first = bytes[start] ?? 0;
  if (first >> 5 !== GLOBAL_UNICAST) return NO_KEY;
  const high =
    ((first & 0x1f) << 24) |
    ((bytes[start + 1] ?? 0) << 16) |
    ((bytes[start + 2] ?? 0) << 8) |
    (bytes[start + 3] ?? 0);
  const low =
    ((bytes[start + 4] ?? 0) << 16) | ((bytes[start + 5] ?? 0) << 8) | (bytes[start + 6] ?? 0);
  return high * LOW_KEYS_6 + low;
}

/** Writes the first address of a key at the start of `target`, which needs 16 bytes. */
export function addressOfKey(family: AddressFamily, key: number, target: Uint8Array): void {
  target.fill(0, 0, addressBytes(family));
  if (family === 4) {
    target[0] = key >>> 16;
    target[1] = key >>> 8;
    target[2] = key;
    return;
  }
  const high = Math.floor(key / LOW_KEYS_6);
  const low = key % LOW_KEYS_6;
  target[0] = (GLOBAL_UNICAST << 5) | (high >>> 24);
  target[1] = high >>> 16;
  target[2] = high >>> 8;
  target[3] = high;
  target[4] = low >>> 16;
  target[5] = low >>> 8;
  target[6] = low;
}

/**
 * The length of the biggest block that holds `key` and no key outside of [from, to): as long as
 * needed, no longer, and never shorter than the family's shortest.
 */
export function blockLength(family: AddressFamily, key: number, from: number, to: number): number {
  return family === 4 ? blockLength4(key, from, to) : blockLength6(key, from, to);
}

function blockLength4(key: number, from: number, to: number): number {
  const shared = 32 - MAX_BLOCK_LENGTH_4;
  const left = from === 0 ? 0 : Math.clz32(key ^ (from - 1)) - shared + 1;
  const right = to >= KEYS_4 ? 0 : Math.clz32(key ^ to) - shared + 1;
  return Math.max(MIN_BLOCK_LENGTH_4, left, right);
}

function blockLength6(key: number, from: number, to: number): number {
  const left = from === 0 ? 0 : sharedBits6(key, from - 1) + 1;
  const right = to >= KEYS_6 ? 0 : sharedBits6(key, to) + 1;
  return Math.max(MIN_BLOCK_LENGTH_6, left, right);
}

/** How many leading bits two different /56 have in common. */
function sharedBits6(left: number, right: number): number {
  const leftHigh = Math.floor(left / LOW_KEYS_6);
  const rightHigh = Math.floor(right / LOW_KEYS_6);
  if (leftHigh !== rightHigh) return Math.clz32(leftHigh ^ rightHigh);
  const low = (left - leftHigh * LOW_KEYS_6) ^ (right - rightHigh * LOW_KEYS_6);
  return 32 + Math.clz32(low) - (32 - LOW_BITS_6);
}

/** The block of this length that holds the address at the start of `bytes`. */
export function blockOf(family: AddressFamily, bytes: Uint8Array, length: number): Block {
  return prefixOf(family, bytes, length);
}

/** A block's text, as it stands in events: `203.0.112.0/22`. The host bits are not read. */
export function formatBlock(family: AddressFamily, bytes: Uint8Array, length: number): string {
  return formatPrefixAt(bytes, 0, family, length);
}
