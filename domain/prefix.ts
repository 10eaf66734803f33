import {
  type Address,
  type AddressFamily,
  addressBytes,
  formatAddress,
  isMapped,
  MAX_ADDRESS_TEXT,
  parseUnmapped,
} from "./address.ts";

/** A network: 4 or 16 bytes of which only the first `length` bits may be set. */
export interface Prefix {
  readonly family: AddressFamily;
  readonly bytes: Uint8Array;
  readonly length: number;
}

const MAPPED_BITS = 96;

/** 32 for IPv4, 128 for IPv6. */
export function maxPrefixLength(family: AddressFamily): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The prefix of `length` bits that holds this address; the host bits are cleared. */
export function prefixOf(family: AddressFamily, bytes: Uint8Array, length: number): Prefix {
  // A copy, also of a Buffer, whose own `slice` would share its memory.
  const masked = Uint8Array.from(bytes.subarray(0, addressBytes(family)));
  clearHostBits(masked, length);
  return { family, bytes: masked, length };
}

/** The prefix of one address: /32 or /128. */
export function hostPrefix(address: Address): Prefix {
  return prefixOf(address.family, address.bytes, maxPrefixLength(address.family));
}

/**
 * Reads `address/length`. Host bits are cleared, so equal networks have equal text; a network
 * inside `::ffff:0:0/96` becomes the IPv4 network. Undefined when the text is no prefix (the
 * length is decimal, without sign and leading zeros, and is required).
 */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  if (slash < 0 || slash > MAX_ADDRESS_TEXT || text.length - slash > 4) return undefined;
  const length = parseLength(text, slash + 1);
  const bytes = new Uint8Array(16);
  const family = parseUnmapped(text.slice(0, slash), bytes);
  if (family === 0 || length < 0 || length > maxPrefixLength(family)) return undefined;
  if (family === 6 && length >= MAPPED_BITS && isMapped(bytes, 0)) {
    return prefixOf(4, bytes.subarray(12), length - MAPPED_BITS);
  }
  return prefixOf(family, bytes, length);
}

function parseLength(text: string, from: number): number {
  let value = -1;
  for (let at = from; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9 || value === 0) return -1;
    value = value < 0 ? digit : value * 10 + digit;
  }
  return value;
}

/** `192.0.2.0/24`, `2001:db8::/32`. */
export function formatPrefix(prefix: Prefix): string {
  return formatPrefixAt(prefix.bytes, 0, prefix.family, prefix.length);
}

/**
 * The text of a prefix that lies at `start` of a bigger array, as long as its `length` says
 * (RFC 4271 section 4.3: only the bytes that hold prefix bits). Host bits are not printed.
 */
export function formatPrefixAt(
  bytes: Uint8Array,
  start: number,
  family: AddressFamily,
  length: number,
): string {
  const whole = new Uint8Array(addressBytes(family));
  whole.set(bytes.subarray(start, start + ((length + 7) >> 3)));
  clearHostBits(whole, length);
  return `${formatAddress(whole, 0, family)}/${length}`;
}

/** Clears every bit after the first `length`, in place. */
export function clearHostBits(bytes: Uint8Array, length: number): void {
  const whole = length >> 3;
  if (whole >= bytes.length) return;
  bytes[whole] = (bytes[whole] ?? 0) & (0xff00 >> (length & 7));
  bytes.fill(0, whole + 1);
}

/** Whether the first `length` bits at `leftAt` and `rightAt` are equal. */
export function sameBits(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
  length: number,
): boolean {
  const whole = length >> 3;
  for (let at = 0; at < whole; at++) if (left[leftAt + at] !== right[rightAt + at]) return false;
  const rest = length & 7;
  if (rest === 0) return true;
  const difference = (left[leftAt + whole] ?? 0) ^ (right[rightAt + whole] ?? 0);
  return difference >> (8 - rest) === 0;
}

/** Whether the prefix holds this address; never across families. */
export function contains(prefix: Prefix, address: Address): boolean {
  return (
    prefix.family === address.family && sameBits(prefix.bytes, 0, address.bytes, 0, prefix.length)
  );
}

/** Whether `outer` is `inner` or holds all of it. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && contains(outer, inner);
}

/** Whether some address lies in both: one of the two covers the other. */
export function overlaps(left: Prefix, right: Prefix): boolean {
  return (
    left.family === right.family &&
    sameBits(left.bytes, 0, right.bytes, 0, Math.min(left.length, right.length))
  );
}
