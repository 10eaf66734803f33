import { createHash } from "node:crypto";
import { crc32 } from "./checksum.ts";

/**
 * Layout of the segment files, little endian. A segment is a header and then groups; a group is what one commit
 * made durable: its header, its state section (group-state.ts) and its chunks, written with one call. A group
 * counts when all of it is there, so the file is its own commit record.
 */
export const segmentHeaderBytes: number = 64;
export const groupHeaderBytes: number = 48;
export const chunkHeaderBytes: number = 40;

const segmentMagic = Buffer.from("OCDNSEG\0", "latin1");
export const groupMagic: number = 0x4744434f;
export const chunkMagic: number = 0x4344434f;
const segmentVersion = 1;

export interface SegmentName {
  readonly number: number;
  /** Epoch of the owner that wrote it, so that a replaced owner never shares a file with the new one. */
  readonly epoch: number;
}

const namePattern = /^(\d{10})-(\d{6,10})\.seg$/;

export function segmentFileName(name: SegmentName): string {
  const number = String(name.number).padStart(10, "0");
  return `${number}-${String(name.epoch).padStart(6, "0")}.seg`;
}

export function parseSegmentName(fileName: string): SegmentName | undefined {
  const match = namePattern.exec(fileName);
  return match === null ? undefined : { number: Number(match[1]), epoch: Number(match[2]) };
}

function logDigest(logId: string): Buffer {
  return createHash("sha256").update(logId).digest().subarray(0, 16);
}

/** 64 bytes: magic 8, version u32, epoch u32, number f64, digest of the log id 16, zeros, crc u32. */
export function encodeSegmentHeader(name: SegmentName, logId: string): Buffer {
  const header = Buffer.alloc(segmentHeaderBytes);
  segmentMagic.copy(header);
  header.writeUInt32LE(segmentVersion, 8);
  header.writeUInt32LE(name.epoch, 12);
  header.writeDoubleLE(name.number, 16);
  logDigest(logId).copy(header, 24);
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  return header;
}

/** Undefined when it is the header of that segment of that log, otherwise what is wrong with it. */
export function checkSegmentHeader(
  header: Buffer,
  name: SegmentName,
  logId: string,
): string | undefined {
  if (header.length < segmentHeaderBytes) return "the header is cut short";
  if (!header.subarray(0, 8).equals(segmentMagic)) return "it does not begin like a segment";
  if (header.readUInt32LE(60) !== crc32(header.subarray(0, 60))) return "the header is damaged";
  if (header.readUInt32LE(8) !== segmentVersion) return "it has another format version";
  return header.equals(encodeSegmentHeader(name, logId)) ? undefined : "it belongs to another log";
}

export interface GroupHeader {
  /** Counts the groups of a log from 1, without gaps. */
  readonly sequence: number;
  readonly epoch: number;
  readonly stateBytes: number;
  readonly chunkBytes: number;
  readonly chunkCount: number;
  readonly timestampMs: number;
}

/**
 * Writes the header of a group at the start of `head`, whose state section follows it at once: magic u32, crc u32
 * over the rest of `head`, sequence f64, epoch u32, state bytes u32, chunk bytes u32, chunk count u32, timestamp f64.
 */
export function writeGroupHeader(head: Buffer, header: GroupHeader): void {
  head.writeUInt32LE(groupMagic, 0);
  head.writeDoubleLE(header.sequence, 8);
  head.writeUInt32LE(header.epoch, 16);
  head.writeUInt32LE(header.stateBytes, 20);
  head.writeUInt32LE(header.chunkBytes, 24);
  head.writeUInt32LE(header.chunkCount, 28);
  head.writeDoubleLE(header.timestampMs, 32);
  head.fill(0, 40, groupHeaderBytes);
  head.writeUInt32LE(crc32(head.subarray(8)), 4);
}

/** The fields of a group header, not yet checked against the checksum; undefined when it is none. */
export function readGroupHeader(bytes: Buffer, at: number): GroupHeader | undefined {
  if (at + groupHeaderBytes > bytes.length || bytes.readUInt32LE(at) !== groupMagic)
    return undefined;
  return {
    sequence: bytes.readDoubleLE(at + 8),
    epoch: bytes.readUInt32LE(at + 16),
    stateBytes: bytes.readUInt32LE(at + 20),
    chunkBytes: bytes.readUInt32LE(at + 24),
    chunkCount: bytes.readUInt32LE(at + 28),
    timestampMs: bytes.readDoubleLE(at + 32),
  };
}

/** Whether `head` (header and whole state section) has the checksum that it carries. */
export function groupHeadIsSound(head: Buffer): boolean {
  return head.readUInt32LE(4) === crc32(head.subarray(8));
}

export interface ChunkHeader {
  /** Bytes of the payload. */
  readonly length: number;
  readonly topicId: number;
  readonly slot: number;
  readonly count: number;
  /** Low 32 bits of the group's sequence: binds the chunk to its group. */
  readonly sequence: number;
  readonly baseOffset: number;
  readonly timestampMs: number;
}

/**
 * Writes a chunk header at `at`; its payload, wherever it lies, must be complete: magic u32, crc u32 over the rest of
 * the header and the payload, length u32, topic id u16, slot u16, count u32, sequence u32, base offset f64,
 * timestamp f64.
 */
export function writeChunkHeader(
  bytes: Buffer,
  at: number,
  header: ChunkHeader,
  payload: { readonly buffer: Buffer; readonly start: number; readonly end: number },
): void {
  bytes.writeUInt32LE(chunkMagic, at);
  bytes.writeUInt32LE(header.length, at + 8);
  bytes.writeUInt16LE(header.topicId, at + 12);
  bytes.writeUInt16LE(header.slot, at + 14);
  bytes.writeUInt32LE(header.count, at + 16);
  bytes.writeUInt32LE(header.sequence, at + 20);
  bytes.writeDoubleLE(header.baseOffset, at + 24);
  bytes.writeDoubleLE(header.timestampMs, at + 32);
  const { buffer, start, end } = payload;
  const crc = crc32(bytes.subarray(at + 8, at + chunkHeaderBytes));
  // zlib forgets the sum so far where an empty range has no memory behind it.
  bytes.writeUInt32LE(start < end ? crc32(buffer.subarray(start, end), crc) : crc, at + 4);
}

/** The fields of the chunk at `at`, or what is wrong with its bytes; `end` bounds it. */
export function readChunk(
  bytes: Buffer,
  at: number,
  end: number,
  checked: boolean = true,
): ChunkHeader | string {
  if (at + chunkHeaderBytes > end) return "a chunk is cut short";
  if (bytes.readUInt32LE(at) !== chunkMagic) return "no chunk begins here";
  const length = bytes.readUInt32LE(at + 8);
  if (at + chunkHeaderBytes + length > end) return "a chunk is cut short";
  if (checked && bytes.readUInt32LE(at + 4) !== crc32(chunkBody(bytes, at, length))) {
    return "the checksum of a chunk differs";
  }
  return {
    length,
    topicId: bytes.readUInt16LE(at + 12),
    slot: bytes.readUInt16LE(at + 14),
    count: bytes.readUInt32LE(at + 16),
    sequence: bytes.readUInt32LE(at + 20),
    baseOffset: bytes.readDoubleLE(at + 24),
    timestampMs: bytes.readDoubleLE(at + 32),
  };
}

function chunkBody(bytes: Buffer, at: number, length: number): Buffer {
  return bytes.subarray(at + 8, at + chunkHeaderBytes + length);
}
