import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defineSchema } from "./event-schema.ts";
import { isFailure } from "./failure.ts";
import { SchemaTable } from "./schema-table.ts";

const int = defineSchema<number>('"int"');
const record = defineSchema<unknown>(
  '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":1}]}',
);
const sameShape = defineSchema<unknown>(
  '{"type":"record","name":"R","doc":"other words","fields":[{"name":"a","type":"int","default":2}]}',
);

describe("SchemaTable", () => {
  it("gives each fingerprint one id", () => {
    const table = new SchemaTable();
    expect(table.idOf(int)).toBeUndefined();
    expect([int, record, int, sameShape].map((schema) => table.register(schema))).toEqual([
      1, 2, 1, 2,
    ]);
    expect(table.schemaOf(2)).toBe(record);
    expect(table.schemaOf(3)).toBeUndefined();
    expect(table.size).toBe(2);
  });

  it("takes ids from elsewhere, refuses a second meaning of one, and goes on behind them", () => {
    const table = new SchemaTable();
    expect(table.set(100_000, int)).toBeUndefined();
    expect(table.set(100_000, int)).toBeUndefined();
    expect(table.set(100_000, record)).toMatchObject({ code: "BAD_SCHEMA" });
    expect(table.set(-1, record)).toMatchObject({ code: "BAD_SCHEMA" });
    expect(table.set(2 ** 31, record)).toMatchObject({ code: "BAD_SCHEMA" });
    expect(table.register(record)).toBe(100_001);
  });

  it("comes back from its JSON", () => {
    const table = new SchemaTable();
    table.register(int);
    table.register(record);
    const copy = SchemaTable.fromJSON(JSON.parse(JSON.stringify(table)));
    expect(isFailure(copy) || copy.toJSON()).toEqual(table.toJSON());
    expect(isFailure(copy) || copy.idOf(record)).toBe(2);
  });

  it.each([
    ["no list", { id: 1 }],
    ["a row without a schema", [{ id: 1, fingerprint: "0" }]],
    ["a row that is null", [null]],
    ["a schema that is none", [{ id: 1, fingerprint: "0", schema: "{" }]],
    ["a wrong fingerprint", [{ id: 1, fingerprint: "0123456789abcdef", schema: '"int"' }]],
    ["a default that does not fit", [{ id: 1, fingerprint: "", schema: badDefault() }]],
    ["an id with two meanings", [rowOf(int), { ...rowOf(record), id: 1 }]],
  ])("refuses %s", (_, rows) => {
    expect(SchemaTable.fromJSON(rows)).toMatchObject({ kind: "failure", code: "BAD_SCHEMA" });
  });

  it("never throws, whatever it is given", () => {
    const row = fc.record({ id: fc.anything(), fingerprint: fc.string(), schema: fc.json() });
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.array(row)), (rows) => {
        const table = SchemaTable.fromJSON(rows);
        expect(isFailure(table) || table.size === 0 || Array.isArray(rows)).toBe(true);
      }),
    );
  });
});

function rowOf(schema: typeof record): object {
  const table = new SchemaTable();
  table.register(schema);
  return table.toJSON()[0] ?? {};
}

function badDefault(): string {
  return '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}';
}
