import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { removeUnfinished } from "./unfinished-files.ts";

it("removes what dead processes left beside the file, and nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "ocdn-part-"));
  try {
    const dead = spawnSync(process.execPath, ["--version"]).pid;
    const kept = ["a", "a.1x.part", `a.${process.pid}.part`, "a.part", `b.${dead}.part`].sort();
    for (const name of [...kept, `a.${dead}.part`]) writeFileSync(join(folder, name), "");
    removeUnfinished(join(folder, "a"));
    expect(readdirSync(folder).sort()).toEqual(kept);
    removeUnfinished(join(folder, "none", "a"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
