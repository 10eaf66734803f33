import { copyRange } from "../store-bytes.ts";

const firstBytes = 256;

/** Reused memory in which a packed value is changed before it is put back into its store. */
export class Scratch {
  bytes: Buffer = Buffer.alloc(firstBytes);
  view: DataView = new DataView(this.bytes.buffer, this.bytes.byteOffset, firstBytes);
  length: number = 0;

  /** Makes room for `length` bytes, keeping what is there. */
  reserve(length: number): void {
    if (length <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(length, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.length);
  }

  /** Holds a copy of [start, end); `bytes` and `view` are the same memory. */
  load(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    this.length = 0;
    this.append(bytes, view, start, end);
  }

  append(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const at = this.length;
    const length = end - start;
    this.reserve(at + length);
    copyRange(bytes, view, start, length, this.bytes, this.view, at);
    this.length = at + length;
  }
}
