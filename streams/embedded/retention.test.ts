import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EmbeddedLog } from "./embedded-log.ts";
import {
  crashImage,
  draft,
  feed,
  newFolder,
  openLog,
  readAll,
  removeFolders,
  section,
  segmentPaths,
  storeChanges,
  storeEntries,
  tableEntries,
} from "./testing/log-fixture.ts";

const minuteMs = 60_000;
const value = "v".repeat(500);
let folder: string;
let log: EmbeddedLog;
let now: number;
const options = { segmentBytes: 4_096, retentionMs: 10 * minuteMs, nowMs: () => now };
beforeEach(async () => {
  folder = newFolder();
  now = 0;
  log = await openLog(folder, options);
});
afterEach(() => log.close());
afterAll(removeFolders);

/** One group a minute: a stream's record, a table's value and a store entry. */
async function write(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) {
    now = n * minuteMs;
    const { appends } = feed(n, n + 1, section("in.v1", n % 2, [[`k${n}`, value]]));
    const drafts = [
      draft({
        commit: n + 1,
        outputs: [section("table.a.v1", 0, [[`t${n}`, "x"]])],
        stores: [storeChanges("s", [[`e${n}`, "y"]])],
      }),
    ];
    await log.commit({ drafts, appends });
  }
}

const names = (): string[] => segmentPaths(folder).map((file) => path.basename(file));
const streamKeys = (): string[] =>
  [0, 1].flatMap((slot) => readAll(log, "in.v1", slot, 0).map(([key]) => key));

describe("retention", () => {
  it("unlinks whole segments that are older, and only those", async () => {
    await write(0, 40);
    const before = new Map(segmentPaths(folder).map((file) => [file, fs.statSync(file).size]));
    const freed = await log.retain(now);
    const left = new Set(segmentPaths(folder));
    const gone = [...before].filter(([file]) => !left.has(file));
    expect(gone.length).toBeGreaterThan(2);
    expect(freed).toBe(gone.reduce((sum, [, size]) => sum + size, 0));
    const kept = streamKeys();
    for (let n = 30; n < 40; n++) expect(kept).toContain(`k${n}`);
    expect(kept).not.toContain("k0");
    expect(kept.length).toBeLessThan(25);
    for (const { topic, slot, startOffset, endOffset, sizeBytes } of log.topics()) {
      const records = readAll(log, topic, slot);
      expect(records).toHaveLength(endOffset - startOffset);
      const size = records.reduce(
        (sum, [key, text]) => sum + 6 + key.length + (text ?? "").length,
        0,
      );
      expect(sizeBytes).toBe(size);
    }
    expect(await log.retain(now)).toBe(0);
  });

  it("keeps tables, stores, positions and states whose segments went", async () => {
    await write(0, 40);
    await log.retain(now);
    const table = Array.from({ length: 40 }, (_, n) => [`t${n}`, "x"]).sort();
    const check = (): void => {
      expect(tableEntries(log, "table.a.v1", 0)).toEqual(table);
      expect(storeEntries(log, "rib", 0, "s")).toHaveLength(40);
      expect(log.sourcePosition("feed")).toBe("40");
      expect(log.taskState("rib", 0)?.commit).toBe(40);
      expect(log.startOffset("table.a.v1", 0)).toBeGreaterThan(20);
    };
    check();
    const starts = log.topics();
    await log.close();
    log = await openLog(folder, options);
    check();
    expect(log.topics()).toEqual(starts);
  });

  it("never takes the segment that is written to, however old", async () => {
    await write(0, 2);
    now = 1e9;
    expect(await log.retain(now)).toBe(0);
    expect(names()).toHaveLength(1);
    await log.close();
    log = await openLog(folder, options);
    expect(await log.retain(now)).toBeGreaterThan(0);
    expect(names()).toEqual([]);
    await write(2, 3);
    expect(readAll(log, "in.v1", 0)).toEqual([["k2", value]]);
    expect(log.startOffset("in.v1", 0)).toBe(1);
    expect(log.startOffset("in.v1", 1)).toBe(1);
    expect(log.endOffset("in.v1", 1)).toBe(1);
  });

  it("that was killed before the files went is finished by the next start", async () => {
    await write(0, 40);
    const files = segmentPaths(folder).map((file) => [file, fs.readFileSync(file)] as const);
    await log.retain(now);
    const left = names();
    for (const [file, bytes] of files) {
      if (!fs.existsSync(file)) fs.writeFileSync(file, bytes);
    }
    const image = crashImage(folder);
    const next = await openLog(image, options);
    expect(segmentPaths(image).map((file) => path.basename(file))).toEqual(left);
    expect(readAll(next, "in.v1", 0)).toEqual(readAll(log, "in.v1", 0));
    await next.close();
  });

  it("starts a reader below the oldest offset at the oldest", async () => {
    await write(0, 40);
    await log.retain(now);
    const start = log.startOffset("in.v1", 0);
    expect(start).toBeGreaterThan(0);
    expect(log.read("in.v1", 0, 0, 1)[0]?.baseOffset).toBe(start);
  });
});
