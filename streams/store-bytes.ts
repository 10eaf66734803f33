/**
 * Copies and comparisons of a few bytes, four at a time through DataViews: for keys and values of 8 to 100 bytes
 * about three times as fast as byte loops, and faster than `set(subarray())` up to 256.
 */
const longBytes = 256;
const noView = new DataView(new ArrayBuffer(0));

/** Copies `length` bytes; `from` and `fromView`, `to` and `toView` are the same memory. The ranges do not overlap. */
export function copyRange(
  from: Uint8Array,
  fromView: DataView,
  start: number,
  length: number,
  to: Uint8Array,
  toView: DataView,
  at: number,
): void {
  if (length > longBytes) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    toView.setInt32(at + i, fromView.getInt32(start + i, true), true);
  }
  for (; i < length; i++) toView.setUint8(at + i, fromView.getUint8(start + i));
}

export function equalRange(
  a: DataView,
  aStart: number,
  b: DataView,
  bStart: number,
  length: number,
): boolean {
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    if (a.getInt32(aStart + i, true) !== b.getInt32(bStart + i, true)) return false;
  }
  for (; i < length; i++) {
    if (a.getUint8(aStart + i) !== b.getUint8(bStart + i)) return false;
  }
  return true;
}

/** Order of two ranges by their bytes: negative, 0 or positive. */
export function compareRanges(
  a: DataView,
  aStart: number,
  aLength: number,
  b: DataView,
  bStart: number,
  bLength: number,
): number {
  const length = Math.min(aLength, bLength);
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const difference = a.getUint32(aStart + i) - b.getUint32(bStart + i);
    if (difference !== 0) return difference;
  }
  for (; i < length; i++) {
    const difference = a.getUint8(aStart + i) - b.getUint8(bStart + i);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/**
 * The DataView over a caller's array. The last one is kept: callers pass the same array again and again. `forget`
 * lets go of it, since a view of a chunk keeps the whole chunk.
 */
export class ViewOfLast {
  #bytes: Uint8Array | undefined;
  #view: DataView = noView;

  of(bytes: Uint8Array): DataView {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.#view;
  }

  forget(): void {
    this.#bytes = undefined;
    this.#view = noView;
  }
}
