import type { Arena } from "../schemas/arena.ts";
import { encodeBody } from "../schemas/codec.ts";
import { defineSchema, type EventSchema } from "../schemas/event-schema.ts";
import { isFailure } from "../schemas/failure.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import { OpenCdnError } from "./errors.ts";
import { eventIdBytes, frameHeaderBytes } from "./identity.ts";
import type { Emitted, Header } from "./processor.ts";

/** Frame, event id and two varints: the part that is written here and not by the codec. */
const headBytes = frameHeaderBytes + eventIdBytes + 20;

const bodies = new WeakMap<EventSchema<unknown>, EventSchema<unknown>>();

/** The schema without its first three fields, which are the same in every event. */
function bodySchema(schema: EventSchema<unknown>): EventSchema<unknown> {
  let body = bodies.get(schema);
  if (body === undefined) {
    const json = JSON.parse(schema.json) as { fields: { name: string }[] };
    const head = json.fields.slice(0, 3).map((field) => field.name as Header);
    if (head.join() !== "eventId,eventMs,logicVersion") {
      throw new OpenCdnError(
        "OCDN_UNKNOWN_SCHEMA",
        `encoding ${schema.name}: an event begins with eventId, eventMs and logicVersion`,
      );
    }
    body = defineSchema(JSON.stringify({ ...json, fields: json.fields.slice(3) }));
    bodies.set(schema, body);
  }
  return body;
}

/**
 * Encodes events of one schema as frames: the header fields are written in place and the rest by the codec, so
 * that no object is made only to add three fields. The bytes equal those of `encodeFrame` on the whole event.
 */
export class EventEncoder<T> {
  readonly #id: number;
  readonly #body: EventSchema<unknown>;

  constructor(schema: EventSchema<T>, schemas: SchemaTable) {
    const id = schemas.idOf(schema);
    if (id === undefined) {
      throw new OpenCdnError("OCDN_UNKNOWN_SCHEMA", `encoding ${schema.name}: not in this log`);
    }
    this.#id = id;
    this.#body = bodySchema(schema);
  }

  /**
   * Appends the frame to the arena and returns its length. `writeId` puts 16 bytes at the place given. Throws
   * OCDN_BAD_INPUT naming the field when the value does not fit the schema.
   */
  encode(
    value: Emitted<T>,
    eventMs: number,
    logicVersion: number,
    writeId: (target: Uint8Array, at: number) => void,
    arena: Arena,
  ): number {
    const start = arena.position;
    if (start + headBytes > arena.buffer.length && !arena.grow(start + headBytes)) {
      throw new OpenCdnError("OCDN_LIMIT", "encoding an event: the arena is full");
    }
    const buffer = arena.buffer;
    buffer[start] = 0;
    buffer.writeUInt32BE(this.#id, start + 1);
    writeId(buffer, start + frameHeaderBytes);
    let at = start + frameHeaderBytes + eventIdBytes;
    at = writeLong(buffer, at, eventMs);
    arena.position = writeLong(buffer, at, logicVersion);
    const size = encodeBody(this.#body, value, arena);
    if (isFailure(size)) {
      arena.position = start;
      throw new OpenCdnError("OCDN_BAD_INPUT", `encoding an event: ${size.message}`);
    }
    return arena.position - start;
  }
}

/** Avro long: zigzag, then 7 bits a byte. `value` is a safe integer. */
function writeLong(buffer: Uint8Array, start: number, value: number): number {
  if (!Number.isSafeInteger(value) || Math.abs(value) > 4_503_599_627_370_495) {
    throw new OpenCdnError("OCDN_BAD_INPUT", `encoding an event: ${value} is no time`);
  }
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let at = start;
  while (rest >= 128) {
    buffer[at] = (rest % 128) | 0x80;
    at += 1;
    rest = Math.floor(rest / 128);
  }
  buffer[at] = rest;
  return at + 1;
}
