import { Bzip2Block, type Bzip2Fault } from "./bzip2-block.ts";
import { BitReader } from "./bzip2-huffman.ts";
import { inflatedChunkBytes } from "./limits.ts";

/** Most compressed bytes of one block: 900,000 symbols of 20 bits and the code tables. */
const MAX_BLOCK_BYTES = 2_621_440;
const BLOCK_MAGIC_HIGH = 0x314159;
const BLOCK_MAGIC_LOW = 0x265359;
const END_MAGIC_HIGH = 0x177245;
const END_MAGIC_LOW = 0x385090;

const reasons: Readonly<Record<Bzip2Fault, string>> = {
  header: "no bzip2 header",
  magic: "no block where one should begin",
  truncated: "the compressed data ends early",
  randomised: "an obsolete randomised block",
  symbols: "a block without symbols",
  selectors: "bad selectors",
  lengths: "bad code lengths",
  code: "bits that are no code",
  overflow: "a block larger than its header says",
  origin: "a block without a beginning",
  checksum: "a wrong checksum",
};

/** Thrown by `bunzip2` for data that it cannot go on with. */
export class Bzip2Error extends Error {
  readonly fault: Bzip2Fault;

  constructor(fault: Bzip2Fault) {
    super(reasons[fault]);
    this.name = "Bzip2Error";
    this.fault = fault;
  }
}

/** Compressed bytes that have arrived and were not decoded. */
class Pending {
  bytes: Uint8Array = new Uint8Array(262_144);
  start = 0;
  end = 0;

  append(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
    }
    if (this.end + chunk.length > this.bytes.length) {
      const grown = new Uint8Array(2 * (this.end + chunk.length));
      grown.set(this.bytes.subarray(0, this.end));
      this.bytes = grown;
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }
}

/**
 * Decompresses bzip2, several streams in a row included; bytes after the last one that begin no
 * other are ignored. Gives chunks of at most `inflatedChunkBytes` as soon as a block is decoded;
 * every chunk is new memory. Throws Bzip2Error, after the last good block.
 */
export async function* bunzip2(
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const pending = new Pending();
  const decoder = new Bzip2Decoder(pending);
  for await (const chunk of input) {
    pending.append(chunk);
    while (pending.end - pending.start > MAX_BLOCK_BYTES && decoder.step()) yield* decoder.chunks();
  }
  while (decoder.step()) yield* decoder.chunks();
}

/** Decodes one header, block or trailer after the other. */
class Bzip2Decoder {
  readonly #pending: Pending;
  readonly #bits = new BitReader();
  readonly #block = new Bzip2Block();
  /** Bits of the first pending byte that belong to the block before. */
  #skip = 0;
  #level = 0;
  #streams = 0;
  #crc = 0;
  #hasBlock = false;

  constructor(pending: Pending) {
    this.#pending = pending;
  }

  /** Reads one item; false at the end of the last stream. */
  step(): boolean {
    const pending = this.#pending;
    const bits = this.#bits;
    this.#hasBlock = false;
    if (this.#level === 0) return this.#header();
    bits.open(pending.bytes, pending.start, pending.end);
    if (this.#skip > 0) bits.read(this.#skip);
    const high = bits.read(24);
    const low = bits.read(24);
    if (bits.overrun) throw new Bzip2Error("truncated");
    if (high === END_MAGIC_HIGH && low === END_MAGIC_LOW) this.#trailer();
    else if (high === BLOCK_MAGIC_HIGH && low === BLOCK_MAGIC_LOW) this.#decode();
    else throw new Bzip2Error("magic");
    return true;
  }

  #header(): boolean {
    const { bytes, start, end } = this.#pending;
    const level = (bytes[start + 3] as number) - 0x30;
    const sound =
      end - start >= 4 &&
      bytes[start] === 0x42 &&
      bytes[start + 1] === 0x5a &&
      bytes[start + 2] === 0x68 &&
      level >= 1 &&
      level <= 9;
    if (!sound) {
      if (this.#streams === 0) throw new Bzip2Error("header");
      this.#pending.start = end;
      return false;
    }
    this.#pending.start += 4;
    this.#level = level;
    this.#skip = 0;
    this.#crc = 0;
    return true;
  }

  #trailer(): void {
    const bits = this.#bits;
    const expected = (bits.read(16) << 16) | bits.read(16);
    if (bits.overrun) throw new Bzip2Error("truncated");
    if (expected !== this.#crc) throw new Bzip2Error("checksum");
    this.#pending.start = Math.ceil(bits.bitPosition / 8);
    this.#level = 0;
    this.#streams++;
  }

  #decode(): void {
    const fault = this.#block.decode(this.#bits, this.#level);
    if (fault !== undefined) throw new Bzip2Error(fault);
    const position = this.#bits.bitPosition;
    this.#pending.start = position >>> 3;
    this.#skip = position & 7;
    this.#hasBlock = true;
  }

  /** The bytes of the block that was just read. */
  *chunks(): Generator<Uint8Array> {
    if (!this.#hasBlock) return;
    const block = this.#block;
    for (;;) {
      const out = Buffer.allocUnsafeSlow(inflatedChunkBytes);
      const size = block.read(out, 0);
      if (size === 0) break;
      yield out.subarray(0, size);
    }
    if (!block.intact) throw new Bzip2Error("checksum");
    this.#crc = ((this.#crc << 1) | (this.#crc >>> 31)) ^ block.crc;
  }
}
