import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileWatch } from "./file-watch.ts";

let folder = "";
let file = "";
let calls = 0;
let watch: FileWatch | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "opencdn-watch-"));
  file = join(folder, "watched");
  calls = 0;
});
afterEach(async () => {
  watch?.close();
  await rm(folder, { recursive: true });
});

async function start(pollMs = 3_600_000): Promise<FileWatch> {
  watch = await FileWatch.start({
    files: [file],
    pollMs,
    onChange: async () => {
      calls++;
    },
  });
  return watch;
}

describe("FileWatch", () => {
  it("sees a file that appears, changes, is replaced and goes, each once", async () => {
    const looks = await start();
    const other = join(folder, "other");
    await writeFile(other, "three");
    const changes = [
      () => writeFile(file, "one"),
      () => writeFile(file, "two, longer"),
      () => rename(other, file),
      () => rm(file),
    ];
    for (const [at, change] of changes.entries()) {
      await change();
      expect([await looks.look(), await looks.look(), await looks.look()]).toEqual([
        false,
        true,
        false,
      ]);
      expect(calls).toBe(at + 1);
    }
  });

  it("waits while a file still grows", async () => {
    const looks = await start();
    for (const text of ["a", "ab", "abc"]) {
      await writeFile(file, text);
      expect(await looks.look()).toBe(false);
    }
    expect(await looks.look()).toBe(true);
  });

  it("looks by itself until it is closed", async () => {
    const looks = await start(5);
    await writeFile(file, "one");
    await expect.poll(() => calls).toBe(1);
    looks.close();
    await writeFile(file, "two, longer");
    expect(await looks.look()).toBe(false);
    expect(await looks.look()).toBe(false);
  });
});
