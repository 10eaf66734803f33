import { describe, expect, it } from "vitest";
import { Arena } from "./arena.ts";
import { Decoder, decodeBody, encodeBody, encodeFrame, frameId } from "./codec.ts";
import { defineSchema, type EventSchema } from "./event-schema.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import { SchemaTable } from "./schema-table.ts";

interface Visit {
  readonly id: Uint8Array;
  readonly atMs: number;
  readonly node: string;
  readonly state: "UP" | "DOWN";
  readonly parts: readonly { readonly name: string; readonly size: number }[];
  readonly note: Uint8Array | null;
  readonly tags: Readonly<Record<string, string>>;
}

const visitFields = [
  { name: "id", type: { type: "fixed", name: "Id", size: 4 } },
  { name: "atMs", type: "long" },
  { name: "node", type: "string" },
  { name: "state", type: { type: "enum", name: "State", symbols: ["UP", "DOWN"] } },
  {
    name: "parts",
    type: {
      type: "array",
      items: {
        type: "record",
        name: "Part",
        fields: [
          { name: "name", type: "string" },
          { name: "size", type: "int" },
        ],
      },
    },
  },
  { name: "note", type: ["null", "bytes"] },
  { name: "tags", type: { type: "map", values: "string" } },
];

function visitSchema(fields: readonly unknown[] = visitFields): EventSchema<Visit> {
  return defineSchema<Visit>(JSON.stringify({ type: "record", name: "Visit", fields }));
}

const visit: Visit = {
  id: Buffer.from([1, 2, 3, 4]),
  atMs: 1_760_000_000_000,
  node: "TYO",
  state: "UP",
  parts: [{ name: "a", size: 1 }],
  note: null,
  tags: { colour: "blue" },
};

const schema = visitSchema();

function frameOf(value: Visit, id = 1): Buffer {
  const arena = new Arena();
  expect(encodeFrame(schema, id, value, arena)).toBe(arena.position);
  return Buffer.from(arena.bytes());
}

function decoderOf<T>(reader: EventSchema<T>): Decoder<T> {
  const table = new SchemaTable();
  table.register(schema);
  return new Decoder(reader, table);
}

describe("encodeFrame", () => {
  it("writes the magic byte, the id big-endian and the body", () => {
    const frame = frameOf(visit, 0x01020304);
    expect([...frame.subarray(0, 5)]).toEqual([0, 1, 2, 3, 4]);
    expect(frame.subarray(5)).toEqual(schema.type.toBuffer(visit));
    expect(frameId(frame, 0, frame.length)).toBe(0x01020304);
  });

  it("appends, and keeps what was written when the arena grows", () => {
    const arena = new Arena({ initialBytes: 8 });
    const ends = [0];
    for (let index = 0; index < 50; index += 1) {
      encodeFrame(schema, 1, { ...visit, atMs: index }, arena);
      ends.push(arena.position);
    }
    const decoder = decoderOf(schema);
    const read = ends
      .slice(1)
      .map((end, index) => decoder.decodeFrame(arena.buffer, ends[index] ?? 0, end));
    expect(read).toEqual(Array.from({ length: 50 }, (_, index) => ({ ...visit, atMs: index })));
  });

  it.each([
    ["Visit.atMs", { ...visit, atMs: 1.5 }],
    ["Visit.atMs", { ...visit, atMs: 2 ** 53 }],
    ["Visit.atMs", { ...visit, atMs: Number.NaN }],
    ["Visit.node", { ...visit, node: undefined }],
    ["Visit.state", { ...visit, state: "toString" }],
    ["Visit.id", { ...visit, id: Buffer.alloc(3) }],
    ["Visit.note", { ...visit, note: "text" }],
    ["Visit.parts.1.size", { ...visit, parts: [...visit.parts, { name: "b", size: 2 ** 31 }] }],
    ["Visit.tags", { ...visit, tags: JSON.parse('{"__proto__":"x"}') }],
    ["Visit.tags", { ...visit, tags: { constructor: "x" } }],
    ["Visit", null],
  ])("names %s when its value does not fit", (path, value) => {
    const arena = new Arena();
    arena.position = 3;
    const failure = encodeFrame(schema, 1, value as Visit, arena);
    expect(failure).toMatchObject({ kind: "failure", code: "BAD_VALUE" });
    expect((failure as { message: string }).message).toMatch(new RegExp(`^${path} is no `));
    expect(arena.position).toBe(3);
  });

  it("takes any Uint8Array for bytes and fixed", () => {
    const value = { ...visit, id: new Uint8Array([9, 8, 7, 6]), note: new Uint8Array([5]) };
    const read = decoderOf(schema).decodeFrame(frameOf(value), 0, frameOf(value).length);
    expect(read).toMatchObject({ id: Buffer.from([9, 8, 7, 6]), note: Buffer.from([5]) });
  });

  it("refuses a value over the size limit and one that does not fit the arena", () => {
    const large = { ...visit, node: "x".repeat(MAX_FRAME_BYTES) };
    expect(encodeFrame(schema, 1, large, new Arena())).toMatchObject({ code: "TOO_LARGE" });
    const small = new Arena({ maxBytes: 20 });
    expect(encodeFrame(schema, 1, visit, small)).toMatchObject({ code: "TOO_LARGE" });
    expect(small.position).toBe(0);
  });
});

describe("Decoder", () => {
  const frame = frameOf(visit);
  const decoder = decoderOf(schema);

  it("refuses what is no frame of this log", () => {
    const changed = (at: number, byte: number): Buffer => {
      const copy = Buffer.from(frame);
      copy[at] = byte;
      return copy;
    };
    const read = (buffer: Buffer, end = buffer.length): unknown =>
      decoder.decodeFrame(buffer, 0, end);
    expect(read(changed(0, 1))).toMatchObject({ code: "BAD_MAGIC", at: 0 });
    expect(read(changed(4, 9))).toMatchObject({ code: "UNKNOWN_SCHEMA", at: 1 });
    expect(read(frame, 4)).toMatchObject({ code: "BOUNDS" });
    expect(read(frame, frame.length + 1)).toMatchObject({ code: "BOUNDS" });
    expect(read(frame, frame.length - 1)).toMatchObject({ code: "BOUNDS", at: frame.length - 1 });
    expect(read(Buffer.concat([frame, frame]))).toMatchObject({
      code: "TRAILING",
      at: frame.length,
    });
    expect(decoder.decodeFrame(frame, -1, 20)).toMatchObject({ code: "BOUNDS" });
    expect(read(Buffer.alloc(0))).toMatchObject({ kind: "failure", code: "BOUNDS" });
    expect(read(Buffer.alloc(MAX_FRAME_BYTES + 6))).toMatchObject({ kind: "failure" });
  });

  it("reads again once the table knows the id", () => {
    const table = new SchemaTable();
    const late = new Decoder(schema, table);
    expect(late.decodeFrame(frame, 0, frame.length)).toMatchObject({ code: "UNKNOWN_SCHEMA" });
    table.register(schema);
    expect(late.decodeFrame(frame, 0, frame.length)).toEqual(visit);
  });

  it("gives copies of bytes, so that the chunk may be written over", () => {
    const chunk = frameOf({ ...visit, note: Buffer.from([1, 2]) });
    const read = decoder.decodeFrame(chunk, 0, chunk.length) as Visit;
    chunk.fill(0xff);
    expect(read.id).toEqual(Buffer.from([1, 2, 3, 4]));
    expect(read.note).toEqual(Buffer.from([1, 2]));
  });

  it("keeps a map's own prototype", () => {
    const bad = Buffer.from(frameOf({ ...visit, tags: { __prot0__: "x" } }));
    bad.write("__proto__", bad.indexOf("__prot0__"), "latin1");
    expect(decoder.decodeFrame(bad, 0, bad.length)).toMatchObject({ code: "BAD_KEY" });
  });
});

describe("EventSchema", () => {
  it("knows the type of its values at compile time", () => {
    const text = defineSchema<string>('"string"');
    const anything: EventSchema<unknown> = text;
    // @ts-expect-error a schema of strings is no schema of numbers
    const numbers: EventSchema<number> = text;
    expect(anything).toBe(numbers);
    // @ts-expect-error a number is no string
    expect(encodeBody(text, 7, new Arena())).toMatchObject({ code: "BAD_VALUE" });
  });
});

describe("nesting", () => {
  interface Tree {
    readonly next: Tree | null;
  }
  const tree = defineSchema<Tree>(
    '{"type":"record","name":"Tree","fields":[{"name":"next","type":["null","Tree"]}]}',
  );

  function nested(depth: number): Tree {
    let value: Tree = { next: null };
    for (let level = 0; level < depth; level += 1) {
      value = { next: value };
    }
    return value;
  }

  it("is bounded when reading", () => {
    const deep = Buffer.alloc(100_000, 2);
    expect(decodeBody(tree, tree, deep, 0, deep.length)).toMatchObject({ code: "DEPTH" });
  });

  it("is bounded in the same way when writing, loops included", () => {
    const loop: { next: Tree | null } = { next: null };
    loop.next = loop;
    expect(encodeBody(tree, nested(60), new Arena())).toBe(61);
    expect(encodeBody(tree, nested(70), new Arena())).toMatchObject({ code: "DEPTH" });
    expect(encodeBody(tree, loop, new Arena())).toMatchObject({ code: "BAD_VALUE" });
  });
});
