import { maxMrtRecordBytes, mrtHeaderBytes } from "./limits.ts";
import { type MrtView, registeredMrtTypes, uint16, uint32 } from "./mrt-format.ts";

export type FramingFault = "unknownType" | "recordTooLong" | "truncated" | "compression" | "empty";

/**
 * Why a file cannot be read on. What stands before `offset` was read and stays good. The offset
 * counts bytes of the decompressed stream.
 */
export interface MrtFailure {
  readonly kind: "failure";
  readonly code: FramingFault;
  readonly offset: number;
  readonly message: string;
}

/**
 * Cuts a stream of bytes into MRT records (RFC 6396 section 2). Give it a chunk, then call
 * `next(view)` until it is false; at the end of the stream call `end()`. A record that lies whole
 * in one chunk is not copied. A header is judged before its record is buffered, so memory is
 * bounded by maxMrtRecordBytes whatever the file says.
 */
export class MrtFramer {
  failure: MrtFailure | undefined = undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Offset in the stream of `#chunk[0]`. */
  #chunkOffset = 0;
  #carry: Uint8Array = new Uint8Array(64 * 1024);
  #carried = 0;

  /** The next bytes; every record of the chunk before must have been taken. */
  push(chunk: Uint8Array): void {
    this.#chunkOffset += this.#chunk.length;
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Offset in the stream of the first byte that is not part of a record yet. */
  get offset(): number {
    return this.#chunkOffset + this.#at - this.#carried;
  }

  /** Whether a whole record was found: then `view` describes its header and body. */
  next(view: MrtView): boolean {
    if (this.failure !== undefined) return false;
    if (this.#carried > 0) return this.#nextCarried(view);
    const chunk = this.#chunk;
    const at = this.#at;
    const left = chunk.length - at;
    if (left >= mrtHeaderBytes) {
      const size = this.#sizeAt(chunk, at);
      if (size < 0) return false;
      if (left >= size) {
        this.#at = at + size;
        describe(view, chunk, at, size, this.#chunkOffset + at);
        return true;
      }
    }
    this.#keep(left);
    return false;
  }

  /** Tells the framer that the stream has ended; the failure, if it ended inside a record. */
  end(): MrtFailure | undefined {
    if (this.failure === undefined && this.#carried > 0) {
      this.fail("truncated", `the file ends ${this.#carried} bytes into a record`);
    }
    if (this.failure === undefined && this.offset === 0) this.fail("empty", "the file is empty");
    return this.failure;
  }

  /** Completes the record that began in an earlier chunk. */
  #nextCarried(view: MrtView): boolean {
    if (this.#carried < mrtHeaderBytes) {
      this.#keep(mrtHeaderBytes - this.#carried);
      if (this.#carried < mrtHeaderBytes) return false;
    }
    const size = this.#sizeAt(this.#carry, 0);
    if (size < 0) return false;
    this.#keep(size - this.#carried);
    if (this.#carried < size) return false;
    const offset = this.offset;
    this.#carried = 0;
    describe(view, this.#carry, 0, size, offset);
    return true;
  }

  /** Moves up to `wanted` bytes of the chunk behind what is carried. */
  #keep(wanted: number): void {
    const count = Math.min(wanted, this.#chunk.length - this.#at);
    if (count <= 0) return;
    const needed = this.#carried + count;
    if (needed > this.#carry.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#carry.length));
      grown.set(this.#carry.subarray(0, this.#carried));
      this.#carry = grown;
    }
    this.#carry.set(this.#chunk.subarray(this.#at, this.#at + count), this.#carried);
    this.#carried = needed;
    this.#at += count;
  }

  /** Bytes of the record whose header stands here, or -1 when it is none. */
  #sizeAt(bytes: Uint8Array, at: number): number {
    const type = uint16(bytes, at + 4);
    if (!registeredMrtTypes.has(type)) {
      this.fail("unknownType", `${type} is no MRT record type`);
      return -1;
    }
    const length = uint32(bytes, at + 8);
    if (length > maxMrtRecordBytes) {
      this.fail("recordTooLong", `a record claims ${length} bytes`);
      return -1;
    }
    return mrtHeaderBytes + length;
  }

  /** The stream cannot be read on from here; the first reason counts. */
  fail(code: FramingFault, message: string): void {
    this.failure ??= { kind: "failure", code, offset: this.offset, message };
  }
}

function describe(
  view: MrtView,
  bytes: Uint8Array,
  at: number,
  size: number,
  offset: number,
): void {
  view.bytes = bytes;
  view.bodyStart = at + mrtHeaderBytes;
  view.bodyEnd = at + size;
  view.offset = offset;
  view.seconds = uint32(bytes, at);
  view.microseconds = 0;
  view.type = uint16(bytes, at + 4);
  view.subtype = uint16(bytes, at + 6);
}
