/** Grows as it is written to; little endian. */
export class ByteWriter {
  bytes: Buffer;
  length: number = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  #reserve(count: number): number {
    const at = this.length;
    const end = at + count;
    if (end > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    this.length = end;
    return at;
  }

  skip(count: number): void {
    this.#reserve(count);
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    this.bytes.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.bytes.writeUInt32LE(value, at);
  }

  f64(value: number): void {
    const at = this.#reserve(8);
    this.bytes.writeDoubleLE(value, at);
  }

  /** u16 length and UTF-8. */
  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.u16(size);
    const at = this.#reserve(size);
    this.bytes.write(value, at, "utf8");
  }

  raw(bytes: Uint8Array, start: number, end: number): void {
    const at = this.#reserve(end - start);
    this.bytes.set(bytes.subarray(start, end), at);
  }

  /** What was written, in place. */
  take(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

/** Reads what a `ByteWriter` wrote; throws RangeError beyond the end. */
export class ByteReader {
  readonly bytes: Buffer;
  position: number;

  constructor(bytes: Buffer, position: number = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  #advance(count: number): number {
    const at = this.position;
    if (at + count > this.bytes.length) throw new RangeError("the bytes are cut short");
    this.position = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.#advance(1)] as number;
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.#advance(4));
  }

  f64(): number {
    return this.bytes.readDoubleLE(this.#advance(8));
  }

  text(): string {
    const size = this.u16();
    const at = this.#advance(size);
    return this.bytes.toString("utf8", at, at + size);
  }

  /** Steps over `count` bytes and gives where they begin. */
  raw(count: number): number {
    return this.#advance(count);
  }
}
