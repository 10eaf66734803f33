import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { identityOf } from "../../streams/process-identity.ts";
import { withLock } from "./stack-lock.ts";

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "ocdn-lock-"));
  file = path.join(folder, "lock.json");
});

afterEach(() => rm(folder, { recursive: true }));

it("lets one in at a time, and the next when it is done or failed", async () => {
  const second = withLock(file, () => withLock(file, async () => "in"));
  await expect(second).rejects.toMatchObject({ code: "OCDN_FOLDER_OWNED" });
  await expect(withLock(file, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withLock(file, async () => "in")).toBe("in");
  expect(await readdir(folder)).toEqual([]);
});

it.each([
  ["a dead process", () => JSON.stringify({ ...identityOf(process.pid), startTicks: 1 })],
  ["nobody", () => ""],
])("takes the lock of %s away", async (_, text) => {
  await writeFile(file, text());
  expect(await withLock(file, async () => "in")).toBe("in");
  expect(await readdir(folder)).toEqual([]);
});
