const DOT = 0x2e;
const COLON = 0x3a;
const ZERO = 0x30;

/** The decimals 0..255, 4 bytes each: three digits and how many of them count. */
const octets: Uint8Array = octetTable();
const hexDigits: Uint8Array = ascii("0123456789abcdef");
const mappedStart: Uint8Array = ascii("::ffff:");
const compatibleStart: Uint8Array = ascii("::");
const zeroRuns = new Uint8Array(8);

/** The bytes of a text that has only ASCII characters. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/**
 * Text as bytes in memory of fixed size, written without strings. The caller keeps enough room;
 * what would stand past the end is dropped.
 */
export class TextWriter {
  readonly bytes: Uint8Array;
  length = 0;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  byte(value: number): void {
    this.bytes[this.length++] = value;
  }

  text(value: Uint8Array): void {
    this.slice(value, 0, value.length);
  }

  /** Appends `source[start..end)`. */
  slice(source: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    if (end - start > 64) {
      bytes.set(source.subarray(start, end), at);
      this.length = at + end - start;
      return;
    }
    for (let from = start; from < end; from++) bytes[at++] = source[from] as number;
    this.length = at;
  }

  /** An unsigned number below 2^32. */
  decimal(value: number): void {
    if (value < 256) {
      this.octet(value);
      return;
    }
    let digits = 3;
    for (let limit = 1000; value >= limit; limit *= 10) digits++;
    let at = this.length + digits;
    this.length = at;
    let rest = value;
    while (rest >= 10) {
      const tenth = Math.floor(rest / 10);
      this.bytes[--at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.bytes[--at] = ZERO + rest;
  }

  /** A signed 32-bit number. */
  signed(value: number): void {
    if (value < 0) {
      this.byte(0x2d);
      this.decimal(-value);
    } else {
      this.decimal(value);
    }
  }

  octet(value: number): void {
    const { bytes } = this;
    let at = this.length;
    const from = value << 2;
    const digits = octets[from + 3] as number;
    bytes[at++] = octets[from] as number;
    if (digits > 1) bytes[at++] = octets[from + 1] as number;
    if (digits > 2) bytes[at++] = octets[from + 2] as number;
    this.length = at;
  }

  quad(source: Uint8Array, at: number): void {
    this.octet(source[at] as number);
    this.byte(DOT);
    this.octet(source[at + 1] as number);
    this.byte(DOT);
    this.octet(source[at + 2] as number);
    this.byte(DOT);
    this.octet(source[at + 3] as number);
  }

  /**
   * 16 bytes as `bgpdump` prints them: unlike RFC 5952, a single zero group is shortened to `::`
   * and addresses in ::/96 end in a dotted quad.
   */
  ipv6(source: Uint8Array, at: number): void {
    const embedded = embeddedQuad(source, at);
    if (embedded !== undefined) {
      this.text(embedded);
      this.quad(source, at + 12);
      return;
    }
    const runAt = longestZeroRun(source, at);
    for (let group = 0; group < 8; group++) {
      if (group === runAt) {
        if (group === 0) this.byte(COLON);
        this.byte(COLON);
        group += (zeroRuns[group] as number) - 1;
        continue;
      }
      this.#group(source[at + 2 * group] as number, source[at + 2 * group + 1] as number);
      if (group !== 7) this.byte(COLON);
    }
  }

  #group(high: number, low: number): void {
    const { bytes } = this;
    const value = (high << 8) | low;
    let at = this.length;
    if (value > 0xfff) bytes[at++] = hexDigits[high >> 4] as number;
    if (value > 0xff) bytes[at++] = hexDigits[high & 15] as number;
    if (value > 0xf) bytes[at++] = hexDigits[low >> 4] as number;
    bytes[at++] = hexDigits[low & 15] as number;
    this.length = at;
  }
}

/** What stands before the dotted quad of an IPv4-mapped or -compatible address (except :: and ::1). */
function embeddedQuad(source: Uint8Array, at: number): Uint8Array | undefined {
  for (let byte = 0; byte < 10; byte++) if (source[at + byte] !== 0) return undefined;
  const middle = ((source[at + 10] as number) << 8) | (source[at + 11] as number);
  if (middle === 0xffff) return mappedStart;
  if (middle !== 0) return undefined;
  const high =
    (source[at + 12] as number) | (source[at + 13] as number) | (source[at + 14] as number);
  return high === 0 && (source[at + 15] as number) <= 1 ? undefined : compatibleStart;
}

/** First group of the first longest run of zero groups, -1 when there is none; its length is in `zeroRuns`. */
function longestZeroRun(source: Uint8Array, at: number): number {
  let run = 0;
  for (let group = 7; group >= 0; group--) {
    const zero = source[at + 2 * group] === 0 && source[at + 2 * group + 1] === 0;
    run = zero ? run + 1 : 0;
    zeroRuns[group] = run;
  }
  let longestAt = -1;
  let longest = 0;
  for (let group = 0; group < 8; group++) {
    if ((zeroRuns[group] as number) > longest) {
      longestAt = group;
      longest = zeroRuns[group] as number;
    }
  }
  return longestAt;
}

function octetTable(): Uint8Array {
  const table = new Uint8Array(1024);
  for (let value = 0; value < 256; value++) {
    const text = String(value);
    table.set(ascii(text), value * 4);
    table[value * 4 + 3] = text.length;
  }
  return table;
}
