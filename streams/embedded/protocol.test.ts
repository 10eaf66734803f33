import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defineSchema } from "../../schemas/event-schema.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import { RecordBatch } from "../batch.ts";
import { type Chunk, RecordCursor } from "../chunk.ts";
import { type ErrorCode, errorCodes } from "../errors.ts";
import type { Position } from "../log.ts";
import { type Frame, FrameReader } from "./frame.ts";
import { TopicNames, type Vocabulary } from "./protocol.ts";
import {
  type Answer,
  encodeAnswer,
  encodeChunkHead,
  encodeChunks,
  encodeSchemas,
  encodeWelcome,
  parseAnswer,
  parseWelcome,
} from "./protocol-answers.ts";
import {
  type AppendMessage,
  encodeAppend,
  encodeHello,
  encodeRequest,
  parseHello,
  parseRequest,
  type Request,
} from "./protocol-requests.ts";
import { maxFrameBytes, protocolVersion } from "./socket-limits.ts";

const topics = new TopicNames([
  { name: "node.health.v1", kind: "stream" },
  { name: "node.overlay.v1", kind: "table" },
  { name: "ünïcode.v1", kind: "stream" },
]);
const vocabulary: Vocabulary = { topics, slots: 16 };

function frameOf(...bytes: Buffer[]): Frame {
  const reader = new FrameReader(() => maxFrameBytes);
  reader.push(Buffer.concat(bytes));
  const frame = reader.next();
  if (frame === undefined || "kind" in frame) throw new Error("no frame");
  expect(reader.next()).toBeUndefined();
  return frame;
}

const anyTopic = fc.constantFrom(...topics.rows.map((row) => row.name));
const anySlot = fc.integer({ min: 0, max: vocabulary.slots - 1 });
const anyOffset = fc.maxSafeNat();
const anyPosition: fc.Arbitrary<Position> = fc.record({
  topic: anyTopic,
  slot: anySlot,
  offset: anyOffset,
});
const anyText = fc.string({ unit: "binary", maxLength: 60 });
const anyRecord = fc.record({
  key: fc.uint8Array({ maxLength: 40 }),
  value: fc.option(fc.uint8Array({ maxLength: 80 }), { nil: undefined }),
});
const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 12 });
type Records = readonly { key: Uint8Array; value: Uint8Array | undefined }[];

function batchOf(
  places: readonly { topic: string; slot: number; records: Records }[],
): RecordBatch {
  const batch = new RecordBatch();
  for (const { topic, slot, records } of places) {
    for (const { key, value } of records) {
      batch.add(topic, slot, key, 0, key.length, value, 0, value?.length ?? 0);
    }
  }
  return batch;
}

function chunkOf(topic: string, slot: number, baseOffset: number, records: Records): Chunk {
  const [section] = batchOf([{ topic, slot, records }]).sections();
  if (section === undefined) throw new Error("no records");
  const buffer = Buffer.from(section.bytes.subarray(0, section.length));
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const { count } = section;
  return {
    topic,
    slot,
    baseOffset,
    count,
    timestampMs: 77,
    buffer,
    view,
    start: 0,
    end: buffer.length,
  };
}

function recordsOf(chunk: Chunk): { key: string; value: string | undefined; offset: number }[] {
  const cursor = new RecordCursor().open(chunk);
  const records = [];
  while (cursor.next()) {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd, offset } = cursor;
    const value = valueStart < 0 ? undefined : buffer.toString("hex", valueStart, valueEnd);
    records.push({ key: buffer.toString("hex", keyStart, keyEnd), value, offset });
  }
  return records;
}

describe("requests", () => {
  it("come back as they were sent", () => {
    const source = fc.string({ minLength: 1, maxLength: 60 });
    const anyRequest = fc.oneof(
      fc.record({ kind: fc.constant("sourcePosition" as const), source }),
      fc.record({
        kind: fc.constant("read" as const),
        topic: anyTopic,
        slot: anySlot,
        offset: anyOffset,
        maxBytes: fc.integer({ min: 0, max: 1_000_000 }),
      }),
      fc.record({
        kind: fc.constant("follow" as const),
        topics: fc.uniqueArray(anyTopic, { minLength: 1 }),
        start: fc.constantFrom("snapshot" as const, "earliest" as const, "latest" as const),
        positions: fc.array(anyPosition, { maxLength: 20 }),
      }),
      fc.constant({ kind: "unfollow" as const }),
      fc.constant({ kind: "status" as const }),
    );
    fc.assert(
      fc.property(anyRequest, fc.nat(), (request, id) => {
        const frame = frameOf(encodeRequest(id, topics, request));
        expect(frame.request).toBe(id);
        expect(parseRequest(frame, vocabulary)).toEqual(request);
      }),
    );
  });

  it("carry the records of an append as they are", () => {
    const places = fc.uniqueArray(
      fc.record({ topic: anyTopic, slot: anySlot, records: anyRecords }),
      {
        maxLength: 5,
        selector: ({ topic, slot }) => `${topic}/${slot}`,
      },
    );
    fc.assert(
      fc.property(places, fc.option(anyText, { nil: undefined }), (given, previous) => {
        const sections = batchOf(given).sections();
        const append = {
          source: "mrt/ä",
          previous,
          position: "p",
          sections,
        };
        const parsed = parseRequest(frameOf(encodeAppend(9, topics, append)), vocabulary);
        expect(parsed).toMatchObject({ ...append, sections: { length: sections.length } });
        const got = (parsed as AppendMessage).sections;
        for (const [i, section] of got.entries()) {
          const sent = sections[i];
          expect([section.topic, section.slot, section.count]).toEqual([
            sent?.topic,
            sent?.slot,
            sent?.count,
          ]);
          const bytes = Buffer.from(section.bytes.subarray(0, section.length));
          expect(bytes.equals(sent?.bytes.subarray(0, sent.length) as Uint8Array)).toBe(true);
          expect(section.view.byteOffset).toBe(section.bytes.byteOffset);
        }
      }),
    );
  });

  it("are refused with a reason where a field is wrong", () => {
    const append = (change: (bytes: Buffer) => void): Request | { kind: string } => {
      const batch = batchOf([
        {
          topic: "node.health.v1",
          slot: 3,
          records: [{ key: Buffer.from("k"), value: undefined }],
        },
      ]);
      const message = {
        source: "s",
        previous: undefined,
        position: "p",
        sections: batch.sections(),
      };
      const bytes = encodeAppend(1, topics, message);
      change(bytes);
      return parseRequest(frameOf(bytes), vocabulary);
    };
    // Body: source 3 bytes, flag 1, position 3, sections 2, then topic 2, slot 2, count 4, length 4, 7 of a record.
    const at = { topic: 9 + 9, slot: 9 + 11, count: 9 + 13, length: 9 + 17, keyLength: 9 + 25 };
    expect(append(() => undefined)).toMatchObject({ kind: "append", position: "p" });
    const wrong: [string, (bytes: Buffer) => void][] = [
      ["topic 3", (bytes) => bytes.writeUInt16LE(3, at.topic)],
      ["slot 16", (bytes) => bytes.writeUInt16LE(16, at.slot)],
      ["packed records", (bytes) => bytes.writeUInt32LE(2, at.count)],
      ["a section is empty", (bytes) => bytes.writeUInt32LE(0, at.count)],
      ["are needed", (bytes) => bytes.writeUInt32LE(8, at.length)],
      ["are over", (bytes) => bytes.writeUInt32LE(0xffffffff, at.length)],
      ["packed records", (bytes) => bytes.writeUInt16LE(1_025, at.keyLength)],
    ];
    for (const [reason, change] of wrong) {
      const refused = append(change);
      expect(refused).toMatchObject({ kind: "badFrame", message: expect.stringContaining(reason) });
    }
  });
});

describe("hello", () => {
  it("names the client, and a later version is read so far as to name it", () => {
    expect(parseHello(frameOf(encodeHello("edge")))).toEqual({
      version: protocolVersion,
      name: "edge",
    });
    const later = encodeHello("edge");
    later.writeUInt16LE(99, 9 + 4);
    expect(parseHello(frameOf(later))).toEqual({ version: 99, name: "" });
    const foreign = encodeHello("edge");
    foreign.writeUInt32LE(0x20544547, 9);
    expect(parseHello(frameOf(foreign))).toMatchObject({ kind: "badFrame" });
  });
});

describe("welcome", () => {
  it("carries log, topics and schemas", () => {
    const schemas = new SchemaTable();
    schemas.register(defineSchema('{"type":"record","name":"A","fields":[]}'));
    const welcome = { logId: "l-1", slots: 16, historical: true, topics, schemas };
    const parsed = parseWelcome(frameOf(encodeWelcome(welcome)));
    expect(parsed).toMatchObject({ logId: "l-1", slots: 16, historical: true });
    if ("kind" in parsed) throw new Error(parsed.message);
    expect(parsed.topics.rows).toEqual(topics.rows);
    expect(parsed.schemas.toJSON()).toEqual(schemas.toJSON());
    const answer = parseAnswer(frameOf(encodeSchemas(schemas)), vocabulary);
    expect(answer).toMatchObject({ kind: "schemas" });
  });

  it("is refused for schemas that are none", () => {
    const bytes = encodeWelcome({
      logId: "l",
      slots: 1,
      historical: false,
      topics: new TopicNames([]),
      schemas: new SchemaTable(),
    });
    bytes.write("{}", bytes.length - 2);
    expect(parseWelcome(frameOf(bytes))).toMatchObject({ kind: "badFrame" });
  });
});

describe("answers", () => {
  it("come back as they were sent", () => {
    const code = fc.constantFrom(...(Object.keys(errorCodes) as ErrorCode[]));
    const status = fc.record({
      topic: anyTopic,
      slot: anySlot,
      startOffset: anyOffset,
      endOffset: anyOffset,
      sizeBytes: anyOffset,
    });
    const anyAnswer = fc.oneof(
      fc.record({
        kind: fc.constant("appended" as const),
        outcome: fc.constantFrom("appended" as const, "duplicate" as const, "conflict" as const),
        position: fc.option(fc.string(), { nil: undefined }),
      }),
      fc.record({
        kind: fc.constant("position" as const),
        position: fc.option(fc.string(), { nil: undefined }),
      }),
      fc.record({
        kind: fc.constant("following" as const),
        positions: fc.array(anyPosition, { maxLength: 40 }),
      }),
      fc.record({
        kind: fc.constant("snapshot" as const),
        phase: fc.constantFrom("begins" as const, "complete" as const),
        position: anyPosition,
      }),
      fc.constant({ kind: "caughtUp" as const }),
      fc.record({ kind: fc.constant("dropped" as const), count: anyOffset }),
      fc.record({ kind: fc.constant("topics" as const), topics: fc.array(status) }),
      fc.record({ kind: fc.constant("error" as const), code, message: fc.string() }),
    );
    fc.assert(
      fc.property(anyAnswer, (answer) => {
        expect(parseAnswer(frameOf(encodeAnswer(3, topics, answer)), vocabulary)).toEqual(answer);
      }),
    );
  });

  it("carry chunks as they are", () => {
    fc.assert(
      fc.property(anyRecords, anySlot, fc.nat(), fc.boolean(), (records, slot, base, snapshot) => {
        const chunk = chunkOf("node.overlay.v1", slot, base, records);
        const head = encodeChunkHead(5, 1, chunk, snapshot);
        const one = parseAnswer(frameOf(head, chunk.buffer), vocabulary);
        const many = parseAnswer(frameOf(encodeChunks(5, topics, [chunk, chunk])), vocabulary);
        expect(one).toMatchObject({ kind: "chunk", snapshot });
        expect(many).toMatchObject({ kind: "chunks", chunks: { length: 2 } });
        if (one.kind !== "chunk" || many.kind !== "chunks") return;
        for (const got of [one.chunk, ...many.chunks]) {
          expect(recordsOf(got)).toEqual(recordsOf(chunk));
          expect(got.timestampMs).toBe(77);
        }
      }),
    );
  });

  it("of a read hold as many chunks as fit a frame", () => {
    const value = new Uint8Array(200_000);
    const records = Array.from({ length: 15 }, () => ({ key: new Uint8Array(1), value }));
    const chunk = chunkOf("node.health.v1", 0, 0, records);
    const bytes = encodeChunks(1, topics, [chunk, chunk, chunk, chunk]);
    expect(bytes.length).toBeLessThanOrEqual(maxFrameBytes);
    const answer = parseAnswer(frameOf(bytes), vocabulary) as Extract<Answer, { kind: "chunks" }>;
    expect(answer.chunks).toHaveLength(2);
  });
});

describe("the parsers", () => {
  const valid = [
    encodeHello("edge"),
    encodeRequest(1, topics, {
      kind: "read",
      topic: "node.health.v1",
      slot: 1,
      offset: 5,
      maxBytes: 9,
    }),
    encodeRequest(2, topics, {
      kind: "follow",
      topics: ["node.health.v1"],
      start: "positions",
      positions: [{ topic: "node.health.v1", slot: 0, offset: 4 }],
    }),
    encodeAnswer(3, topics, { kind: "error", code: "OCDN_LIMIT", message: "no" }),
    encodeAnswer(3, topics, {
      kind: "topics",
      topics: [{ topic: "node.health.v1", slot: 2, startOffset: 0, endOffset: 9, sizeBytes: 80 }],
    }),
    encodeChunks(4, topics, [
      chunkOf("node.health.v1", 1, 3, [{ key: Buffer.from("a"), value: Buffer.from("b") }]),
    ]),
  ];

  /** Every parser on one frame: none may throw, whatever it gives. */
  function parseAll(frame: Frame): unknown[] {
    return [
      parseHello(frame),
      parseWelcome(frame),
      parseRequest(frame, vocabulary),
      parseAnswer(frame, vocabulary),
    ];
  }

  it("answer every truncation with a failure", () => {
    for (const bytes of valid) {
      const type = bytes[4] as number;
      for (let end = 9; end < bytes.length; end++) {
        const results = parseAll({ type, request: 1, body: bytes.subarray(9, end) });
        const failures = results.filter(
          (result) => (result as { kind?: string }).kind === "badFrame",
        );
        expect(failures).toHaveLength(results.length);
      }
    }
  });

  it("never throw on random bytes", () => {
    const type = fc.oneof(
      fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76),
      fc.nat(255),
    );
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 300 }), (kind, body) => {
        for (const result of parseAll({ type: kind, request: 0, body: Buffer.from(body) })) {
          expect(result).toBeDefined();
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never throw on valid frames with some bytes changed", () => {
    const changes = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...valid), changes, (bytes, pokes) => {
        const body = Buffer.from(bytes.subarray(9));
        for (const [at, value] of pokes) if (body.length > 0) body[at % body.length] = value;
        for (const result of parseAll({ type: bytes[4] as number, request: 0, body })) {
          expect(result).toBeDefined();
        }
      }),
      { numRuns: 500 },
    );
  });
});
