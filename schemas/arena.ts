import { Tap } from "./tap.ts";

const INITIAL_BYTES = 65_536;
const MAX_BYTES = 67_108_864;

/**
 * A byte buffer that encoders append to and that is used again and again: `reset`, encode some
 * frames, copy or write `bytes(…)` out. It grows by doubling up to `maxBytes`; growing replaces
 * `buffer`, so take views after encoding, not before.
 */
export class Arena {
  /** The bytes; valid up to `position`. Replaced when the arena grows. */
  buffer: Buffer;
  /** Where the next frame begins. */
  position = 0;
  readonly maxBytes: number;
  /** The encoder's writing head on this arena; not for callers. */
  readonly tap: Tap;

  constructor(options: { readonly initialBytes?: number; readonly maxBytes?: number } = {}) {
    this.maxBytes = options.maxBytes ?? MAX_BYTES;
    this.buffer = Buffer.allocUnsafeSlow(
      Math.min(options.initialBytes ?? INITIAL_BYTES, this.maxBytes),
    );
    this.tap = new Tap();
  }

  /** Forgets everything written; keeps the memory. */
  reset(): void {
    this.position = 0;
  }

  /** Makes the buffer at least `size` bytes long, keeping what was written; false over `maxBytes`. */
  grow(size: number): boolean {
    if (size > this.maxBytes) {
      return false;
    }
    if (size > this.buffer.length) {
      const next = Math.min(Math.max(size, this.buffer.length * 2), this.maxBytes);
      const buffer = Buffer.allocUnsafeSlow(next);
      this.buffer.copy(buffer, 0, 0, this.position);
      this.buffer = buffer;
    }
    return true;
  }

  /** A view of what was written from `start` on: valid until the next `reset` or growth. */
  bytes(start = 0): Buffer {
    return this.buffer.subarray(start, this.position);
  }
}
