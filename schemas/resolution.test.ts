import { describe, expect, it } from "vitest";
import { Arena } from "./arena.ts";
import { Decoder, decodeBody, encodeBody } from "./codec.ts";
import { defineSchema, type EventSchema } from "./event-schema.ts";
import { isFailure } from "./failure.ts";
import { projectSchema } from "./projection.ts";
import { SchemaTable } from "./schema-table.ts";

type Loose = Readonly<Record<string, unknown>>;

function schemaOf(fields: readonly unknown[]): EventSchema<Loose> {
  return defineSchema<Loose>(JSON.stringify({ type: "record", name: "E", fields }));
}

function bodyOf(schema: EventSchema<Loose>, value: Loose): Buffer {
  const arena = new Arena();
  const size = encodeBody(schema, value, arena);
  if (isFailure(size)) {
    throw new TypeError(size.message);
  }
  return Buffer.from(arena.bytes());
}

const part = {
  type: "record",
  name: "Part",
  fields: [{ name: "size", type: "int" }],
};
const writer = schemaOf([
  { name: "head", type: "long" },
  { name: "parts", type: { type: "array", items: part } },
  { name: "text", type: "string" },
  { name: "last", type: ["null", "Part"] },
]);
const value = { head: 7, parts: [{ size: 1 }, { size: 2 }], text: "ö", last: { size: 3 } };
const body = bodyOf(writer, value);

describe("reading with another schema than the writer's", () => {
  it("fills what the writer lacks with defaults and drops what the reader lacks", () => {
    const reader = schemaOf([
      { name: "text", type: "string" },
      { name: "head", type: "double" },
      { name: "added", type: { type: "array", items: "int" }, default: [1] },
      { name: "kept", type: ["null", "string"], default: null },
    ]);
    expect(decodeBody(reader, writer, body, 0, body.length)).toEqual({
      text: "ö",
      head: 7,
      added: [1],
      kept: null,
    });
  });

  it("checks the bytes against the writer's schema, also where the reader skips them", () => {
    const reader = schemaOf([{ name: "head", type: "long" }]);
    const cut = body.subarray(0, -1);
    expect(decodeBody(reader, writer, cut, 0, cut.length)).toMatchObject({ code: "BOUNDS" });
  });

  it("says so when the reader cannot read the writer", () => {
    const reader = schemaOf([{ name: "missing", type: "string" }]);
    const failure = decodeBody(reader, writer, body, 0, body.length);
    expect(failure).toMatchObject({ kind: "failure", code: "INCOMPATIBLE" });
    expect(decodeBody(reader, writer, body, 0, body.length)).toBe(failure);
  });

  it("keeps the defaults of readers apart that share a fingerprint", () => {
    const [one, two] = [1, 2].map((byDefault) =>
      schemaOf([{ name: "added", type: "int", default: byDefault }]),
    ) as [EventSchema<Loose>, EventSchema<Loose>];
    expect(one.fingerprint).toBe(two.fingerprint);
    expect(decodeBody(one, writer, body, 0, body.length)).toEqual({ added: 1 });
    expect(decodeBody(two, writer, body, 0, body.length)).toEqual({ added: 2 });
  });

  it("follows the schema id from frame to frame", () => {
    const table = new SchemaTable();
    const older = schemaOf([{ name: "head", type: "long" }]);
    const reader = schemaOf([
      { name: "head", type: "long" },
      { name: "text", type: "string", default: "none" },
    ]);
    const decoder = new Decoder(reader, table);
    const frame = (schema: EventSchema<Loose>, bytes: Buffer): Buffer =>
      Buffer.concat([Buffer.from([0, 0, 0, 0, table.register(schema)]), bytes]);
    const frames = [frame(older, bodyOf(older, { head: 5 })), frame(writer, body)];
    const read = [...frames, ...frames].map((bytes) => decoder.decodeFrame(bytes, 0, bytes.length));
    expect(read.slice(0, 2)).toEqual([
      { head: 5, text: "none" },
      { head: 7, text: "ö" },
    ]);
    expect(read.slice(2)).toEqual(read.slice(0, 2));
  });
});

describe("projectSchema", () => {
  it("reads only the named fields, types defined in a dropped field included", () => {
    const projected = projectSchema(writer, ["last", "head"]);
    expect(decodeBody(projected, writer, body, 0, body.length)).toEqual({
      head: 7,
      last: { size: 3 },
    });
  });

  it("keeps defaults, so that older writers can be read", () => {
    const full = schemaOf([
      { name: "head", type: "long" },
      { name: "added", type: "string", default: "x" },
    ]);
    const older = schemaOf([{ name: "head", type: "long" }]);
    const bytes = bodyOf(older, { head: 1 });
    const projected = projectSchema(full, ["added"]);
    expect(decodeBody(projected, older, bytes, 0, bytes.length)).toEqual({ added: "x" });
  });

  it("refuses a field that is not there", () => {
    expect(() => projectSchema(writer, ["head", "heat"])).toThrow("E has no field heat");
  });
});
