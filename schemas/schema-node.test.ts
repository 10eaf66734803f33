import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFailure } from "./failure.ts";
import { MAX_SCHEMA_BYTES } from "./limits.ts";
import { parseSchema } from "./schema-node.ts";

const record = (fields: unknown): string => JSON.stringify({ type: "record", name: "R", fields });

const nested = (depth: number): string =>
  `${'{"type":"array","items":'.repeat(depth)}"int"${"}".repeat(depth)}`;

/** Each record holds the one before it twice: small text, 2^levels fields. */
function doubling(levels: number): string {
  let type: unknown = "int";
  for (let level = 0; level < levels; level += 1) {
    const second = level === 0 ? "int" : `R${level - 1}`;
    const fields = [
      { name: "a", type },
      { name: "b", type: second },
    ];
    type = { type: "record", name: `R${level}`, fields };
  }
  return JSON.stringify(type);
}

describe("parseSchema", () => {
  it.each([
    ["text that is no JSON", "{"],
    ["an unknown type", '"strnig"'],
    ["a number", "3"],
    ["null", "null"],
    ["a record without fields", '{"type":"record","name":"R"}'],
    ["a record without a name", '{"type":"record","fields":[]}'],
    ["a name with code in it", '{"type":"record","name":"R(){};x","fields":[]}'],
    ["a field that reaches a prototype", record([{ name: "__proto__", type: "int" }])],
    ["a field that is no name", record([{ name: "a b", type: "int" }])],
    ["a field that stands twice", record([1, 2].map(() => ({ name: "a", type: "int" })))],
    ["an enum that holds a symbol twice", '{"type":"enum","name":"E","symbols":["A","A"]}'],
    ["an enum without symbols", '{"type":"enum","name":"E","symbols":[]}'],
    [
      "an enum whose default is no symbol",
      '{"type":"enum","name":"E","symbols":["A"],"default":"B"}',
    ],
    ["a symbol that reaches a prototype", '{"type":"enum","name":"E","symbols":["constructor"]}'],
    ["a fixed of a negative size", '{"type":"fixed","name":"F","size":-1}'],
    ["a fixed of a huge size", '{"type":"fixed","name":"F","size":1000000000}'],
    ["a union in a union", '["null",["int"]]'],
    ["a union that holds a type twice", '["int","int"]'],
    [
      "a name that is defined twice",
      record(["a", "b"].map((name) => ({ name, type: { type: "fixed", name: "F", size: 1 } }))),
    ],
    ["the name of a primitive", '{"type":"fixed","name":"int","size":1}'],
    ["types nested too deep", nested(100)],
    ["text that is too long", `"${"x".repeat(MAX_SCHEMA_BYTES)}"`],
    ["too many types", JSON.stringify(Array.from({ length: 5_000 }, () => "int"))],
    ["records that double a level", doubling(30)],
  ])("refuses %s", (_, text) => {
    expect(parseSchema(text)).toMatchObject({ kind: "failure", code: "BAD_SCHEMA" });
  });

  it("reads records that hold themselves", () => {
    const node = parseSchema(record([{ name: "next", type: ["null", "R"] }]));
    expect(node).toMatchObject({ kind: "record", name: "R" });
  });

  it("never throws, whatever JSON it is given", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const node = parseSchema(text);
        expect(isFailure(node) || typeof node.kind === "string").toBe(true);
      }),
    );
  });
});
