const FAST_BITS = 10;
const MAX_CODE_BITS = 20;
const MAX_SYMBOLS = 258;
const LENGTH_BITS = 5;
const LENGTH_MASK = (1 << LENGTH_BITS) - 1;

/**
 * Bits of a buffer, most significant first. Reading past the end gives zeros and sets `overrun`,
 * so a decoder checks once where its loops are bounded.
 */
export class BitReader {
  bytes: Uint8Array = new Uint8Array(0);
  /** Next byte to load, and where the bytes end. */
  at = 0;
  end = 0;
  /** `count` bits, right aligned; bits above them are stale. */
  buffer = 0;
  count = 0;
  overrun = false;

  open(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.buffer = 0;
    this.count = 0;
    this.overrun = false;
  }

  /** The next 1 to 24 bits. */
  read(width: number): number {
    while (this.count < width) this.load();
    this.count -= width;
    return (this.buffer >>> this.count) & ((1 << width) - 1);
  }

  /** Loads one byte more; there must be room for it, that is at most 24 bits. */
  load(): void {
    if (this.at >= this.end) {
      this.overrun = true;
      this.buffer <<= 8;
    } else {
      this.buffer = (this.buffer << 8) | (this.bytes[this.at++] as number);
    }
    this.count += 8;
  }

  /** Position of the next bit that was not read. */
  get bitPosition(): number {
    return this.at * 8 - this.count;
  }

  /** Drops bits up to the next whole byte. */
  align(): void {
    this.count -= this.count & 7;
  }
}

/** One of the up to six prefix codes of a block: a table for short codes, a search for longer ones. */
export class HuffmanTable {
  /** For the next FAST_BITS bits: symbol and length of its code, 0 when the code is longer. */
  readonly #fast: Uint16Array = new Uint16Array(1 << FAST_BITS);
  /** Largest code of each length, -1 when there is none; offset from a code to its symbol. */
  readonly #limit: Int32Array = new Int32Array(MAX_CODE_BITS + 2);
  readonly #base: Int32Array = new Int32Array(MAX_CODE_BITS + 2);
  readonly #symbols: Uint16Array = new Uint16Array(MAX_SYMBOLS);
  readonly #counts: Int32Array = new Int32Array(MAX_CODE_BITS + 2);
  #longest = 0;

  /** Builds the canonical code of these lengths (1 to 20 each). */
  build(lengths: Uint8Array, count: number): void {
    const counts = this.#counts.fill(0);
    for (let symbol = 0; symbol < count; symbol++) {
      const length = lengths[symbol] as number;
      counts[length] = (counts[length] as number) + 1;
    }
    this.#fast.fill(0);
    let code = 0;
    let index = 0;
    this.#longest = 0;
    for (let length = 1; length <= MAX_CODE_BITS; length++) {
      code <<= 1;
      this.#base[length] = index - code;
      const size = counts[length] as number;
      if (size > 0) this.#longest = length;
      for (let symbol = 0; symbol < count; symbol++) {
        if (lengths[symbol] !== length) continue;
        this.#symbols[index++] = symbol;
        if (length <= FAST_BITS) this.#spread(code, length, symbol);
        code++;
      }
      this.#limit[length] = size > 0 ? code - 1 : -1;
    }
  }

  /** Fills every entry of the fast table that begins with this code; an over-full code is cut. */
  #spread(code: number, length: number, symbol: number): void {
    const shift = FAST_BITS - length;
    const from = code << shift;
    const to = Math.min((code + 1) << shift, this.#fast.length);
    for (let at = from; at < to; at++) this.#fast[at] = (symbol << LENGTH_BITS) | length;
  }

  /** The next symbol, or -1 when the bits are none. */
  decode(bits: BitReader): number {
    while (bits.count < FAST_BITS) bits.load();
    const peeked = (bits.buffer >>> (bits.count - FAST_BITS)) & ((1 << FAST_BITS) - 1);
    const entry = this.#fast[peeked] as number;
    if (entry !== 0) {
      bits.count -= entry & LENGTH_MASK;
      return entry >>> LENGTH_BITS;
    }
    return this.#decodeLong(bits);
  }

  #decodeLong(bits: BitReader): number {
    let length = FAST_BITS + 1;
    let code = bits.read(length);
    while (length <= this.#longest) {
      if (code <= (this.#limit[length] as number)) {
        const index = code + (this.#base[length] as number);
        return index < 0 || index >= MAX_SYMBOLS ? -1 : (this.#symbols[index] as number);
      }
      code = (code << 1) | bits.read(1);
      length++;
    }
    return -1;
  }
}
