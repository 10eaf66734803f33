import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkFullTransitive } from "./compatibility.ts";
import { schemaFolder } from "./generate.ts";
import { readCurrent, readReleased, release, releasedNames } from "./released.ts";

/** Everything that is wrong between the current schemas of a folder and its releases. */
function findings(folder: string): readonly string[] {
  const current = readCurrent(folder);
  const names = new Set(current.map(({ name }) => name));
  const removed = releasedNames(folder).filter((name) => !names.has(name));
  return [
    ...removed.map((name) => `${name} was released and is gone`),
    ...current.flatMap(({ name, schema }) =>
      checkFullTransitive(schema, readReleased(folder, name)).map(
        (found) => `${name} ${found.direction} ${found.version} ${found.path}: ${found.message}`,
      ),
    ),
  ];
}

describe("the schemas of this version", () => {
  it("are FULL_TRANSITIVE compatible with every released version", () => {
    expect(findings(schemaFolder)).toEqual([]);
  });
});

describe("releases", () => {
  let folder = "";
  const write = (name: string, fields: readonly unknown[], doc = ""): void => {
    const text = JSON.stringify({ type: "record", name: "E", doc, fields });
    writeFileSync(join(folder, `${name}.avsc`), text);
  };
  const a = { name: "a", type: "int" };
  const b = { name: "b", type: "int", default: 0 };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "opencdn-released-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("take a number each, and only when more than the docs changed", () => {
    write("thing", [a]);
    expect(release(folder)).toEqual({ written: ["thing/1"], refused: [] });
    expect(release(folder)).toEqual({ written: [], refused: [] });
    write("thing", [a], "other words");
    expect(release(folder)).toEqual({ written: [], refused: [] });
    write("thing", [a, b]);
    expect(release(folder)).toEqual({ written: ["thing/2"], refused: [] });
    expect(readReleased(folder, "thing").map(({ version }) => version)).toEqual([1, 2]);
    expect(findings(folder)).toEqual([]);
  });

  it("are refused as a whole when one schema is incompatible, and the check is red", () => {
    write("thing", [a]);
    release(folder);
    write("thing", [a, { name: "c", type: "int" }]);
    write("another", [a]);
    const sentence =
      "thing breaks backward compatibility with version 1 at E.c: " +
      "the writer lacks the field; it needs a default";
    expect(release(folder)).toEqual({ written: [], refused: [sentence] });
    expect(findings(folder)).toHaveLength(1);
    expect(releasedNames(folder)).toEqual(["thing"]);
  });

  it("are in the order of numbers, not of letters", () => {
    mkdirSync(join(folder, "released", "thing"), { recursive: true });
    for (const version of [10, 9, 1]) {
      const text = JSON.stringify({ type: "record", name: "E", fields: [a] });
      writeFileSync(join(folder, "released", "thing", `${version}.avsc`), text);
    }
    expect(readReleased(folder, "thing").map(({ version }) => version)).toEqual([1, 9, 10]);
  });
});
