import { Section } from "../batch.ts";
import { type Chunk, countPackedRecords } from "../chunk.ts";
import { maxChunkBytes, maxKeyBytes, maxRecordBytesOf } from "../limits.ts";
import type { Position } from "../log.ts";
import type { TopicKind } from "../topic.ts";
import type { FieldReader, FieldWriter } from "./frame-fields.ts";
import { maxFrameBytes, maxPositions } from "./socket-limits.ts";

/**
 * What owner and client say to each other (frames of frame.ts). A client begins with `hello` and gets `welcome`
 * with the log's identity, its schemas and the topic table, whose row numbers stand for topic names from then on.
 * Every request is answered under its id by its own answer or by `error`; an error under id 0 comes before the
 * owner closes the connection. A connection follows at most once: `follow` is answered by `following`, and then
 * chunks come under the same id until `unfollow` or the end of the connection.
 */
export const messageTypes = {
  hello: 1,
  append: 2,
  sourcePosition: 3,
  read: 4,
  follow: 5,
  unfollow: 6,
  status: 7,
  welcome: 64,
  appended: 65,
  position: 66,
  chunks: 67,
  following: 68,
  chunk: 69,
  snapshot: 70,
  caughtUp: 71,
  dropped: 72,
  topics: 73,
  schemas: 74,
  unfollowed: 75,
  error: 76,
} as const;

/** First field of `hello`: "OCDN" read as a little-endian number. */
export const protocolMagic: number = 0x4e44434f;

export interface TopicName {
  readonly name: string;
  readonly kind: TopicKind;
}

/** The topics of one connection by name and by row number. */
export class TopicNames {
  readonly rows: readonly TopicName[];
  readonly #ids = new Map<string, number>();

  constructor(rows: readonly TopicName[]) {
    this.rows = rows;
    for (const [id, row] of rows.entries()) this.#ids.set(row.name, id);
  }

  idOf(name: string): number | undefined {
    return this.#ids.get(name);
  }

  kindOf(name: string): TopicKind | undefined {
    const id = this.#ids.get(name);
    return id === undefined ? undefined : this.rows[id]?.kind;
  }
}

/** What the parsers of an established connection check names and slots against. */
export interface Vocabulary {
  readonly topics: TopicNames;
  readonly slots: number;
}

/** Topic, slot, base offset, count, time and length before the records of a chunk. */
export const chunkHeadBytes: number = 2 + 2 + 8 + 4 + 8 + 4;
const positionBytes = 2 + 2 + 8;

export function readTopic(reader: FieldReader, { topics }: Vocabulary): string {
  const id = reader.u16();
  const row = topics.rows[id];
  if (row === undefined) reader.fail(`topic ${id} is not in the table`);
  return row?.name ?? "";
}

export function readSlot(reader: FieldReader, { slots }: Vocabulary): number {
  const slot = reader.u16();
  if (slot >= slots) reader.fail(`slot ${slot} of ${slots}`);
  return slot;
}

function readRecords(
  reader: FieldReader,
  topic: string,
  count: number,
  length: number,
  most: number,
): Buffer {
  if (length > most) reader.fail(`records of ${length} bytes are over ${most}`);
  const bytes = reader.bytes(length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const limits = { maxKeyBytes, maxRecordBytes: maxRecordBytesOf(topic) };
  if (countPackedRecords(view, 0, bytes.length, limits) !== count) {
    reader.fail(`the bytes are not ${count} packed records`);
  }
  return bytes;
}

/** Records of one topic and slot of an append, in place in the frame. */
export function readSection(reader: FieldReader, vocabulary: Vocabulary): Section {
  const section = new Section(readTopic(reader, vocabulary), readSlot(reader, vocabulary), 0);
  section.count = reader.u32();
  section.length = reader.u32();
  if (section.count === 0) reader.fail("a section is empty");
  const bytes = readRecords(reader, section.topic, section.count, section.length, maxFrameBytes);
  section.bytes = bytes;
  section.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return section;
}

/** A chunk in place in the frame. */
export function readChunk(reader: FieldReader, vocabulary: Vocabulary): Chunk {
  const topic = readTopic(reader, vocabulary);
  const slot = readSlot(reader, vocabulary);
  const baseOffset = reader.whole();
  const count = reader.u32();
  const timestampMs = reader.whole();
  const buffer = readRecords(reader, topic, count, reader.u32(), maxChunkBytes);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  return {
    topic,
    slot,
    baseOffset,
    count,
    timestampMs,
    buffer,
    view,
    start: 0,
    end: buffer.length,
  };
}

/** Writes what stands before a chunk's records; the records themselves follow. */
export function writeChunkHead(writer: FieldWriter, topicId: number, chunk: Chunk): void {
  writer.u16(topicId).u16(chunk.slot).whole(chunk.baseOffset).u32(chunk.count);
  writer.whole(chunk.timestampMs).u32(chunk.end - chunk.start);
}

export function readPositions(reader: FieldReader, vocabulary: Vocabulary): Position[] {
  const count = reader.u32();
  if (count > maxPositions || count * positionBytes > reader.remaining) {
    reader.fail(`${count} positions in ${reader.remaining} bytes`);
    return [];
  }
  const positions: Position[] = [];
  for (let i = 0; i < count && reader.problem === undefined; i++) {
    const topic = readTopic(reader, vocabulary);
    const slot = readSlot(reader, vocabulary);
    positions.push({ topic, slot, offset: reader.whole() });
  }
  return positions;
}

/** Positions of topics that are not in the table are left out. */
export function writePositions(
  writer: FieldWriter,
  topics: TopicNames,
  positions: readonly Position[],
): void {
  const known = positions.filter(({ topic }) => topics.idOf(topic) !== undefined);
  writer.u32(known.length);
  for (const { topic, slot, offset } of known) {
    writer
      .u16(topics.idOf(topic) as number)
      .u16(slot)
      .whole(offset);
  }
}
