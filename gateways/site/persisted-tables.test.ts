import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SchemaTable } from "../../schemas/schema-table.ts";
import { nodeOverlay } from "../../streams/topics.ts";
import {
  loadPersistedTables,
  type PersistedTables,
  savePersistedTables,
} from "./persisted-tables.ts";
import { TableSaver } from "./table-saver.ts";

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "opencdn-tables-"));
  file = join(folder, "tables.bin");
});
afterEach(() => rm(folder, { recursive: true }));

function tablesOf(
  content: Record<string, readonly (readonly [string, Uint8Array, number])[]>,
): PersistedTables {
  const schemas = new SchemaTable();
  schemas.register(nodeOverlay.schema);
  const tables = new Map(
    Object.entries(content).map(([topic, entries]) => [
      topic,
      entries.map(([key, value, offset]) => ({ key, value, offset })),
    ]),
  );
  return { savedMs: 1_750_000_000_123, logId: "log-1", schemas, tables };
}

const some = tablesOf({
  "node.overlay.v1": [
    ["TYO", Uint8Array.of(1, 2, 3), 7],
    ["SAO", new Uint8Array(0), 2 ** 40],
  ],
  "route.decisions.v1": [],
});

async function codeOf(): Promise<string> {
  const loaded = await loadPersistedTables(file);
  return "kind" in loaded ? loaded.code : "loaded";
}

describe("persisted tables", () => {
  it("come back as they were saved", async () => {
    const entry = fc.tuple(fc.string({ unit: "grapheme" }), fc.uint8Array(), fc.maxSafeNat());
    const content = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 20 }),
      fc.array(entry, { maxLength: 5 }),
      { maxKeys: 4 },
    );
    await fc.assert(
      fc.asyncProperty(content, async (topicsOf) => {
        const tables = tablesOf(topicsOf);
        await savePersistedTables(file, tables);
        const loaded = await loadPersistedTables(file);
        if ("kind" in loaded) throw new Error(loaded.message);
        const plain = (map: PersistedTables["tables"]) =>
          [...map].map(([topic, list]) => [
            topic,
            list.map(({ key, value, offset }) => [key, [...value], offset]),
          ]);
        expect(plain(loaded.tables)).toEqual(plain(tables.tables));
        expect(loaded.savedMs).toBe(tables.savedMs);
        expect(loaded.logId).toBe("log-1");
        expect(loaded.schemas.idOf(nodeOverlay.schema)).toBe(1);
      }),
      { numRuns: 25 },
    );
  });

  it("are empty with a failure when the file is absent, newer or damaged anywhere", async () => {
    expect(await codeOf()).toBe("ABSENT");
    await savePersistedTables(file, some);
    const bytes = await readFile(file);
    expect(await codeOf()).toBe("loaded");
    const newer = Buffer.from(bytes);
    newer[8] = 9;
    await writeFile(file, newer);
    expect(await codeOf()).toBe("NEWER");
    for (let at = 0; at < bytes.length; at += 13) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(file, at % 2 === 0 ? damaged : bytes.subarray(0, at));
      expect(["CORRUPT", "NEWER"]).toContain(await codeOf());
    }
  });

  it("name the file and the cause, and leave no temporary file, when they cannot be saved", async () => {
    const nowhere = join(folder, "absent", "tables.bin");
    await expect(savePersistedTables(nowhere, some)).rejects.toMatchObject({
      code: "OCDN_STORAGE",
      message: expect.stringContaining(nowhere),
    });
    const long = tablesOf({ t: [["k".repeat(70_000), new Uint8Array(1), 0]] });
    await expect(savePersistedTables(file, long)).rejects.toMatchObject({ code: "OCDN_LIMIT" });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("TableSaver", () => {
  it("saves after changes only, and the state of the last of them", async () => {
    let savedMs = 0;
    const saver = new TableSaver({
      file,
      intervalMs: 3_600_000,
      collect: () => ({ ...some, savedMs: ++savedMs }),
    });
    await saver.flush();
    expect(savedMs).toBe(0);
    saver.changed();
    saver.changed();
    await Promise.all([saver.flush(), saver.flush()]);
    expect(savedMs).toBe(1);
    expect(await codeOf()).toBe("loaded");
  });

  it("saves by itself: a first change at once, the next ones after the interval", async () => {
    let saves = 0;
    const collect = () => ({ ...some, savedMs: ++saves });
    const saver = new TableSaver({ file, intervalMs: 3_600_000, collect });
    saver.changed();
    await expect.poll(codeOf).toBe("loaded");
    saver.changed();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(saves).toBe(1);
    await saver.flush();
    expect(saves).toBe(2);
  });

  it("tells a failure and tries again", async () => {
    const failures: string[] = [];
    const target = join(folder, "later", "tables.bin");
    const saver = new TableSaver({
      file: target,
      intervalMs: 3_600_000,
      collect: () => some,
      onFailure: ({ code }) => failures.push(code),
    });
    saver.changed();
    await saver.flush();
    await saver.flush();
    expect(failures).toEqual(["OCDN_STORAGE", "OCDN_STORAGE"]);
  });
});
