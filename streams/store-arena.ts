import { maxKeyBytes, maxRecordBytes, maxStoreBytes } from "./limits.ts";

/** Header of an entry's block, see packed-store.ts. */
export const blockHeaderBytes: number = 12;

/** Blocks are counted in units of 8 bytes, so that a 32-bit reference reaches all of a store. */
const unitShift = 3;
const chunkShift = 17;
const unitMask = (1 << chunkShift) - 1;
const chunkBytes = 1 << (chunkShift + unitShift);
const firstChunkBytes = 4_096;
const smallBytes = 256;
const smallClasses = smallBytes >> unitShift;

/** Size class of a block of `size` bytes: steps of 8 bytes up to 256, then four steps a doubling. */
export function classOf(size: number): number {
  if (size <= smallBytes) return ((size + 7) >> unitShift) - 1;
  const log = 31 - Math.clz32(size - 1);
  const step = (size - 1 - (1 << log)) >> (log - 2);
  return smallClasses + (log - 8) * 4 + step;
}

const classCount = classOf(chunkBytes / 2) + 1;

/** Bytes of a block of each size class. */
export const classBytes: Int32Array = Int32Array.from({ length: classCount }, (_, index) => {
  if (index < smallClasses) return (index + 1) << unitShift;
  const log = ((index - smallClasses) >> 2) + 8;
  return (1 << log) + (((index - smallClasses) & 3) + 1) * (1 << (log - 2));
});

/**
 * Memory of one store: chunks of 1 MiB, so that growing never copies more than one of them, cut into blocks of
 * fixed size classes with a free list each. A reference is a whole number >= 0. At most 25 % of a block is slack,
 * none for blocks up to 256 bytes but for rounding to 8. The first word of a free block belongs to the arena.
 */
export class StoreArena {
  /** Three views of each chunk; the arrays only ever grow, the first chunk is replaced while it is small. */
  readonly bytes: Buffer[] = [];
  readonly views: DataView[] = [];
  readonly words: Int32Array[] = [];
  readonly #free: Int32Array = new Int32Array(classCount).fill(-1);
  readonly #maxBytes: number;
  /** Next byte, and end, of the chunk in use. */
  #next = 0;
  #end = 0;
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes held, used or not. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** A block of size class `index`; -1 when that would take more than `maxBytes` and is not `forced`. */
  allocate(index: number, forced: boolean): number {
    const head = this.#free[index] as number;
    if (head >= 0) {
      this.#free[index] = (this.words[chunkOf(head)] as Int32Array)[wordOf(head)] as number;
      return head;
    }
    const wanted = classBytes[index] as number;
    if (this.#next + wanted > this.#end && !this.#extend(wanted, forced)) return -1;
    const at = this.#next;
    this.#next = at + wanted;
    return ((this.bytes.length - 1) << chunkShift) | (at >> unitShift);
  }

  /** Gives back a block of size class `index`. */
  free(ref: number, index: number): void {
    (this.words[chunkOf(ref)] as Int32Array)[wordOf(ref)] = this.#free[index] as number;
    this.#free[index] = ref;
  }

  clear(): void {
    this.bytes.length = 0;
    this.views.length = 0;
    this.words.length = 0;
    this.#free.fill(-1);
    this.#next = 0;
    this.#end = 0;
    this.#sizeBytes = 0;
  }

  #extend(wanted: number, forced: boolean): boolean {
    const growsFirst = this.bytes.length <= 1 && this.#next + wanted <= chunkBytes;
    let size = chunkBytes;
    if (growsFirst) {
      size = Math.max(firstChunkBytes, this.#end * 2);
      while (size < this.#next + wanted) size *= 2;
    }
    const added = growsFirst ? size - this.#end : size;
    if (this.#sizeBytes + added > this.#maxBytes && !forced) return false;
    const chunk = Buffer.allocUnsafeSlow(size);
    if (growsFirst) {
      this.bytes[0]?.copy(chunk, 0, 0, this.#next);
      this.#set(0, chunk);
    } else {
      this.#releaseRest();
      this.#set(this.bytes.length, chunk);
      this.#next = 0;
    }
    this.#end = size;
    this.#sizeBytes += added;
    return true;
  }

  #set(index: number, chunk: Buffer): void {
    this.bytes[index] = chunk;
    this.views[index] = new DataView(chunk.buffer);
    this.words[index] = new Int32Array(chunk.buffer);
  }

  /** Cuts what is left of the chunk in use into free blocks. */
  #releaseRest(): void {
    const base = (this.bytes.length - 1) << chunkShift;
    for (let rest = this.#end - this.#next; rest >= 8; rest = this.#end - this.#next) {
      let index = classOf(rest);
      if ((classBytes[index] as number) > rest) index -= 1;
      this.free(base | (this.#next >> unitShift), index);
      this.#next += classBytes[index] as number;
    }
  }
}

/** Which chunk a reference lies in. */
export function chunkOf(ref: number): number {
  return ref >> chunkShift;
}

/** Index of a block's first 32-bit word in its chunk. */
export function wordOf(ref: number): number {
  return (ref & unitMask) << (unitShift - 2);
}

if (blockHeaderBytes + maxKeyBytes + maxRecordBytes > chunkBytes / 2) {
  throw new Error("limits: a chunk of a store must hold two of the largest entries");
}
if (maxStoreBytes >> unitShift >= 2 ** 31) {
  throw new Error("limits: a reference into a store must fit in 31 bits");
}
