import { frameHeadBytes, frameLengthBytes } from "./frame.ts";

/**
 * Reads the fields of a frame's body in order. A read past the end, an over-long text or a number out of range
 * makes it fail for good and gives zero or nothing, so that a parser asks once at its end.
 */
export class FieldReader {
  readonly body: Buffer;
  #at = 0;
  #problem: string | undefined;

  constructor(body: Buffer) {
    this.body = body;
  }

  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.body.length - this.#at;
  }

  /** What was wrong first; undefined while all is well. */
  get problem(): string | undefined {
    return this.#problem;
  }

  fail(problem: string): void {
    this.#problem ??= problem;
  }

  /** Also a failure: bytes that nobody asked for. */
  end(): string | undefined {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes are left over`);
    return this.#problem;
  }

  u8(): number {
    return this.#take(1) ? (this.body[this.#at - 1] as number) : 0;
  }

  u16(): number {
    return this.#take(2) ? this.body.readUInt16LE(this.#at - 2) : 0;
  }

  u32(): number {
    return this.#take(4) ? this.body.readUInt32LE(this.#at - 4) : 0;
  }

  /** A whole number from 0 to 2^53 - 1, as an offset, a count or a time. */
  whole(): number {
    if (!this.#take(8)) return 0;
    const value = this.body.readDoubleLE(this.#at - 8);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    this.fail("a number is not whole");
    return 0;
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) this.fail("a flag is neither 0 nor 1");
    return value === 1;
  }

  /** UTF-8 text of at most `maxBytes` bytes. */
  text(maxBytes: number): string {
    const length = this.u16();
    if (length > maxBytes) this.fail(`a text of ${length} bytes is over ${maxBytes}`);
    const bytes = this.bytes(length);
    return bytes.toString("utf8");
  }

  optionalText(maxBytes: number): string | undefined {
    return this.flag() ? this.text(maxBytes) : undefined;
  }

  /** The next bytes in place. */
  bytes(length: number): Buffer {
    return this.#take(length)
      ? this.body.subarray(this.#at - length, this.#at)
      : this.body.subarray(0, 0);
  }

  #take(length: number): boolean {
    if (this.#problem !== undefined) return false;
    if (length > this.remaining) {
      this.#problem = `${length} bytes are needed and ${this.remaining} are left`;
      return false;
    }
    this.#at += length;
    return true;
  }
}

/** Writes a frame into memory of its own that grows as needed; `finish` gives the bytes. */
export class FieldWriter {
  #bytes: Buffer;
  #at = frameHeadBytes;

  constructor(type: number, request: number, capacity: number = 64) {
    this.#bytes = Buffer.allocUnsafe(frameHeadBytes + capacity);
    this.#bytes[frameLengthBytes] = type;
    this.#bytes.writeUInt32LE(request, frameLengthBytes + 1);
  }

  u8(value: number): this {
    const at = this.#need(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#need(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#need(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  whole(value: number): this {
    const at = this.#need(8);
    this.#bytes.writeDoubleLE(value, at);
    return this;
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    const at = this.#need(2 + length);
    this.#bytes.writeUInt16LE(length, at);
    this.#bytes.write(value, at + 2, "utf8");
    return this;
  }

  optionalText(value: string | undefined): this {
    this.flag(value !== undefined);
    return value === undefined ? this : this.text(value);
  }

  bytes(from: Uint8Array, start: number, end: number): this {
    const at = this.#need(end - start);
    this.#bytes.set(from.subarray(start, end), at);
    return this;
  }

  /** The whole frame; `following` bytes of its body come after it in a write of their own. */
  finish(following: number = 0): Buffer {
    this.#bytes.writeUInt32LE(this.#at - frameLengthBytes + following, 0);
    return this.#bytes.subarray(0, this.#at);
  }

  #need(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#at, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    return at;
  }
}

/** The longest prefix of `text` that takes at most `maxBytes` bytes of UTF-8, whole characters only. */
export function clipText(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text).subarray(0, maxBytes);
  return bytes.toString("utf8").replace(/\ufffd+$/u, "");
}
