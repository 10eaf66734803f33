import type avsc from "avsc";
import type { Arena } from "./arena.ts";
import type { AvroInternals } from "./avro-type.ts";
import type { EventSchema } from "./event-schema.ts";
import { CodecFailure } from "./failure.ts";
import { FRAME_HEADER_BYTES, FRAME_MAGIC, MAX_CACHED_PLANS, MAX_FRAME_BYTES } from "./limits.ts";
import type { SchemaTable } from "./schema-table.ts";
import { type NativeBuffer, Tap } from "./tap.ts";

/**
 * Appends the Confluent frame of `value` (magic 0, `id` as 4 bytes big-endian, Avro body) to the
 * arena and returns its length in bytes; the frame ends at `arena.position`. A value that does not
 * fit the schema gives `BAD_VALUE` with the field's path, and the arena stays as it was.
 */
export function encodeFrame<T>(
  schema: EventSchema<T>,
  id: number,
  value: T,
  arena: Arena,
): number | CodecFailure {
  const start = arena.position;
  const size = writeBody(schema, value, arena, FRAME_HEADER_BYTES);
  if (typeof size === "number") {
    arena.buffer[start] = FRAME_MAGIC;
    arena.buffer.writeUInt32BE(id, start + 1);
  }
  return size;
}

/** Appends the Avro body of `value` without a frame; otherwise as `encodeFrame`. */
export function encodeBody<T>(
  schema: EventSchema<T>,
  value: T,
  arena: Arena,
): number | CodecFailure {
  return writeBody(schema, value, arena, 0);
}

function writeBody(
  schema: EventSchema<unknown>,
  value: unknown,
  arena: Arena,
  headerBytes: number,
): number | CodecFailure {
  const type = schema.type as unknown as AvroInternals;
  const tap = arena.tap;
  const start = arena.position;
  for (;;) {
    tap.buf = arena.buffer as NativeBuffer;
    tap.pos = start + headerBytes;
    try {
      type._write(tap, value);
    } catch (error) {
      return invalidValue(schema, value, error);
    }
    const end = tap.pos;
    const size = end - start;
    if (size - headerBytes > MAX_FRAME_BYTES) {
      return new CodecFailure("TOO_LARGE", `${schema.name} of ${size} bytes is too large`);
    }
    if (end <= arena.buffer.length) {
      return accept(schema, arena, headerBytes, end);
    }
    if (!arena.grow(end)) {
      return new CodecFailure("TOO_LARGE", `the arena of ${arena.maxBytes} bytes is full`);
    }
  }
}

/** What a decoder would refuse (deep recursion, crowds of zero-byte elements) is not written. */
function accept(
  schema: EventSchema<unknown>,
  arena: Arena,
  headerBytes: number,
  end: number,
): number | CodecFailure {
  const start = arena.position;
  if (schema.check.refusesSomeValues) {
    const failure = schema.check(arena.buffer, start + headerBytes, end);
    if (failure !== undefined) {
      return failure;
    }
  }
  arena.position = end;
  return end - start;
}

function invalidValue(schema: EventSchema<unknown>, value: unknown, error: unknown): CodecFailure {
  let found: string | undefined;
  try {
    schema.type.isValid(value, {
      errorHook: (path: string[], _value: unknown, type: avsc.Type) => {
        found ??= `${[schema.name, ...path].join(".")} is no ${type.branchName ?? type.typeName}`;
      },
    });
  } catch {
    // A getter or a loop in the value: the writer's own words must do.
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new CodecFailure("BAD_VALUE", found ?? `${schema.name}: ${reason.slice(0, 200)}`);
}

interface Plan {
  readonly writer: EventSchema<unknown>;
  readonly read: AvroInternals;
}

const plans = new WeakMap<EventSchema<unknown>, Map<bigint, Plan | CodecFailure>>();

/** How `reader` reads what `writer` wrote; kept per pair, with a resolver only where they differ. */
function planOf(writer: EventSchema<unknown>, reader: EventSchema<unknown>): Plan | CodecFailure {
  let known = plans.get(reader);
  if (known === undefined) {
    known = new Map();
    plans.set(reader, known);
  }
  const present = known.get(writer.fingerprint);
  if (
    present !== undefined &&
    (!("writer" in present) || present.writer.canonical === writer.canonical)
  ) {
    return present;
  }
  if (known.size >= MAX_CACHED_PLANS) {
    known.clear();
  }
  const plan = makePlan(writer, reader);
  known.set(writer.fingerprint, plan);
  return plan;
}

function makePlan(writer: EventSchema<unknown>, reader: EventSchema<unknown>): Plan | CodecFailure {
  if (writer.canonical === reader.canonical) {
    return { writer, read: reader.type as unknown as AvroInternals };
  }
  try {
    const resolver = reader.type.createResolver(writer.type);
    return { writer, read: resolver as unknown as AvroInternals };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return new CodecFailure(
      "INCOMPATIBLE",
      `${reader.name} cannot read ${writer.name}: ${reason.slice(0, 200)}`,
    );
  }
}

const tap = new Tap();

function readBody<T>(plan: Plan, buffer: Uint8Array, start: number, end: number): T | CodecFailure {
  const failure = plan.writer.check(buffer, start, end);
  if (failure !== undefined) {
    return failure;
  }
  tap.buf = buffer as NativeBuffer;
  tap.pos = start;
  try {
    return plan.read._read(tap, true) as T;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return new CodecFailure("RANGE", `${plan.writer.name}: ${reason.slice(0, 200)}`, tap.pos);
  }
}

/**
 * Decodes the Avro body in `buffer[start, end)`, written with `writer`, as `reader` sees it. The
 * bytes are checked before avsc reads them; `bytes` and `fixed` are copies, so the chunk may be reused.
 */
export function decodeBody<T>(
  reader: EventSchema<T>,
  writer: EventSchema<unknown>,
  buffer: Buffer,
  start: number,
  end: number,
): T | CodecFailure {
  const plan = planOf(writer, reader);
  return plan instanceof CodecFailure ? plan : readBody(plan, buffer, start, end);
}

/**
 * Decodes frames of one log as `reader` sees them. A reader with fewer fields than the writer is a
 * projection: what it lacks is skipped.
 */
export class Decoder<T> {
  readonly reader: EventSchema<T>;
  readonly table: SchemaTable;
  #lastId = -1;
  #lastPlan: Plan | undefined;

  constructor(reader: EventSchema<T>, table: SchemaTable) {
    this.reader = reader;
    this.table = table;
  }

  /**
   * The event framed in `buffer[start, end)`, or a failure; never throws. `UNKNOWN_SCHEMA` means
   * that the table lacks the id: enter it and decode again. `bytes` and `fixed` are copies.
   */
  decodeFrame(buffer: Buffer, start: number, end: number): T | CodecFailure {
    if (end - start < FRAME_HEADER_BYTES || start < 0 || end > buffer.length) {
      return new CodecFailure("BOUNDS", "a frame is shorter than its header", start);
    }
    if (buffer[start] !== FRAME_MAGIC) {
      return new CodecFailure("BAD_MAGIC", `a frame begins with byte ${buffer[start]}`, start);
    }
    const id = buffer.readUInt32BE(start + 1);
    if (id !== this.#lastId || this.#lastPlan === undefined) {
      const failure = this.#select(id, start);
      if (failure !== undefined) {
        return failure;
      }
    }
    return readBody(this.#lastPlan as Plan, buffer, start + FRAME_HEADER_BYTES, end);
  }

  #select(id: number, start: number): CodecFailure | undefined {
    const writer = this.table.schemaOf(id);
    if (writer === undefined) {
      return new CodecFailure("UNKNOWN_SCHEMA", `schema id ${id} is not in the table`, start + 1);
    }
    const plan = planOf(writer, this.reader);
    if (plan instanceof CodecFailure) {
      return plan;
    }
    this.#lastId = id;
    this.#lastPlan = plan;
    return undefined;
  }
}

/** The schema id of the frame in `buffer[start, end)`, without reading its body. */
export function frameId(buffer: Buffer, start: number, end: number): number | CodecFailure {
  if (end - start < FRAME_HEADER_BYTES || start < 0 || end > buffer.length) {
    return new CodecFailure("BOUNDS", "a frame is shorter than its header", start);
  }
  return buffer[start] === FRAME_MAGIC
    ? buffer.readUInt32BE(start + 1)
    : new CodecFailure("BAD_MAGIC", `a frame begins with byte ${buffer[start]}`, start);
}
