import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSchemaTable } from "./registry.ts";
import { loadIds, parseIds, printIds, saveIds } from "./schema-id-file.ts";
import { currentSchemas, firstWithoutId, type SchemaId, tableOf } from "./schema-ids.ts";

const url = "http://127.0.0.1:9";
const ids: readonly SchemaId[] = currentSchemas().map(({ subject, schema }, index) => ({
  subject,
  version: 1,
  id: 100 + index,
  schema,
}));
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "ocdn-ids-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a file of schema ids", () => {
  it("reads back as the same table", () => {
    const read = parseIds(printIds(url, ids), url);
    expect(read.kind).toBe("ids");
    if (read.kind !== "ids") return;
    expect(firstWithoutId(currentSchemas(), read.ids)).toBeUndefined();
    expect(tableOf(read.ids).toJSON()).toEqual(tableOf(ids).toJSON());
  });

  it("is of one registry", () => {
    expect(parseIds(printIds(url, ids), "http://other")).toEqual({
      kind: "none",
      reason: `it is of the registry ${url}`,
    });
  });

  it("is of no use when any schema is not what its fingerprint says", () => {
    const text = printIds(url, ids);
    const broken = text.replace(/\\"name\\":\\"eventMs\\"/, '\\"name\\":\\"eventNs\\"');
    expect(broken).not.toBe(text);
    expect(parseIds(broken, url).kind).toBe("none");
  });

  it("gives the same ids or none after any character was changed", () => {
    const text = printIds(url, ids.slice(0, 2));
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom("0", "1", "{", '"', "é", " ", ""),
        (at, letter) => {
          const read = parseIds(text.slice(0, at) + letter + text.slice(at + 1), url);
          expect(read.kind === "ids" ? printIds(url, read.ids) : text).toBe(text);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("is written whole, and a missing one is a reason", async () => {
    const file = path.join(folder, "deep", "ids.json");
    expect((await loadIds(file, url)).kind).toBe("none");
    await saveIds(file, url, ids);
    await saveIds(file, url, ids);
    expect((await loadIds(file, url)).kind).toBe("ids");
    expect(await readdir(path.dirname(file))).toEqual(["ids.json"]);
  });
});

describe("openSchemaTable", () => {
  const config = { url, requestMs: 200, operationMs: 1_000 };
  const source = (file: string): Parameters<typeof openSchemaTable>[0] => ({
    config,
    environment: {},
    file,
    schemas: currentSchemas(),
  });

  it("needs no registry where the file has every schema", async () => {
    const file = path.join(folder, "all.json");
    await saveIds(file, url, ids);
    const table = await openSchemaTable(source(file));
    for (const { id, schema } of ids) expect(table.idOf(schema)).toBe(id);
  });

  it("asks the registry where the file lacks one, and says both when it is away", async () => {
    const file = path.join(folder, "some.json");
    await saveIds(file, url, ids.slice(1));
    const attempt = openSchemaTable(source(file));
    await expect(attempt).rejects.toThrow(/127\.0\.0\.1:9.*some\.json.*lacks schemas/);
    await writeFile(file, "{");
    await expect(openSchemaTable(source(file))).rejects.toThrow(/no JSON/);
  });
});

describe("tableOf", () => {
  it("refuses two schemas under one id", () => {
    const clash = ids.slice(0, 2).map((entry) => ({ ...entry, id: 7 }));
    expect(() => tableOf(clash)).toThrow(expect.objectContaining({ code: "OCDN_SCHEMA_REFUSED" }));
  });
});
