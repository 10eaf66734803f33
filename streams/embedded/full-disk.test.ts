import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  feed,
  newFolder,
  openLog,
  readAll,
  removeFolders,
  section,
  tableEntries,
} from "./testing/log-fixture.ts";

const mounts: string[] = [];
afterAll(() => {
  for (const folder of mounts) execFileSync("umount", ["--lazy", folder]);
  removeFolders();
});

/** Mounts a memory file system of so many bytes; undefined where that is not allowed. */
function smallDisk(sizeBytes: number): string | undefined {
  const folder = newFolder();
  fs.mkdirSync(folder);
  try {
    const options = ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "opencdn-test", folder];
    execFileSync("mount", options, { stdio: "ignore" });
  } catch {
    return undefined;
  }
  mounts.push(folder);
  return folder;
}

const value = "v".repeat(100);
const keys = 50;
/** Group `n` writes all keys of its slot. */
function group(n: number) {
  const records = Array.from({ length: keys }, (_, i) => [`key-${n}-${i}`, value] as const);
  return feed(n, n + 1, section("table.a.v1", n % 2, records));
}

describe("a full disk", () => {
  it("gives a clear error and no damage, and the log goes on when there is space", async (test) => {
    const mount = smallDisk(8 * 1_048_576);
    if (mount === undefined) test.skip("skipped: needs root to mount a small file system");
    const folder = path.join(mount as string, "log");
    const options = { sync: true, segmentBytes: 1_048_576 };
    const checkpoints = { logBytes: 200_000, stateBytes: 100_000, ageMs: 1e9, maxLag: 2 };
    let log = await openLog(folder, options, { checkpoints });
    let count = 0;
    const codes = new Set<string>();
    for (let failures = 0; failures < 5; ) {
      try {
        await log.commit(group(count));
        count += 1;
      } catch (error) {
        failures += 1;
        codes.add((error as { code: string }).code);
      }
    }
    expect([...codes]).toEqual(["OCDN_DISK_FULL"]);
    expect(count).toBeGreaterThan(100);
    const ofSlot = (slot: number) => keys * Math.ceil((count - slot) / 2);
    const check = (): void => {
      expect(log.sourcePosition("feed")).toBe(String(count));
      for (const slot of [0, 1]) {
        expect(readAll(log, "table.a.v1", slot, 0, 100_000)).toHaveLength(ofSlot(slot));
        expect(tableEntries(log, "table.a.v1", slot)).toHaveLength(ofSlot(slot));
      }
    };
    check();
    await log.close();
    await expect(openLog(folder, options)).rejects.toMatchObject({ code: "OCDN_DISK_FULL" });
    execFileSync("mount", ["-o", `remount,size=${32 * 1_048_576}`, mount as string]);
    log = await openLog(folder, options);
    check();
    await log.commit(group(count));
    count += 1;
    check();
    await log.close();
  }, 10_000);
});
