import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defineSchema } from "../schemas/event-schema.ts";
import { maxKeyBytes, maxRecordBytes } from "./limits.ts";
import { PackedStore } from "./packed-store.ts";
import { RecordStoreView } from "./record-store.ts";

interface Thing {
  readonly name: string;
  readonly sizeBytes: number;
  readonly raw: Uint8Array;
  readonly parent: string | null;
}

const schema = defineSchema<Thing>(
  JSON.stringify({
    type: "record",
    name: "test.Thing",
    fields: [
      { name: "name", type: "string" },
      { name: "sizeBytes", type: "long" },
      { name: "raw", type: "bytes" },
      { name: "parent", type: ["null", "string"] },
    ],
  }),
);

function newStore(): { packed: PackedStore; things: RecordStoreView<Thing> } {
  const packed = new PackedStore("things");
  return { packed, things: new RecordStoreView(packed, schema) };
}

const thing = (name: string): Thing => ({
  name,
  sizeBytes: 7,
  raw: Buffer.from([1, 2]),
  parent: null,
});

describe("RecordStoreView", () => {
  it("gives back what was put, as a fresh object", () => {
    const value = fc.record({
      name: fc.string({ unit: "grapheme" }),
      sizeBytes: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
      raw: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      parent: fc.option(fc.string(), { nil: null }),
    });
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), value, (key, put) => {
        const { things } = newStore();
        things.put(key, put);
        expect(things.get(key)).toEqual(put);
        expect(things.get(key)).not.toBe(things.get(key));
        expect(things.entries()).toEqual([[key, put]]);
        expect(things.delete(key)).toBe(true);
        expect(things.get(key)).toBeUndefined();
        expect(things.delete(key)).toBe(false);
      }),
    );
  });

  it("lists entries of a prefix in byte order", () => {
    const { things } = newStore();
    for (const key of ["b", "é", "a/2", "a", "a/1"]) things.put(key, thing(key));
    expect(things.entries().map(([key]) => key)).toEqual(["a", "a/1", "a/2", "b", "é"]);
    expect(things.entries("a/").map(([, value]) => value.name)).toEqual(["a/1", "a/2"]);
    expect(things.has("b")).toBe(true);
    expect(things.has("c")).toBe(false);
    expect(things.size).toBe(5);
  });

  it("refuses a value that does not fit the schema, naming the field", () => {
    const { things } = newStore();
    const wrong = { ...thing("a"), sizeBytes: "7" } as unknown as Thing;
    expect(() => things.put("a", wrong)).toThrow(
      expect.objectContaining({
        code: "OCDN_BAD_INPUT",
        message: expect.stringContaining("sizeBytes"),
      }),
    );
    expect(things.size).toBe(0);
  });

  it("bounds keys and values", () => {
    const { things } = newStore();
    const limit = expect.objectContaining({ code: "OCDN_LIMIT" });
    const long = "é".repeat(maxKeyBytes / 2);
    things.put(long, thing("a"));
    expect(things.get(long)?.name).toBe("a");
    expect(() => things.put(`${long}b`, thing("a"))).toThrow(limit);
    expect(things.get(`${long}b`)).toBeUndefined();
    expect(things.delete("x".repeat(5 * maxKeyBytes))).toBe(false);
    for (const size of [maxRecordBytes, 4 * maxRecordBytes]) {
      const raw = new Uint8Array(size);
      expect(() => things.put("a", { ...thing("a"), raw })).toThrow(limit);
    }
  });

  it("reports damaged bytes and gives no object", () => {
    const { packed, things } = newStore();
    const value = Buffer.from([200, 200, 200, 200, 1]);
    packed.put(Buffer.from("a"), 0, 1, value, 0, value.length);
    const corrupt = expect.objectContaining({ code: "OCDN_FOLDER_CORRUPT" });
    expect(() => things.get("a")).toThrow(corrupt);
    expect(() => things.entries()).toThrow(corrupt);
  });
});
