import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import avsc from "avsc";
import { describe, expect, it } from "vitest";
import { decodeBody } from "./codec.ts";
import { defineSchema } from "./event-schema.ts";
import { MAX_ZERO_BYTE_ELEMENTS } from "./limits.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const CHILD_TIMEOUT_MS = 60_000;

/** Seven bytes of `array<long>`: 10^9 items announced in five bytes, and two more. */
const SEVEN_BYTES = "8094ebdc030000";

/** Runs a module in a process with 64 MB of heap and says how it ended and what it printed. */
function runChild(source: string): {
  readonly end: "ok" | "out of memory" | "failed";
  readonly output: string;
} {
  const child = spawnSync(
    process.execPath,
    ["--max-old-space-size=64", "--import", "tsx", "--input-type=module", "-e", source],
    { cwd: root, encoding: "utf8", timeout: CHILD_TIMEOUT_MS },
  );
  const memory = child.stderr.includes("heap out of memory");
  const failed = memory ? "out of memory" : "failed";
  return { end: child.status === 0 ? "ok" : failed, output: child.stdout.trim() };
}

describe("bytes that are dangerous to avsc", () => {
  it("kill a process that gives them to avsc", { timeout: CHILD_TIMEOUT_MS }, () => {
    const child = runChild(`
      import avsc from "avsc";
      const type = avsc.Type.forSchema({ type: "array", items: "long" });
      type.decode(Buffer.from("${SEVEN_BYTES}", "hex"), 0);
      console.log("survived");
    `);
    expect(child).toEqual({ end: "out of memory", output: "" });
  });

  it("are refused by our decoder in the same process", { timeout: CHILD_TIMEOUT_MS }, () => {
    const child = runChild(`
      import { decodeBody } from "./schemas/codec.ts";
      import { defineSchema } from "./schemas/event-schema.ts";
      const schema = defineSchema('{"type":"array","items":"long"}');
      const bytes = Buffer.from("${SEVEN_BYTES}", "hex");
      console.log(decodeBody(schema, schema, bytes, 0, bytes.length).code);
    `);
    expect(child).toEqual({ end: "ok", output: "COUNT" });
  });
});

describe("the decoder on dangerous bytes", () => {
  const decode = (json: string, hex: string): unknown => {
    const schema = defineSchema<unknown>(json);
    const bytes = Buffer.from(hex, "hex");
    return decodeBody(schema, schema, bytes, 0, bytes.length);
  };
  const array = (items: unknown): string => JSON.stringify({ type: "array", items });
  const map = '{"type":"map","values":"boolean"}';

  it("refuses a map key that replaces a prototype, which avsc does", () => {
    const bytes = Buffer.concat([
      Buffer.from([2, 18]),
      Buffer.from("__proto__"),
      Buffer.from([0, 0]),
    ]);
    const type = avsc.Type.forSchema({
      type: "map",
      values: { type: "map", values: "boolean" },
    });
    expect(Object.getPrototypeOf(type.fromBuffer(bytes))).not.toBe(Object.prototype);
    for (const key of ["__proto__", "prototype", "constructor"]) {
      const hex = `02${(key.length * 2).toString(16)}${Buffer.from(key).toString("hex")}0100`;
      expect(decode(map, hex)).toMatchObject({ code: "BAD_KEY", at: 2 });
    }
    expect(decode(map, "0212746f537472696e672f0100")).toEqual({ "toString/": true });
  });

  it.each([
    ["a count beyond the bytes", array("long"), SEVEN_BYTES, "COUNT"],
    ["a count of 2^62", array("long"), "80808080808080808001", "RANGE"],
    ["a count of -2^63", array("long"), "ffffffffffffffffff01", "RANGE"],
    ["a negative count with a wrong size", array("long"), "010402", "BOUNDS"],
    ["a negative count whose size is too small", array("long"), "0302020400", "COUNT"],
    ["a negative count with a negative size", array("long"), "01010200", "RANGE"],
    ["a million nulls", array("null"), "80897a00", "COUNT"],
    ["a million empty fixed", array({ type: "fixed", name: "F", size: 0 }), "80897a00", "COUNT"],
    [
      "a million empty records",
      array({ type: "record", name: "R", fields: [] }),
      "80897a00",
      "COUNT",
    ],
    ["a string of a negative length", '"string"', "01", "RANGE"],
    ["a string longer than the bytes", '"string"', "0461", "BOUNDS"],
    ["bytes of 2^53", '"bytes"', "8080808080808020", "RANGE"],
    ["an int of 33 bits", '"int"', "8080808010", "RANGE"],
    ["an int of six bytes", '"int"', "808080808000", "RANGE"],
    ["a long outside the safe integers", '"long"', "ffffffffffffff1f", "RANGE"],
    ["a long of eleven bytes", '"long"', "8080808080808080808000", "RANGE"],
    ["a boolean of 2", '"boolean"', "02", "RANGE"],
    ["a branch that is not there", '["null","int"]', "04", "RANGE"],
    ["a negative branch", '["null","int"]', "01", "RANGE"],
    ["a symbol that is not there", '{"type":"enum","name":"E","symbols":["A"]}', "02", "RANGE"],
    ["no bytes at all", '"double"', "", "BOUNDS"],
  ])("refuses %s", (_, json, hex, code) => {
    expect(decode(json, hex)).toMatchObject({ kind: "failure", code });
  });

  it.each([
    ["the largest long", "fcffffffffffff1f", Number.MAX_SAFE_INTEGER - 1],
    ["the smallest long", "fbffffffffffff1f", 1 - Number.MAX_SAFE_INTEGER],
    ["one more", "feffffffffffff1f", "RANGE"],
    ["one less", "fdffffffffffff1f", "RANGE"],
  ])("knows the limits of a long: %s", (_, hex, expected) => {
    const read = decode('"long"', hex);
    expect(typeof read === "number" ? read : (read as { code: string }).code).toBe(expected);
  });

  it("counts zero-byte elements over the whole frame, not by block", () => {
    const lists = array({ type: "array", items: "null" });
    const inner = "c83e00";
    const times = Math.ceil(MAX_ZERO_BYTE_ELEMENTS / 4_004) + 1;
    expect(decode(lists, `02${inner}00`)).toMatchObject([{ length: 4_004 }]);
    const count = (times * 2).toString(16).padStart(2, "0");
    expect(decode(lists, `${count}${inner.repeat(times)}00`)).toMatchObject({ code: "COUNT" });
  });

  it("reads blocks with sizes", () => {
    expect(decode(array("int"), "0304020401020600")).toEqual([1, 2, 3]);
  });
});
