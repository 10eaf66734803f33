/**
 * Frames on the owner's socket, little endian: u32 length of what follows, u8 type, u32 request id (0 where it
 * answers none), body. This file cuts the byte stream into frames and knows nothing of what they mean.
 */
export const frameLengthBytes: number = 4;
/** Type and request id. */
export const framePrefixBytes: number = 5;
export const frameHeadBytes: number = frameLengthBytes + framePrefixBytes;

export interface Frame {
  readonly type: number;
  readonly request: number;
  /** The body in place: a view of what the socket gave, or of one copy where the frame came in pieces. */
  readonly body: Buffer;
}

/** Why the stream cannot be cut any further; the connection has to end. */
export interface BadFrame {
  readonly kind: "badFrame";
  readonly message: string;
}

export function badFrame(message: string): BadFrame {
  return { kind: "badFrame", message };
}

const empty = Buffer.alloc(0);

/**
 * Cuts frames out of pieces of a stream. The caller pushes a piece and takes frames until there is none; a frame
 * inside one piece is not copied, one across pieces once. A length over the bound is refused before memory is
 * taken for it.
 */
export class FrameReader {
  readonly #maxBytes: () => number;
  #piece: Buffer = empty;
  #at = 0;
  /** A frame that came only in part: its bytes so far, length field included. */
  #partial: Buffer = empty;
  #filled = 0;
  #bad: BadFrame | undefined;

  /** `maxBytes` is asked at every frame: it is small until the peer is known. */
  constructor(maxBytes: () => number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are held and belong to no frame taken so far. */
  get heldBytes(): number {
    return this.#filled + this.#piece.length - this.#at;
  }

  push(piece: Buffer): void {
    this.#piece =
      this.#at < this.#piece.length
        ? Buffer.concat([this.#piece.subarray(this.#at), piece])
        : piece;
    this.#at = 0;
  }

  /** The next whole frame, nothing when more bytes are needed, or a failure, which then stays. */
  next(): Frame | BadFrame | undefined {
    if (this.#bad !== undefined) return this.#bad;
    if (this.#filled > 0) return this.#continue();
    const rest = this.#piece.length - this.#at;
    if (rest === 0) return undefined;
    if (rest < frameLengthBytes) {
      this.#keepRest(frameLengthBytes);
      return undefined;
    }
    const length = this.#piece.readUInt32LE(this.#at);
    if (!this.#accepts(length)) return this.#bad;
    const size = frameLengthBytes + length;
    if (rest < size) {
      this.#keepRest(size);
      return undefined;
    }
    const start = this.#at;
    this.#at += size;
    return cut(this.#piece, start, start + size);
  }

  #continue(): Frame | BadFrame | undefined {
    this.#fill();
    if (this.#filled < this.#partial.length) return undefined;
    if (this.#partial.length === frameLengthBytes) {
      const length = this.#partial.readUInt32LE(0);
      if (!this.#accepts(length)) return this.#bad;
      const grown = Buffer.allocUnsafeSlow(frameLengthBytes + length);
      this.#partial.copy(grown);
      this.#partial = grown;
      this.#fill();
      if (this.#filled < this.#partial.length) return undefined;
    }
    const whole = this.#partial;
    this.#partial = empty;
    this.#filled = 0;
    return cut(whole, 0, whole.length);
  }

  #fill(): void {
    const end = Math.min(this.#piece.length, this.#at + this.#partial.length - this.#filled);
    this.#filled += this.#piece.copy(this.#partial, this.#filled, this.#at, end);
    this.#at = end;
  }

  #keepRest(size: number): void {
    this.#partial = Buffer.allocUnsafeSlow(size);
    this.#filled = 0;
    this.#fill();
    this.#piece = empty;
    this.#at = 0;
  }

  #accepts(length: number): boolean {
    const most = this.#maxBytes();
    if (length >= framePrefixBytes && length <= most) return true;
    this.#bad = badFrame(`a frame of ${length} bytes (${framePrefixBytes} to ${most} are allowed)`);
    return false;
  }
}

function cut(bytes: Buffer, start: number, end: number): Frame {
  return {
    type: bytes[start + frameLengthBytes] as number,
    request: bytes.readUInt32LE(start + frameLengthBytes + 1),
    body: bytes.subarray(start + frameHeadBytes, end),
  };
}
