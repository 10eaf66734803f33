import { describe, expect, it } from "vitest";
import { checkFullTransitive, checkReadable } from "./compatibility.ts";
import { defineSchema, type EventSchema } from "./event-schema.ts";

function event(...fields: readonly unknown[]): EventSchema<unknown> {
  return defineSchema(JSON.stringify({ type: "record", name: "E", fields }));
}

const field = (name: string, type: unknown, rest: object = {}): unknown => ({
  name,
  type,
  ...rest,
});
const symbols = (...list: readonly string[]): unknown => ({
  type: "enum",
  name: "S",
  symbols: list,
});

describe("checkReadable", () => {
  it.each([
    ["a promotion", field("a", "double"), field("a", "int")],
    ["bytes from a string", field("a", "bytes"), field("a", "string")],
    ["a wider union", field("a", ["null", "int"], { default: null }), field("a", "int")],
    ["an added field with a default", field("b", "int", { default: 0 }), field("a", "int")],
    ["an alias", field("b", "int", { aliases: ["a"] }), field("a", "int")],
    ["more symbols", field("a", symbols("A", "B")), field("a", symbols("A"))],
    [
      "fewer symbols with a default",
      field("a", { type: "enum", name: "S", symbols: ["A"], default: "A" }),
      field("a", symbols("A", "B")),
    ],
    ["a record in itself", field("a", ["null", "E"]), field("a", ["null", "E"])],
  ])("finds nothing against %s", (_, reader, writer) => {
    expect(checkReadable(event(reader), event(writer))).toEqual([]);
  });

  it.each([
    ["TYPE", field("a", "int"), field("a", "long")],
    ["TYPE", field("a", { type: "array", items: "int" }), field("a", "int")],
    ["TYPE", field("a", "string"), field("a", ["null", "string"])],
    ["MISSING_DEFAULT", field("b", "int"), field("a", "int")],
    ["MISSING_SYMBOL", field("a", symbols("A")), field("a", symbols("A", "B"))],
    ["MISSING_BRANCH", field("a", ["null", "int"]), field("a", "string")],
    [
      "FIXED_SIZE",
      field("a", { type: "fixed", name: "F", size: 4 }),
      field("a", { type: "fixed", name: "F", size: 8 }),
    ],
    [
      "NAME",
      field("a", { type: "fixed", name: "F", size: 4 }),
      field("a", { type: "fixed", name: "G", size: 4 }),
    ],
  ])("finds %s", (code, reader, writer) => {
    expect(checkReadable(event(reader), event(writer))).toMatchObject([{ code }]);
  });

  it("names the path", () => {
    const list = (items: unknown): EventSchema<unknown> =>
      event(field("list", { type: "array", items }));
    const inner = (type: string): unknown => ({
      type: "record",
      name: "Part",
      fields: [{ name: "size", type }],
    });
    expect(checkReadable(list(inner("int")), list(inner("string")))).toEqual([
      { code: "TYPE", path: "E.list.[].size", message: "int cannot be read from string" },
    ]);
  });
});

describe("checkFullTransitive", () => {
  const first = event(field("a", "int"));
  const second = event(field("a", "int"), field("b", "int", { default: 0 }));
  const released = [
    { version: 1, schema: first },
    { version: 2, schema: second },
  ];

  it("accepts a schema that every version reads and that reads every version", () => {
    const third = event(field("a", "int"), field("c", "string", { default: "" }));
    expect(checkFullTransitive(third, released)).toEqual([]);
  });

  it("looks at every version and in both directions", () => {
    const third = event(field("b", "int", { default: 0 }));
    expect(checkFullTransitive(third, released)).toMatchObject([
      { direction: "forward", version: 1, code: "MISSING_DEFAULT", path: "E.a" },
      { direction: "forward", version: 2, code: "MISSING_DEFAULT", path: "E.a" },
    ]);
    const widened = event(field("a", "long"));
    expect(checkFullTransitive(widened, released)).toMatchObject([
      { direction: "forward", version: 1, code: "TYPE" },
      { direction: "forward", version: 2, code: "TYPE" },
    ]);
    const added = event(field("a", "int"), field("d", "int"));
    expect(checkFullTransitive(added, released)).toMatchObject([
      { direction: "backward", version: 1, code: "MISSING_DEFAULT", path: "E.d" },
      { direction: "backward", version: 2, code: "MISSING_DEFAULT", path: "E.d" },
    ]);
  });
});
