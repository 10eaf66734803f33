import { isFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import type { Chunk } from "../chunk.ts";
import { type ErrorCode, errorCodes } from "../errors.ts";
import { maxSlots } from "../limits.ts";
import type { Position, TopicStatus } from "../log.ts";
import { type BadFrame, badFrame, type Frame } from "./frame.ts";
import { clipText, FieldReader, FieldWriter } from "./frame-fields.ts";
import {
  chunkHeadBytes,
  messageTypes,
  readChunk,
  readPositions,
  readSlot,
  readTopic,
  type TopicName,
  TopicNames,
  type Vocabulary,
  writeChunkHead,
  writePositions,
} from "./protocol.ts";
import {
  maxFrameBytes,
  maxPositionBytes,
  maxPositions,
  maxTextBytes,
  maxTopicNameBytes,
  maxTopics,
  protocolVersion,
} from "./socket-limits.ts";

export interface Welcome {
  readonly logId: string;
  readonly slots: number;
  readonly historical: boolean;
  readonly topics: TopicNames;
  readonly schemas: SchemaTable;
}

/** What the owner says on an established connection. */
export type Answer = PlainAnswer | BulkAnswer;

/** What is written in one piece. */
export type PlainAnswer =
  | {
      readonly kind: "appended";
      readonly outcome: "appended" | "duplicate" | "conflict";
      readonly position: string | undefined;
    }
  | { readonly kind: "position"; readonly position: string | undefined }
  | { readonly kind: "following"; readonly positions: readonly Position[] }
  | {
      readonly kind: "snapshot";
      readonly phase: "begins" | "complete";
      /** Where the tail goes on once the snapshot is complete. */
      readonly position: Position;
    }
  | { readonly kind: "caughtUp" }
  | { readonly kind: "dropped"; readonly count: number }
  | { readonly kind: "topics"; readonly topics: readonly TopicStatus[] }
  | { readonly kind: "unfollowed" }
  | ErrorAnswer;

/** What is written in parts. */
export type BulkAnswer =
  | { readonly kind: "chunks"; readonly chunks: readonly Chunk[] }
  | { readonly kind: "chunk"; readonly snapshot: boolean; readonly chunk: Chunk }
  | { readonly kind: "schemas"; readonly schemas: SchemaTable };

export interface ErrorAnswer {
  readonly kind: "error";
  readonly code: ErrorCode;
  readonly message: string;
}

/** Throws RangeError when schemas and topics do not fit a frame. */
export function encodeWelcome(welcome: Welcome): Buffer {
  const writer = new FieldWriter(messageTypes.welcome, 0, 65_536);
  writer.u16(protocolVersion).u16(welcome.slots).flag(welcome.historical).text(welcome.logId);
  writer.u16(welcome.topics.rows.length);
  for (const { name, kind } of welcome.topics.rows) writer.flag(kind === "table").text(name);
  return writeSchemas(writer, welcome.schemas).finish();
}

export function encodeSchemas(schemas: SchemaTable): Buffer {
  return writeSchemas(new FieldWriter(messageTypes.schemas, 0, 65_536), schemas).finish();
}

function writeSchemas(writer: FieldWriter, schemas: SchemaTable): FieldWriter {
  const json = Buffer.from(JSON.stringify(schemas));
  if (json.length > maxFrameBytes - 262_144) {
    throw new RangeError(`a schema table of ${json.length} bytes does not fit a frame`);
  }
  return writer.u32(json.length).bytes(json, 0, json.length);
}

export function parseWelcome(frame: Frame): Welcome | ErrorAnswer | BadFrame {
  const reader = new FieldReader(frame.body);
  if (frame.type === messageTypes.error) {
    const error = readError(reader);
    return reader.end() === undefined ? error : badFrame("an unreadable error");
  }
  if (frame.type !== messageTypes.welcome) return badFrame("the first answer is no welcome");
  const version = reader.u16();
  if (version !== protocolVersion) reader.fail(`protocol version ${version}`);
  const slots = reader.u16();
  if (slots === 0 || slots > maxSlots) reader.fail(`a log of ${slots} slots`);
  const historical = reader.flag();
  const logId = reader.text(maxTextBytes);
  const topics = readTopicTable(reader);
  const schemas = readSchemas(reader);
  const problem = reader.end();
  return problem === undefined
    ? { logId, slots, historical, topics, schemas }
    : badFrame(`welcome: ${problem}`);
}

function readTopicTable(reader: FieldReader): TopicNames {
  const count = reader.u16();
  if (count > maxTopics) reader.fail(`${count} topics are over ${maxTopics}`);
  const rows: TopicName[] = [];
  for (let i = 0; i < count && reader.problem === undefined; i++) {
    const kind = reader.flag() ? "table" : "stream";
    rows.push({ kind, name: reader.text(maxTopicNameBytes) });
  }
  return new TopicNames(rows);
}

/** The last table that was read: every connection of a process is told the same, and compiling it takes a while. */
let lastRead: { readonly json: Buffer; readonly schemas: SchemaTable } | undefined;

/** A table that the caller may not change. */
function readSchemas(reader: FieldReader): SchemaTable {
  const json = reader.bytes(reader.u32());
  if (reader.problem !== undefined) return new SchemaTable();
  if (lastRead?.json.equals(json) === true) return lastRead.schemas;
  let rows: unknown;
  try {
    rows = JSON.parse(json.toString("utf8"));
  } catch {
    reader.fail("the schema table is not JSON");
  }
  const schemas = SchemaTable.fromJSON(rows);
  if (isFailure(schemas)) {
    reader.fail(schemas.message);
    return new SchemaTable();
  }
  lastRead = { json: Buffer.from(json), schemas };
  return schemas;
}

/** Everything but chunks, whose records follow their head in a write of their own. */
export function encodeAnswer(request: number, topics: TopicNames, answer: PlainAnswer): Buffer {
  const writer = new FieldWriter(messageTypes[answer.kind], request);
  switch (answer.kind) {
    case "appended":
      writer.u8(outcomes.indexOf(answer.outcome)).optionalText(answer.position);
      break;
    case "position":
      writer.optionalText(answer.position);
      break;
    case "following":
      writePositions(writer, topics, answer.positions);
      break;
    case "snapshot":
      writer.flag(answer.phase === "complete");
      writePositions(writer, topics, [answer.position]);
      break;
    case "dropped":
      writer.whole(answer.count);
      break;
    case "topics":
      writeStatus(writer, topics, answer.topics);
      break;
    case "error":
      writer.text(answer.code).text(clipText(answer.message, maxTextBytes));
      break;
    case "caughtUp":
    case "unfollowed":
      break;
  }
  return writer.finish();
}

const outcomes = ["appended", "duplicate", "conflict"] as const;

/** The head of a `chunk` answer; the chunk's records follow as they are. */
export function encodeChunkHead(
  request: number,
  topicId: number,
  chunk: Chunk,
  snapshot: boolean,
): Buffer {
  const writer = new FieldWriter(messageTypes.chunk, request, 1 + chunkHeadBytes);
  writer.flag(snapshot);
  writeChunkHead(writer, topicId, chunk);
  return writer.finish(chunk.end - chunk.start);
}

/** As many of the chunks as fit one frame, at least the first. */
export function encodeChunks(
  request: number,
  topics: TopicNames,
  chunks: readonly Chunk[],
): Buffer {
  let fitting = 0;
  let size = 0;
  for (const chunk of chunks) {
    size += chunkHeadBytes + chunk.end - chunk.start;
    if (fitting > 0 && size + 64 > maxFrameBytes) break;
    fitting += 1;
  }
  const writer = new FieldWriter(messageTypes.chunks, request, size + 64);
  writer.u16(fitting);
  for (const chunk of chunks.slice(0, fitting)) {
    writeChunkHead(writer, topics.idOf(chunk.topic) ?? 0xffff, chunk);
    writer.bytes(chunk.buffer, chunk.start, chunk.end);
  }
  return writer.finish();
}

function writeStatus(
  writer: FieldWriter,
  topics: TopicNames,
  status: readonly TopicStatus[],
): void {
  const known = status.filter((row) => topics.idOf(row.topic) !== undefined);
  const rows = known.slice(0, Math.min(known.length, maxPositions));
  writer.u32(rows.length);
  for (const { topic, slot, startOffset, endOffset, sizeBytes } of rows) {
    writer.u16(topics.idOf(topic) as number).u16(slot);
    writer.whole(startOffset).whole(endOffset).whole(sizeBytes);
  }
}

/** An answer on an established connection, checked in every field; its records stay in place. */
export function parseAnswer(frame: Frame, vocabulary: Vocabulary): Answer | BadFrame {
  const reader = new FieldReader(frame.body);
  const answer = readAnswer(frame.type, reader, vocabulary);
  if (answer === undefined) return badFrame(`message type ${frame.type} is unknown`);
  const problem = reader.end();
  return problem === undefined ? answer : badFrame(`${answer.kind}: ${problem}`);
}

function readAnswer(type: number, reader: FieldReader, vocabulary: Vocabulary): Answer | undefined {
  switch (type) {
    case messageTypes.chunk:
      return { kind: "chunk", snapshot: reader.flag(), chunk: readChunk(reader, vocabulary) };
    case messageTypes.appended: {
      const outcome = outcomes[reader.u8()];
      if (outcome === undefined) reader.fail("an append had no outcome");
      const position = reader.optionalText(maxPositionBytes);
      return { kind: "appended", outcome: outcome ?? "conflict", position };
    }
    case messageTypes.position:
      return { kind: "position", position: reader.optionalText(maxPositionBytes) };
    case messageTypes.chunks:
      return { kind: "chunks", chunks: readChunks(reader, vocabulary) };
    case messageTypes.following:
      return { kind: "following", positions: readPositions(reader, vocabulary) };
    case messageTypes.snapshot:
      return readSnapshot(reader, vocabulary);
    case messageTypes.caughtUp:
      return { kind: "caughtUp" };
    case messageTypes.dropped:
      return { kind: "dropped", count: reader.whole() };
    case messageTypes.topics:
      return { kind: "topics", topics: readStatus(reader, vocabulary) };
    case messageTypes.schemas:
      return { kind: "schemas", schemas: readSchemas(reader) };
    case messageTypes.unfollowed:
      return { kind: "unfollowed" };
    case messageTypes.error:
      return readError(reader);
    default:
      return undefined;
  }
}

function readError(reader: FieldReader): ErrorAnswer {
  const code = reader.text(maxTextBytes);
  const message = reader.text(maxTextBytes);
  if (!Object.hasOwn(errorCodes, code)) reader.fail("the error's code is unknown");
  return { kind: "error", code: code as ErrorCode, message };
}

function readSnapshot(reader: FieldReader, vocabulary: Vocabulary): Answer {
  const phase = reader.flag() ? "complete" : "begins";
  const [position, ...rest] = readPositions(reader, vocabulary);
  if (position === undefined || rest.length > 0) reader.fail("a snapshot has one position");
  return { kind: "snapshot", phase, position: position ?? { topic: "", slot: 0, offset: 0 } };
}

function readChunks(reader: FieldReader, vocabulary: Vocabulary): Chunk[] {
  const count = reader.u16();
  const chunks: Chunk[] = [];
  for (let i = 0; i < count && reader.problem === undefined; i++) {
    chunks.push(readChunk(reader, vocabulary));
  }
  return chunks;
}

function readStatus(reader: FieldReader, vocabulary: Vocabulary): TopicStatus[] {
  const count = reader.u32();
  if (count > maxPositions) reader.fail(`a status of ${count} rows`);
  const rows: TopicStatus[] = [];
  for (let i = 0; i < count && reader.problem === undefined; i++) {
    const topic = readTopic(reader, vocabulary);
    const slot = readSlot(reader, vocabulary);
    const startOffset = reader.whole();
    const endOffset = reader.whole();
    rows.push({ topic, slot, startOffset, endOffset, sizeBytes: reader.whole() });
  }
  return rows;
}
