import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generatedPath, generateEvents, schemaFolder } from "./generate.ts";
import { eventSchemas } from "./generated/events.ts";
import { readCurrent } from "./released.ts";

describe("the generated events", () => {
  it("are up to date with the schemas: run `npm run generate` when not", () => {
    const committed = readFileSync(join(schemaFolder, generatedPath), "utf8");
    expect(committed).toBe(generateEvents(schemaFolder));
  });

  it("hold every schema with the fingerprint of its file", () => {
    expect(eventSchemas.map((schema) => schema.fingerprint)).toEqual(
      readCurrent(schemaFolder).map(({ schema }) => schema.fingerprint),
    );
  });
});

const HEAD = [
  { name: "eventId", type: { type: "fixed", name: "EventId", size: 16 } },
  { name: "eventMs", type: "long" },
  { name: "logicVersion", type: "int" },
];

describe("generateEvents", () => {
  let folder = "";
  const write = (name: string, schema: object): void => {
    writeFileSync(join(folder, `${name}.avsc`), JSON.stringify(schema));
  };
  const event = (name: string, ...fields: readonly unknown[]): object => ({
    type: "record",
    name,
    namespace: "opencdn",
    fields: [...HEAD, ...fields],
  });
  const kind = (symbols: readonly string[]): unknown => ({
    name: "kind",
    type: { type: "enum", name: "Kind", symbols },
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "opencdn-generate-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("writes an interface a record and shares what two events share", () => {
    const part = { type: "record", name: "Part", fields: [{ name: "size", type: "float" }] };
    write(
      "one",
      event("One", kind(["A", "B"]), { name: "parts", type: { type: "array", items: part } }),
    );
    write(
      "two",
      event(
        "Two",
        kind(["A", "B"]),
        { name: "note", type: ["null", "string"], default: null, doc: "Tom's \\ note */" },
        { name: "list", type: { type: "array", items: ["null", "bytes"] } },
        { name: "map", type: { type: "map", values: { type: "array", items: "boolean" } } },
      ),
    );
    const text = generateEvents(folder);
    expect(text.match(/export type Kind = "A" \| "B";/g)).toHaveLength(1);
    expect(text).toContain("export interface Part {\n  readonly size: number;\n}");
    expect(text).toContain("  readonly parts: readonly Part[];");
    expect(text).toContain("  /** Tom's \\ note * / */\n  readonly note: string | null;");
    expect(text).toContain("  readonly list: readonly (Uint8Array | null)[];");
    expect(text).toContain("  readonly map: Readonly<Record<string, readonly boolean[]>>;");
    expect(text).toContain("export const twoSchema: EventSchema<Two> = defineSchema<Two>(\n");
    expect(text).toContain("  oneSchema,\n  twoSchema,\n");
  });

  it("refuses two shapes under one name", () => {
    write("one", event("One", kind(["A"])));
    write("two", event("Two", kind(["B"])));
    expect(() => generateEvents(folder)).toThrow("opencdn.Kind is defined twice and differently");
  });

  it("refuses an event without the three first fields", () => {
    write("one", { ...event("One"), fields: HEAD.slice(0, 2) });
    expect(() => generateEvents(folder)).toThrow("field 3 of one.avsc must be logicVersion: int");
    write("one", { ...event("One"), namespace: "other" });
    expect(() => generateEvents(folder)).toThrow("field 1 of one.avsc must be eventId");
  });
});
