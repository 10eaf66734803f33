import fs from "node:fs";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EmbeddedLog } from "./embedded-log.ts";
import { FaultyDisk } from "./testing/faulty-disk.ts";
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

let folder: string;
let disk: FaultyDisk;
let log: EmbeddedLog;
beforeEach(async () => {
  folder = newFolder();
  disk = new FaultyDisk();
  log = await openLog(folder, { sync: true }, { disk });
});
afterEach(() => log.close());
afterAll(removeFolders);

const group = (n: number) => feed(n, n + 1, section("in.v1", 0, [["k", String(n)]]));
const records = (count: number) =>
  Array.from({ length: count }, (_, n): [string, string] => ["k", String(n)]);

/** What is there is exactly the first `count` groups, now and after a kill, and the log goes on. */
async function checkWorks(count: number): Promise<void> {
  expect(readAll(log, "in.v1", 0)).toEqual(records(count));
  expect(log.sourcePosition("feed")).toBe(count === 0 ? undefined : String(count));
  await log.commit(group(count));
  const killed = await openLog(crashImage(folder));
  expect(readAll(killed, "in.v1", 0)).toEqual(records(count + 1));
  await killed.close();
}

describe("a write that fails", () => {
  it.each([
    ["ENOSPC", "OCDN_DISK_FULL", "no space is left on the disk"],
    ["EDQUOT", "OCDN_DISK_FULL", "no space is left on the disk"],
    ["EIO", "OCDN_STORAGE", "injected EIO"],
  ])("with %s is %s, and leaves the log as it was", async (code, expected, text) => {
    await log.commit(group(0));
    const [file] = segmentPaths(folder) as [string];
    const before = fs.readFileSync(file);
    disk.failNext("write", code);
    await expect(log.commit(group(1))).rejects.toMatchObject({
      code: expected,
      message: `writing 0000000001-000001.seg: ${text}`,
    });
    expect(fs.readFileSync(file)).toEqual(before);
    expect(readAll(log, "in.v1", 0)).toEqual(records(1));
    await checkWorks(1);
  });

  it("does not concern the commits behind it", async () => {
    disk.failNext("write", "ENOSPC", 2);
    const [first, second, third] = await Promise.allSettled([
      log.commit(group(0)),
      log.commit(group(0)),
      log.commit(group(0)),
    ]);
    expect([first?.status, second?.status, third?.status]).toEqual([
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    await checkWorks(1);
  });

  it("may be the first of a segment, whose file then goes", async () => {
    disk.failNext("create", "ENOSPC");
    await expect(log.commit(group(0))).rejects.toMatchObject({ code: "OCDN_DISK_FULL" });
    disk.failNext("write", "ENOSPC");
    await expect(log.commit(group(0))).rejects.toMatchObject({ code: "OCDN_DISK_FULL" });
    disk.failNext("syncFolder", "EIO");
    await expect(log.commit(group(0))).rejects.toMatchObject({ code: "OCDN_STORAGE" });
    expect(segmentPaths(folder)).toEqual([]);
    await checkWorks(0);
  });
});

describe("a sync that fails", () => {
  it("takes the group back, and the log goes on in another file", async () => {
    await log.commit(group(0));
    disk.failNext("sync", "EIO");
    await expect(log.commit(group(1))).rejects.toMatchObject({ code: "OCDN_STORAGE" });
    await checkWorks(1);
    expect(segmentPaths(folder)).toHaveLength(2);
    await log.close();
    log = await openLog(folder);
    expect(readAll(log, "in.v1", 0)).toEqual(records(2));
  });

  it("that can't be taken back either stops all writing until the log is opened anew", async () => {
    await log.commit(group(0));
    disk.failNext("sync", "EIO");
    disk.failNext("truncate", "EIO");
    await expect(log.commit(group(1))).rejects.toMatchObject({ code: "OCDN_STORAGE" });
    await expect(log.commit(group(1))).rejects.toMatchObject({
      code: "OCDN_STORAGE",
      message: expect.stringContaining("open the log anew"),
    });
    expect(readAll(log, "in.v1", 0)).toEqual(records(1));
    await log.close();
    log = await openLog(folder, {}, { disk });
    // Nobody was told that the second group failed for good: its source asks for the position and sees.
    expect(["1", "2"]).toContain(log.sourcePosition("feed"));
    await checkWorks(Number(log.sourcePosition("feed")));
  });
});

describe("a checkpoint that fails", () => {
  const change = (n: number) => ({
    drafts: [
      draft({
        commit: n + 1,
        outputs: [section("table.a.v1", 0, [["t", String(n)]])],
        stores: [storeChanges("s", [["k", String(n)]])],
      }),
    ],
    appends: [],
  });

  it("loses nothing and stops no commit: the log still holds it all", async () => {
    const place = newFolder();
    // The tail holds the last group only, so the checkpoint that a store needs reads the others from disk.
    const one = await openLog(place, {}, { disk, tailCacheBytes: 1 });
    for (let n = 0; n < 3; n++) await one.commit(change(n));
    disk.failNext("read", "EIO", 2);
    expect(() => storeEntries(one, "rib", 0, "s")).toThrow("injected EIO");
    await one.commit(change(3));
    expect(() => storeEntries(one, "rib", 0, "s")).toThrow("injected EIO");
    const killed = await openLog(crashImage(place));
    for (const log of [one, killed]) {
      expect(storeEntries(log, "rib", 0, "s")).toEqual([["k", "3"]]);
      expect(tableEntries(log, "table.a.v1", 0)).toEqual([["t", "3"]]);
      await log.close();
    }
  });
});

describe("a checkpoint that fails in the background", () => {
  it("is told until one ends well", async () => {
    let now = 0;
    const checkpoints = { logBytes: 1e9, stateBytes: 1e9, ageMs: 10, maxLag: 1 };
    const options = { nowMs: () => now };
    const one = await openLog(newFolder(), options, { disk, checkpoints, tailCacheBytes: 1 });
    const table = (n: number) => feed(n, n + 1, section("table.a.v1", 0, [["t", String(n)]]));
    const turns = async (until: () => boolean): Promise<void> => {
      for (let i = 0; i < 10_000 && !until(); i++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    for (let n = 0; n < 2; n++) await one.commit(table(n));
    expect(one.checkpointError).toBeUndefined();
    now = 100;
    disk.failNext("read", "EIO");
    await one.commit(table(2));
    await turns(() => one.checkpointError !== undefined);
    expect(one.checkpointError).toMatchObject({ code: "OCDN_STORAGE" });
    now = 200;
    await one.commit(table(3));
    await turns(() => one.checkpointError === undefined);
    expect(one.checkpointError).toBeUndefined();
    await one.close();
  });
});

describe("a read that fails", () => {
  it("names the file and can be repeated", async () => {
    await log.commit(group(0));
    await log.close();
    log = await openLog(folder, {}, { disk });
    disk.failNext("read", "EIO");
    expect(() => readAll(log, "in.v1", 0)).toThrow("reading 0000000001-000001.seg: injected EIO");
    expect(readAll(log, "in.v1", 0)).toEqual(records(1));
  });
});
