import { deepStrictEqual } from "node:assert/strict";
import {
  AvroDeserializer,
  AvroSerializer,
  SchemaRegistryClient,
  SerdeType,
  SubjectNameStrategyType,
} from "@confluentinc/schemaregistry";
import { Arena } from "../schemas/arena.ts";
import { Decoder, encodeFrame } from "../schemas/codec.ts";
import { defineSchema } from "../schemas/event-schema.ts";
import { isFailure } from "../schemas/failure.ts";
import { SchemaTable } from "../schemas/schema-table.ts";
import { type CodecEvent, codecEventJson, codecEvents } from "./codec-event.ts";
import { serveSchema } from "./codec-registry.ts";
import { type BenchOptions, type BenchResult, type Contender, printTable, race } from "./result.ts";

const TOPIC = "bench.codec.v1";
const EVENTS = 1_024;
const SEED = 20_260_704;

/**
 * Our codec against Confluent's AvroSerializer and AvroDeserializer (TOPIC strategy, the real
 * registry client, caches warm) and against JSON, one event at a time. Checks first that the frames
 * are equal byte for byte and that everybody reads the same events.
 */
export async function run({ quick }: BenchOptions): Promise<BenchResult> {
  const events = codecEvents(EVENTS, SEED);
  const rounds = quick ? 7 : 21;
  const contenders = [
    ...ourContenders(events, quick ? 40 : 100),
    ...jsonContenders(events, quick ? 40 : 100),
    ...(await rivalContenders(events, quick ? 4 : 10)),
  ];
  const rates = await race(contenders, rounds);
  const rate = (name: string): number => rates.get(name) ?? Number.NaN;
  const encode = rate("encode ours") / rate("encode confluent");
  const decode = rate("decode ours") / rate("decode confluent");
  printTable(
    ["encode", "decode"].map((work) => ({
      work,
      "ours/s": rate(`${work} ours`),
      "confluent/s": rate(`${work} confluent`),
      "JSON/s": rate(`${work} JSON`),
      "ours/confluent": rate(`${work} ours`) / rate(`${work} confluent`),
      "ours/JSON": rate(`${work} ours`) / rate(`${work} JSON`),
    })),
  );
  return {
    bench: "codec",
    ours: geometricMean(rate("encode ours"), rate("decode ours")),
    rival: geometricMean(rate("encode confluent"), rate("decode confluent")),
    ratio: geometricMean(encode, decode),
    unit: "events per CPU second, geometric mean of encode and decode",
    encodeRatio: encode,
    decodeRatio: decode,
    encodeJsonRatio: rate("encode ours") / rate("encode JSON"),
    decodeJsonRatio: rate("decode ours") / rate("decode JSON"),
    seed: SEED,
    rounds,
  };
}

function ourContenders(events: readonly CodecEvent[], laps: number): readonly Contender[] {
  const schema = defineSchema<CodecEvent>(codecEventJson);
  const table = new SchemaTable();
  const id = table.register(schema);
  const decoder = new Decoder(schema, table);
  const arena = new Arena();
  const chunk = encodeAll(events);
  const count = events.length * laps;
  return [
    {
      name: "encode ours",
      count,
      work: () => {
        for (let lap = 0; lap < laps; lap += 1) {
          arena.reset();
          for (const event of events) {
            encodeFrame(schema, id, event, arena);
          }
        }
      },
    },
    {
      name: "decode ours",
      count,
      work: () => {
        for (let lap = 0; lap < laps; lap += 1) {
          for (let index = 0; index < events.length; index += 1) {
            decoder.decodeFrame(
              chunk.bytes,
              chunk.ends[index] as number,
              chunk.ends[index + 1] as number,
            );
          }
        }
      },
    },
  ];
}

/** All events as frames in one chunk: frame `i` is `bytes[ends[i], ends[i + 1])`. */
function encodeAll(events: readonly CodecEvent[]): {
  readonly bytes: Buffer;
  readonly ends: readonly number[];
} {
  const schema = defineSchema<CodecEvent>(codecEventJson);
  const arena = new Arena();
  const ends = [0];
  for (const event of events) {
    const size = encodeFrame(schema, 1, event, arena);
    if (isFailure(size)) {
      throw new TypeError(size.message);
    }
    ends.push(arena.position);
  }
  return { bytes: Buffer.from(arena.bytes()), ends };
}

/** JSON has no bytes, so its events carry the id as the text one would send. */
function jsonContenders(events: readonly CodecEvent[], laps: number): readonly Contender[] {
  const plain = events.map((event) => ({
    ...event,
    eventId: Buffer.from(event.eventId).toString("base64"),
  }));
  const texts = plain.map((event) => JSON.stringify(event));
  const count = events.length * laps;
  return [
    {
      name: "encode JSON",
      count,
      work: () => {
        for (let lap = 0; lap < laps; lap += 1) {
          for (const event of plain) {
            JSON.stringify(event);
          }
        }
      },
    },
    {
      name: "decode JSON",
      count,
      work: () => {
        for (let lap = 0; lap < laps; lap += 1) {
          for (const text of texts) {
            JSON.parse(text);
          }
        }
      },
    },
  ];
}

async function rivalContenders(
  events: readonly CodecEvent[],
  laps: number,
): Promise<readonly Contender[]> {
  const registry = await serveSchema(`${TOPIC}-value`, codecEventJson);
  const client = new SchemaRegistryClient({ baseURLs: [registry.url] });
  const strategy = { subjectNameStrategyType: SubjectNameStrategyType.TOPIC };
  const serializer = new AvroSerializer(client, SerdeType.VALUE, {
    ...strategy,
    useLatestVersion: true,
  });
  const deserializer = new AvroDeserializer(client, SerdeType.VALUE, strategy);
  const { bytes, ends } = encodeAll(events);
  const frames: Buffer[] = [];
  for (const [index, event] of events.entries()) {
    const frame = await serializer.serialize(TOPIC, event);
    deepStrictEqual(frame, bytes.subarray(ends[index], ends[index + 1]));
    deepStrictEqual({ ...(await deserializer.deserialize(TOPIC, frame)) }, { ...event });
    frames.push(frame);
  }
  registry.close();
  const count = events.length * laps;
  return [
    {
      name: "encode confluent",
      count,
      work: async () => {
        for (let lap = 0; lap < laps; lap += 1) {
          for (const event of events) {
            await serializer.serialize(TOPIC, event);
          }
        }
      },
    },
    {
      name: "decode confluent",
      count,
      work: async () => {
        for (let lap = 0; lap < laps; lap += 1) {
          for (const frame of frames) {
            await deserializer.deserialize(TOPIC, frame);
          }
        }
      },
    },
  ];
}

function geometricMean(a: number, b: number): number {
  return Math.sqrt(a * b);
}
