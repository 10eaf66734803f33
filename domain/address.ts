/** 4 for IPv4, 6 for IPv6. */
export type AddressFamily = 4 | 6;

/** An IP address in network byte order: 4 bytes for family 4, 16 for family 6. */
export interface Address {
  readonly family: AddressFamily;
  readonly bytes: Uint8Array;
}

/** The longest text of an address: eight groups of which the last two are a dotted quad. */
export const MAX_ADDRESS_TEXT = 45;

const DOT = 0x2e;
const COLON = 0x3a;
const MAPPED_PREFIX_BYTES = 12;

const decimals: readonly string[] = Array.from({ length: 256 }, (_, value) => String(value));
const scratch = new Uint8Array(16);

/** Bytes of an address of this family. */
export function addressBytes(family: AddressFamily): 4 | 16 {
  return family === 4 ? 4 : 16;
}

/**
 * Reads a dotted quad (no leading zeros) or any text form of IPv6 (RFC 4291 section 2.2).
 * An IPv4-mapped address becomes the IPv4 address. Zone ids, ports, brackets and spaces are
 * refused: the answer is undefined.
 */
export function parseAddress(text: string): Address | undefined {
  const family = parseAddressInto(text, scratch);
  return family === 0 ? undefined : { family, bytes: scratch.slice(0, addressBytes(family)) };
}

/**
 * `parseAddress` without an allocation: writes 4 or 16 bytes at the start of `target` (which
 * needs 16) and returns the family, or 0 for a text that is no address.
 */
export function parseAddressInto(text: string, target: Uint8Array): AddressFamily | 0 {
  const family = parseUnmapped(text, target);
  if (family !== 6 || !isMapped(target, 0)) return family;
  target.copyWithin(0, MAPPED_PREFIX_BYTES, 16);
  return 4;
}

/** As `parseAddressInto`, but an IPv4-mapped address stays the 16 bytes that were written. */
export function parseUnmapped(text: string, target: Uint8Array): AddressFamily | 0 {
  const { length } = text;
  if (length < 2 || length > MAX_ADDRESS_TEXT) return 0;
  for (let at = 0; at < 5 && at < length; at++) {
    const code = text.charCodeAt(at);
    if (code === COLON) return parseIpv6(text, target) ? 6 : 0;
    if (code === DOT) return parseQuad(text, 0, target, 0) ? 4 : 0;
  }
  return 0;
}

/** Whether the 16 bytes at `start` are in `::ffff:0:0/96`. */
export function isMapped(bytes: Uint8Array, start: number): boolean {
  for (let at = 0; at < 10; at++) if (bytes[start + at] !== 0) return false;
  return bytes[start + 10] === 0xff && bytes[start + 11] === 0xff;
}

/** Reads a dotted quad that ends with the text. */
function parseQuad(text: string, from: number, target: Uint8Array, targetAt: number): boolean {
  let octet = 0;
  let value = -1;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (value < 0 || octet === 3) return false;
      target[targetAt + octet++] = value;
      value = -1;
      continue;
    }
    const digit = code - 0x30;
    if (digit < 0 || digit > 9 || value === 0) return false;
    value = value < 0 ? digit : value * 10 + digit;
    if (value > 255) return false;
  }
  if (value < 0 || octet !== 3) return false;
  target[targetAt + 3] = value;
  return true;
}

function parseIpv6(text: string, target: Uint8Array): boolean {
  const { length } = text;
  let at = 0;
  let written = 0;
  let gapAt = -1;
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false;
    gapAt = 0;
    at = 2;
  }
  while (at < length) {
    const groupAt = at;
    let value = 0;
    let code = 0;
    for (; at < length; at++) {
      code = text.charCodeAt(at);
      const digit = hexDigit(code);
      if (digit < 0) break;
      if (at - groupAt === 4) return false;
      value = (value << 4) | digit;
    }
    if (at < length && code === DOT) {
      if (written > 12 || !parseQuad(text, groupAt, target, written)) return false;
      written += 4;
      at = length;
      break;
    }
    if (at === groupAt || written > 14) return false;
    target[written++] = value >> 8;
    target[written++] = value & 0xff;
    if (at === length) break;
    if (code !== COLON) return false;
    at++;
    if (at === length) return false;
    if (text.charCodeAt(at) === COLON) {
      if (gapAt >= 0) return false;
      gapAt = written;
      at++;
    }
  }
  return closeGap(target, written, gapAt);
}

/** Moves what stands after the `::` to the end and puts zeros in between. */
function closeGap(target: Uint8Array, written: number, gapAt: number): boolean {
  if (gapAt < 0) return written === 16;
  if (written > 14) return false;
  const tail = written - gapAt;
  target.copyWithin(16 - tail, gapAt, written);
  target.fill(0, gapAt, 16 - tail);
  return true;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * The canonical text of the 4 or 16 bytes at `start` (RFC 5952: lower case, the first of the
 * longest runs of two or more zero groups is `::`, IPv4-mapped in mixed notation). Bytes after
 * the end of the array count as zero, so a prefix may be given without its host bytes.
 */
export function formatAddress(bytes: Uint8Array, start: number, family: AddressFamily): string {
  return family === 4 ? formatQuad(bytes, start) : formatIpv6(bytes, start);
}

function formatQuad(bytes: Uint8Array, start: number): string {
  const a = decimals[bytes[start] ?? 0];
  const b = decimals[bytes[start + 1] ?? 0];
  const c = decimals[bytes[start + 2] ?? 0];
  const d = decimals[bytes[start + 3] ?? 0];
  return `${a}.${b}.${c}.${d}`;
}

function groupAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function formatIpv6(bytes: Uint8Array, start: number): string {
  if (isMapped(bytes, start)) return `::ffff:${formatQuad(bytes, start + MAPPED_PREFIX_BYTES)}`;
  let gapAt = -1;
  let gapLength = 1;
  for (let group = 0; group < 8; group++) {
    let end = group;
    while (end < 8 && groupAt(bytes, start + 2 * end) === 0) end++;
    if (end - group > gapLength) {
      gapAt = group;
      gapLength = end - group;
    }
    if (end > group) group = end;
  }
  let text = "";
  for (let group = 0; group < 8; group++) {
    if (group === gapAt) {
      text += "::";
      group += gapLength - 1;
      continue;
    }
    if (text !== "" && group !== gapAt + gapLength) text += ":";
    text += groupAt(bytes, start + 2 * group).toString(16);
  }
  return text;
}
