import { type BitReader, HuffmanTable } from "./bzip2-huffman.ts";

export type Bzip2Fault =
  | "header"
  | "magic"
  | "truncated"
  | "randomised"
  | "symbols"
  | "selectors"
  | "lengths"
  | "code"
  | "overflow"
  | "origin"
  | "checksum";

const UNIT = 100_000;
const GROUP = 50;
const MAX_SELECTORS = 18_002;
const MAX_CODE_BITS = 20;
const RUN_A = 0;
const RUN_B = 1;
const MAX_RUN = 2 * 1_048_576;

/** Bits of a block without the 48 of its magic number: checksum, randomised, origin. */
const crcTable: Int32Array = makeCrcTable();

/**
 * Decodes blocks of bzip2: Huffman codes, move-to-front, and the inverse Burrows-Wheeler transform
 * in 4 bytes for each byte of a block (3.6 MB). Bounded whatever the input says: no loop runs
 * longer than a block holds bytes.
 */
export class Bzip2Block {
  readonly #table = new Uint32Array(9 * UNIT);
  readonly #codes: readonly HuffmanTable[] = Array.from({ length: 6 }, () => new HuffmanTable());
  readonly #selectors = new Uint8Array(MAX_SELECTORS);
  readonly #lengths = new Uint8Array(258);
  readonly #symbols = new Uint8Array(256);
  readonly #front = new Uint8Array(256);
  readonly #counts = new Int32Array(256);
  #symbolCount = 0;
  #codeCount = 0;
  #selectorCount = 0;
  #origin = 0;
  #size = 0;
  #expectedCrc = 0;
  #crc = 0;
  #position = 0;
  #left = 0;
  #run = 0;
  #previous = -1;
  #repeat = 0;

  /** Checksum of the block's bytes, once `read` has given all. */
  get crc(): number {
    return ~this.#crc;
  }

  get intact(): boolean {
    return ~this.#crc === this.#expectedCrc;
  }

  /** Decodes the block that follows its magic number; `level` (1 to 9) bounds its size. */
  decode(bits: BitReader, level: number): Bzip2Fault | undefined {
    this.#expectedCrc = (bits.read(16) << 16) | bits.read(16);
    if (bits.read(1) !== 0) return "randomised";
    this.#origin = bits.read(24);
    const fault = this.#readTables(bits) ?? this.#readSymbols(bits, level * UNIT);
    if (fault !== undefined) return bits.overrun ? "truncated" : fault;
    if (bits.overrun) return "truncated";
    if (this.#origin >= this.#size) return "origin";
    this.#invert();
    return undefined;
  }

  #readTables(bits: BitReader): Bzip2Fault | undefined {
    let count = 0;
    const used = bits.read(16);
    for (let row = 0; row < 16; row++) {
      if (((used >>> (15 - row)) & 1) === 0) continue;
      const columns = bits.read(16);
      for (let column = 0; column < 16; column++) {
        if (((columns >>> (15 - column)) & 1) !== 0) this.#symbols[count++] = row * 16 + column;
      }
    }
    if (count === 0) return "symbols";
    this.#symbolCount = count;
    this.#codeCount = bits.read(3);
    if (this.#codeCount < 2 || this.#codeCount > 6) return "selectors";
    return this.#readSelectors(bits) ?? this.#readLengths(bits);
  }

  #readSelectors(bits: BitReader): Bzip2Fault | undefined {
    const count = bits.read(15);
    if (count === 0) return "selectors";
    // More selectors than a block can use are read and dropped, as bzip2 1.0.8 does.
    this.#selectorCount = Math.min(count, MAX_SELECTORS);
    const order = [0, 1, 2, 3, 4, 5];
    for (let index = 0; index < count; index++) {
      let place = 0;
      while (bits.read(1) !== 0) if (++place >= this.#codeCount) return "selectors";
      if (bits.overrun) return "truncated";
      const code = order[place] as number;
      order.splice(place, 1);
      order.unshift(code);
      if (index < MAX_SELECTORS) this.#selectors[index] = code;
    }
    return undefined;
  }

  #readLengths(bits: BitReader): Bzip2Fault | undefined {
    const count = this.#symbolCount + 2;
    for (let code = 0; code < this.#codeCount; code++) {
      let length = bits.read(5);
      for (let symbol = 0; symbol < count; symbol++) {
        for (;;) {
          if (length < 1 || length > MAX_CODE_BITS) return "lengths";
          if (bits.read(1) === 0) break;
          length += bits.read(1) === 0 ? 1 : -1;
        }
        this.#lengths[symbol] = length;
      }
      (this.#codes[code] as HuffmanTable).build(this.#lengths, count);
    }
    return undefined;
  }

  /** Huffman codes and run lengths of move-to-front positions, into the low bytes of the table. */
  #readSymbols(bits: BitReader, capacity: number): Bzip2Fault | undefined {
    const table = this.#table;
    const front = this.#front;
    const counts = this.#counts.fill(0);
    front.set(this.#symbols);
    const end = this.#symbolCount + 1;
    let size = 0;
    let run = 0;
    let runWeight = 1;
    for (let group = 0; group < this.#selectorCount; group++) {
      const code = this.#codes[this.#selectors[group] as number] as HuffmanTable;
      for (let item = 0; item < GROUP; item++) {
        const symbol = code.decode(bits);
        if (symbol < 0) return "code";
        if (symbol <= RUN_B) {
          run += symbol === RUN_A ? runWeight : 2 * runWeight;
          runWeight *= 2;
          if (runWeight > MAX_RUN) return "overflow";
          continue;
        }
        if (run > 0) {
          if (size + run > capacity) return "overflow";
          const byte = front[0] as number;
          counts[byte] = (counts[byte] as number) + run;
          table.fill(byte, size, size + run);
          size += run;
          run = 0;
          runWeight = 1;
        }
        if (symbol === end) {
          this.#size = size;
          return size === 0 ? "origin" : undefined;
        }
        if (size >= capacity) return "overflow";
        const byte = moveToFront(front, symbol - 1);
        counts[byte] = (counts[byte] as number) + 1;
        table[size++] = byte;
      }
    }
    return "selectors";
  }

  /** Links each byte to the one that follows it in the text, in the high bits of the table. */
  #invert(): void {
    const table = this.#table;
    const counts = this.#counts;
    const size = this.#size;
    let sum = 0;
    for (let byte = 0; byte < 256; byte++) {
      const count = counts[byte] as number;
      counts[byte] = sum;
      sum += count;
    }
    for (let at = 0; at < size; at++) {
      const byte = (table[at] as number) & 0xff;
      const to = counts[byte] as number;
      counts[byte] = to + 1;
      table[to] = (table[to] as number) | (at << 8);
    }
    this.#position = (table[this.#origin] as number) >>> 8;
    this.#left = size;
    this.#run = 0;
    this.#previous = -1;
    this.#repeat = 0;
    this.#crc = -1;
  }

  /** Writes the next bytes of the block to `out[at..)`; returns where they end (`at`: no more). */
  read(out: Uint8Array, at: number): number {
    const table = this.#table;
    const end = out.length;
    let to = at;
    let position = this.#position;
    let left = this.#left;
    let run = this.#run;
    let previous = this.#previous;
    let repeat = this.#repeat;
    let crc = this.#crc;
    while (to < end) {
      if (repeat > 0) {
        const stop = Math.min(to + repeat, end);
        repeat -= stop - to;
        while (to < stop) {
          out[to++] = previous;
          crc = (crc << 8) ^ (crcTable[((crc >>> 24) ^ previous) & 0xff] as number);
        }
        continue;
      }
      if (left === 0) break;
      const entry = table[position] as number;
      position = entry >>> 8;
      const byte = entry & 0xff;
      left--;
      if (run === 4) {
        repeat = byte;
        run = 0;
        continue;
      }
      run = byte === previous ? run + 1 : 1;
      previous = byte;
      out[to++] = byte;
      crc = (crc << 8) ^ (crcTable[((crc >>> 24) ^ byte) & 0xff] as number);
    }
    this.#position = position;
    this.#left = left;
    this.#run = run;
    this.#previous = previous;
    this.#repeat = repeat;
    this.#crc = crc;
    return to;
  }
}

function moveToFront(front: Uint8Array, place: number): number {
  const byte = front[place] as number;
  if (place > 24) front.copyWithin(1, 0, place);
  else for (let at = place; at > 0; at--) front[at] = front[at - 1] as number;
  front[0] = byte;
  return byte;
}

/** CRC-32 of polynomial 0x04c11db7, most significant bit first. */
function makeCrcTable(): Int32Array {
  const table = new Int32Array(256);
  for (let value = 0; value < 256; value++) {
    let crc = value << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
    table[value] = crc;
  }
  return table;
}
