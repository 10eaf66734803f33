import type { Section } from "../batch.ts";
import type { Position } from "../log.ts";
import { type BadFrame, badFrame, type Frame } from "./frame.ts";
import { clipText, FieldReader, FieldWriter } from "./frame-fields.ts";
import {
  messageTypes,
  protocolMagic,
  readPositions,
  readSection,
  readSlot,
  readTopic,
  type TopicNames,
  type Vocabulary,
  writePositions,
} from "./protocol.ts";
import {
  maxPositionBytes,
  maxReadBytes,
  maxSections,
  maxSourceBytes,
  maxTextBytes,
  maxTopics,
  protocolVersion,
} from "./socket-limits.ts";

export interface HelloRequest {
  readonly version: number;
  /** Who connects, for messages. */
  readonly name: string;
}

export type FollowStart = "snapshot" | "earliest" | "latest" | "positions";

const followStarts: readonly FollowStart[] = ["snapshot", "earliest", "latest", "positions"];

export interface FollowMessage {
  readonly kind: "follow";
  readonly topics: readonly string[];
  /** For topics and slots that `positions` does not name. */
  readonly start: FollowStart;
  readonly positions: readonly Position[];
}

export interface AppendMessage {
  readonly kind: "append";
  readonly source: string;
  readonly previous: string | undefined;
  readonly position: string;
  readonly sections: readonly Section[];
}

/** What an established client asks for. */
export type Request = AppendMessage | PlainRequest;

/** What carries no records. */
export type PlainRequest =
  | { readonly kind: "sourcePosition"; readonly source: string }
  | {
      readonly kind: "read";
      readonly topic: string;
      readonly slot: number;
      readonly offset: number;
      readonly maxBytes: number;
    }
  | FollowMessage
  | { readonly kind: "unfollow" }
  | { readonly kind: "status" };

export function encodeHello(name: string): Buffer {
  const writer = new FieldWriter(messageTypes.hello, 0);
  return writer.u32(protocolMagic).u16(protocolVersion).text(clipText(name, maxTextBytes)).finish();
}

/** The version is not judged here, so that the answer can name both. */
export function parseHello(frame: Frame): HelloRequest | BadFrame {
  const reader = new FieldReader(frame.body);
  if (frame.type !== messageTypes.hello) return badFrame("the first frame is no hello");
  if (reader.u32() !== protocolMagic) reader.fail("the first bytes are another protocol's");
  const version = reader.u16();
  // A later version may say more after its number.
  if (reader.problem === undefined && version !== protocolVersion) return { version, name: "" };
  const name = reader.text(maxTextBytes);
  const problem = reader.end();
  return problem === undefined ? { version, name } : badFrame(`hello: ${problem}`);
}

/** Copies the records once, so that the caller may reuse its batch. */
export function encodeAppend(
  request: number,
  topics: TopicNames,
  append: Omit<AppendMessage, "kind">,
): Buffer {
  let size = 1_024 + 4 * append.source.length + 4 * append.position.length;
  for (const section of append.sections) size += 12 + section.length;
  const writer = new FieldWriter(messageTypes.append, request, size);
  writer.text(append.source).optionalText(append.previous).text(append.position);
  writer.u16(append.sections.length);
  for (const section of append.sections) {
    writer.u16(topics.idOf(section.topic) ?? 0xffff).u16(section.slot);
    writer.u32(section.count).u32(section.length).bytes(section.bytes, 0, section.length);
  }
  return writer.finish();
}

export function encodeRequest(request: number, topics: TopicNames, message: PlainRequest): Buffer {
  const writer = new FieldWriter(messageTypes[message.kind], request);
  switch (message.kind) {
    case "sourcePosition":
      return writer.text(message.source).finish();
    case "read":
      writer
        .u16(topics.idOf(message.topic) ?? 0xffff)
        .u16(message.slot)
        .whole(message.offset);
      return writer.u32(message.maxBytes).finish();
    case "follow":
      writer.u8(followStarts.indexOf(message.start)).u16(message.topics.length);
      for (const topic of message.topics) writer.u16(topics.idOf(topic) ?? 0xffff);
      writePositions(writer, topics, message.positions);
      return writer.finish();
    case "unfollow":
    case "status":
      return writer.finish();
  }
}

/** A request of an established client, checked in every field; its records stay in place. */
export function parseRequest(frame: Frame, vocabulary: Vocabulary): Request | BadFrame {
  const reader = new FieldReader(frame.body);
  const request = readRequest(frame.type, reader, vocabulary);
  if (request === undefined) return badFrame(`message type ${frame.type} is unknown`);
  const problem = reader.end();
  return problem === undefined ? request : badFrame(`${request.kind}: ${problem}`);
}

function readRequest(
  type: number,
  reader: FieldReader,
  vocabulary: Vocabulary,
): Request | undefined {
  switch (type) {
    case messageTypes.append:
      return readAppend(reader, vocabulary);
    case messageTypes.sourcePosition:
      return { kind: "sourcePosition", source: readSource(reader) };
    case messageTypes.read: {
      const topic = readTopic(reader, vocabulary);
      const slot = readSlot(reader, vocabulary);
      const offset = reader.whole();
      const maxBytes = Math.min(reader.u32(), maxReadBytes);
      return { kind: "read", topic, slot, offset, maxBytes };
    }
    case messageTypes.follow:
      return readFollow(reader, vocabulary);
    case messageTypes.unfollow:
      return { kind: "unfollow" };
    case messageTypes.status:
      return { kind: "status" };
    default:
      return undefined;
  }
}

function readSource(reader: FieldReader): string {
  const source = reader.text(maxSourceBytes);
  if (source.length === 0) reader.fail("a source has no name");
  return source;
}

function readAppend(reader: FieldReader, vocabulary: Vocabulary): AppendMessage {
  const source = readSource(reader);
  const previous = reader.optionalText(maxPositionBytes);
  const position = reader.text(maxPositionBytes);
  const count = reader.u16();
  if (count > maxSections) reader.fail(`${count} sections are over ${maxSections}`);
  const sections: Section[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < count && reader.problem === undefined; i++) {
    const section = readSection(reader, vocabulary);
    const place = `${section.topic}/${section.slot}`;
    if (seen.has(place)) reader.fail(`two sections of ${place}`);
    seen.add(place);
    sections.push(section);
  }
  return { kind: "append", source, previous, position, sections };
}

function readFollow(reader: FieldReader, vocabulary: Vocabulary): FollowMessage {
  const start = followStarts[reader.u8()];
  if (start === undefined) reader.fail("a follower begins nowhere");
  const count = reader.u16();
  if (count === 0 || count > maxTopics) reader.fail(`a follower of ${count} topics`);
  const topics = new Set<string>();
  for (let i = 0; i < count && reader.problem === undefined; i++) {
    topics.add(readTopic(reader, vocabulary));
  }
  const positions = readPositions(reader, vocabulary);
  return { kind: "follow", topics: [...topics], start: start ?? "latest", positions };
}
