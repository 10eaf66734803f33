import type { Disk } from "./disk.ts";
import { type GroupState, readGroupState } from "./group-state.ts";
import type { ChunkPlace } from "./segment-files.ts";
import {
  chunkHeaderBytes,
  type GroupHeader,
  groupHeaderBytes,
  groupHeadIsSound,
  groupMagic,
  readChunk,
  readGroupHeader,
} from "./segment-format.ts";

/** A group as it was read from a segment, with every checksum verified. */
export interface StoredGroup {
  readonly header: GroupHeader;
  /** Bytes that it takes in the segment. */
  readonly sizeBytes: number;
  /** Header and state section; `state` points into it. */
  readonly head: Buffer;
  readonly state: GroupState;
  readonly chunks: readonly StoredChunk[];
}

/**
 * Why no group counts at a position: `torn` as an unfinished write leaves it, `damaged` when all of the expected
 * group seems to be there but not as it was written, `gap` when another group than the expected one stands there.
 */
export interface MissingGroup {
  readonly kind: "torn" | "damaged" | "gap";
  readonly what: string;
}

export interface StoredChunk extends Omit<ChunkPlace, "segment"> {
  readonly topicId: number;
  readonly slot: number;
}

const searchBytes = 4 * 1_048_576;

/** Reads groups from one open segment file of `size` bytes. */
export class GroupReader {
  readonly #disk: Disk;
  readonly #file: number;
  readonly #size: number;
  readonly #topicName: (id: number) => string | undefined;

  constructor(
    disk: Disk,
    file: number,
    size: number,
    topicName: (id: number) => string | undefined,
  ) {
    this.#disk = disk;
    this.#file = file;
    this.#size = size;
    this.#topicName = topicName;
  }

  /** The group at `position`, which has to be number `sequence`, or why it does not count. */
  read(position: number, sequence: number): StoredGroup | MissingGroup {
    const header = this.#header(position);
    if (header === undefined) return { kind: "torn", what: "no group begins here" };
    const headBytes = groupHeaderBytes + header.stateBytes;
    const sizeBytes = headBytes + header.chunkBytes;
    if (position + sizeBytes > this.#size) return { kind: "torn", what: "a group is cut short" };
    const head = this.#bytes(position, headBytes);
    if (!groupHeadIsSound(head)) {
      const kind = header.sequence === sequence ? "damaged" : "torn";
      return { kind, what: "the checksum of a group differs" };
    }
    if (header.sequence !== sequence) {
      return { kind: "gap", what: `group ${sequence} is missing before it` };
    }
    const chunks = this.#chunks(header, position + headBytes);
    if (typeof chunks === "string") return { kind: "damaged", what: chunks };
    const state = readGroupState(head, groupHeaderBytes, this.#topicName);
    return { header, sizeBytes, head, state, chunks };
  }

  #header(position: number): GroupHeader | undefined {
    if (position + groupHeaderBytes > this.#size) return undefined;
    return readGroupHeader(this.#bytes(position, groupHeaderBytes), 0);
  }

  #bytes(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length);
    return bytes.subarray(0, this.#disk.read(this.#file, bytes, position));
  }

  #chunks(group: GroupHeader, position: number): StoredChunk[] | string {
    const bytes = this.#bytes(position, group.chunkBytes);
    if (bytes.length < group.chunkBytes) return "a group is cut short";
    const chunks: StoredChunk[] = [];
    let at = 0;
    while (at < bytes.length) {
      const header = readChunk(bytes, at, bytes.length);
      if (typeof header === "string") return header;
      if (header.sequence !== group.sequence % 4_294_967_296) return "a chunk of another group";
      const { topicId, slot, baseOffset, count, length } = header;
      chunks.push({ topicId, slot, baseOffset, count, length, position: position + at });
      at += chunkHeaderBytes + length;
    }
    return chunks.length === group.chunkCount ? chunks : "a group lacks chunks";
  }

  /**
   * Position of the first sound group head behind `position` with a sequence above `sequence`: what stands before it
   * was acknowledged, so damage there is no torn write. Undefined when there is none.
   */
  findLater(position: number, sequence: number): number | undefined {
    const magic = Buffer.alloc(4);
    magic.writeUInt32LE(groupMagic);
    for (let from = position; from < this.#size; from += searchBytes) {
      const window = this.#bytes(from, Math.min(searchBytes + groupHeaderBytes, this.#size - from));
      let at = window.indexOf(magic);
      while (at >= 0) {
        if (this.#isLater(from + at, sequence)) return from + at;
        at = window.indexOf(magic, at + 1);
      }
    }
    return undefined;
  }

  #isLater(position: number, sequence: number): boolean {
    const header = this.#header(position);
    if (header === undefined || !(header.sequence > sequence)) return false;
    const headBytes = groupHeaderBytes + header.stateBytes;
    return position + headBytes <= this.#size && groupHeadIsSound(this.#bytes(position, headBytes));
  }
}
