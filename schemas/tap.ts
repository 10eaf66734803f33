import { TextCache } from "./text-cache.ts";

const INT_LIMIT = 1_073_741_824;
const SHORT_STRING = 40;
const SHORT_COPY = 48;

/** A Buffer with the conversions that Node has and its type declarations leave out. */
export interface NativeBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  utf8Write(text: string, start: number, size: number): number;
  latin1Write(text: string, start: number, size: number): number;
}

const texts = new TextCache();
/** One double and its bytes: half the cost of `readDoubleLE` and `writeDoubleLE`. */
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const NO_BYTES = Buffer.alloc(0) as NativeBuffer;

/**
 * The reading and writing head that avsc's types drive (the interface of avsc's own `Tap`).
 * Differs from it where it is wrong or slow: longs below -2^52 keep their sign, a lone surrogate is
 * written as U+FFFD whatever the length of the string, any `Uint8Array` is written, and no memory pool.
 * Writing past the end is silent; the caller compares `pos` with the buffer's length afterwards.
 * Reading is unchecked: only for bytes that the bounds check has passed.
 */
export class Tap {
  buf: NativeBuffer = NO_BYTES;
  pos = 0;

  readBoolean(): boolean {
    return this.buf[this.pos++] === 1;
  }

  skipBoolean(): void {
    this.pos += 1;
  }

  writeBoolean(value: boolean): void {
    this.buf[this.pos++] = value ? 1 : 0;
  }

  readInt(): number {
    return this.readLong();
  }

  readLong(): number {
    const buf = this.buf;
    let byte = buf[this.pos++] as number;
    let low = byte & 0x7f;
    let shift = 7;
    while (byte > 127 && shift < 28) {
      byte = buf[this.pos++] as number;
      low |= (byte & 0x7f) << shift;
      shift += 7;
    }
    if (byte <= 127) {
      return (low >> 1) ^ -(low & 1);
    }
    let magnitude = low >> 1;
    let scale = 134_217_728;
    do {
      byte = buf[this.pos++] as number;
      magnitude += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte > 127);
    return (low & 1) === 0 ? magnitude : -magnitude - 1;
  }

  skipInt(): void {
    this.skipLong();
  }

  skipLong(): void {
    const buf = this.buf;
    while ((buf[this.pos++] as number) > 127) {
      // Only the position moves.
    }
  }

  writeInt(value: number): void {
    this.writeLong(value);
  }

  writeLong(value: number): void {
    const buf = this.buf;
    let pos = this.pos;
    if (value >= -INT_LIMIT && value < INT_LIMIT) {
      let rest = value >= 0 ? value << 1 : (~value << 1) | 1;
      while (rest > 127) {
        buf[pos++] = (rest & 0x7f) | 0x80;
        rest >>= 7;
      }
      buf[pos++] = rest;
      this.pos = pos;
      return;
    }
    // The sign bit is split off first: doubling would lose the last bit over 2^52.
    const magnitude = value >= 0 ? value : -value - 1;
    let high = Math.floor(magnitude / 134_217_728);
    const low = ((magnitude - high * 134_217_728) << 1) | (value >= 0 ? 0 : 1);
    buf[pos++] = (low & 0x7f) | 0x80;
    buf[pos++] = ((low >> 7) & 0x7f) | 0x80;
    buf[pos++] = ((low >> 14) & 0x7f) | 0x80;
    buf[pos++] = ((low >> 21) & 0x7f) | 0x80;
    while (high > 127) {
      buf[pos++] = (high & 0x7f) | 0x80;
      high >>= 7;
    }
    buf[pos++] = high;
    this.pos = pos;
  }

  readFloat(): number {
    const pos = this.pos;
    this.pos = pos + 4;
    return this.buf.readFloatLE(pos);
  }

  skipFloat(): void {
    this.pos += 4;
  }

  writeFloat(value: number): void {
    const pos = this.pos;
    this.pos = pos + 4;
    if (pos + 4 <= this.buf.length) {
      this.buf.writeFloatLE(value, pos);
    }
  }

  readDouble(): number {
    const buf = this.buf;
    const pos = this.pos;
    this.pos = pos + 8;
    doubleBytes[0] = buf[pos] as number;
    doubleBytes[1] = buf[pos + 1] as number;
    doubleBytes[2] = buf[pos + 2] as number;
    doubleBytes[3] = buf[pos + 3] as number;
    doubleBytes[4] = buf[pos + 4] as number;
    doubleBytes[5] = buf[pos + 5] as number;
    doubleBytes[6] = buf[pos + 6] as number;
    doubleBytes[7] = buf[pos + 7] as number;
    return isLittleEndian ? (double[0] as number) : buf.readDoubleLE(pos);
  }

  skipDouble(): void {
    this.pos += 8;
  }

  writeDouble(value: number): void {
    const pos = this.pos;
    this.pos = pos + 8;
    if (pos + 8 <= this.buf.length) {
      this.buf.writeDoubleLE(value, pos);
    }
  }

  readFixed(size: number): Buffer {
    const pos = this.pos;
    this.pos = pos + size;
    return copyBytes(this.buf, pos, size);
  }

  skipFixed(size: number): void {
    this.pos += size;
  }

  writeFixed(value: Uint8Array, size: number): void {
    const pos = this.pos;
    this.pos = pos + size;
    if (pos + size <= this.buf.length) {
      this.buf.set(value, pos);
    }
  }

  readBytes(): Buffer {
    return this.readFixed(this.readLong());
  }

  skipBytes(): void {
    const size = this.readLong();
    this.pos += size;
  }

  writeBytes(value: Uint8Array): void {
    this.writeLong(value.length);
    this.writeFixed(value, value.length);
  }

  readString(): string {
    const size = this.readLong();
    const pos = this.pos;
    this.pos = pos + size;
    return texts.read(this.buf, pos, size);
  }

  skipString(): void {
    this.skipBytes();
  }

  writeString(value: string): void {
    const size = value.length;
    if (size > SHORT_STRING) {
      this.writeLongString(value);
      return;
    }
    const buf = this.buf;
    let pos = this.pos;
    buf[pos++] = size << 1;
    for (let index = 0; index < size; index += 1) {
      const unit = value.charCodeAt(index);
      if (unit > 127) {
        this.writeLongString(value);
        return;
      }
      buf[pos++] = unit;
    }
    this.pos = pos;
  }

  private writeLongString(value: string): void {
    const size = Buffer.byteLength(value, "utf8");
    this.writeLong(size);
    const pos = this.pos;
    this.pos = pos + size;
    if (pos + size <= this.buf.length) {
      this.buf.utf8Write(value, pos, size);
    }
  }

  /** Copies the encoded default of a field, which avsc keeps as a binary string. */
  writeBinary(value: string, size: number): void {
    const pos = this.pos;
    this.pos = pos + size;
    if (pos + size <= this.buf.length) {
      this.buf.latin1Write(value, pos, size);
    }
  }
}

/** A loop beats `copy` for the sizes that ids and hashes have. */
function copyBytes(buffer: Buffer, start: number, size: number): Buffer {
  if (size === 0) {
    return NO_BYTES;
  }
  const copy = Buffer.allocUnsafe(size);
  if (size > SHORT_COPY) {
    buffer.copy(copy, 0, start, start + size);
    return copy;
  }
  for (let index = 0; index < size; index += 1) {
    copy[index] = buffer[start + index] as number;
  }
  return copy;
}
