import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { identityOf } from "../../streams/process-identity.ts";
import { type RunRecord, readRun, removeRun, writeRun } from "./run-file.ts";

let folder: string;
let record: RunRecord;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "ocdn-run-"));
  const identity = identityOf(process.pid);
  if (identity === undefined) throw new Error("this process has no identity");
  record = { ...identity, server: "kafka", version: "1.2", port: 9, logFile: "/x" };
});

afterEach(() => rm(folder, { recursive: true }));

it("keeps what was started, and tells whether it still runs", async () => {
  expect(await readRun(folder, "kafka")).toBeUndefined();
  await writeRun(folder, record);
  expect(await readRun(folder, "kafka")).toEqual({ record, alive: true });
  const other = { ...record, startTicks: record.startTicks + 1 };
  await writeRun(folder, other);
  expect(await readRun(folder, "kafka")).toEqual({ record: other, alive: false });
  await removeRun(folder, "kafka");
  expect(await readRun(folder, "kafka")).toBeUndefined();
});

it.each(["", "{", "null", '{"pid":1}', '{"server":"kafka","pid":-1}'])(
  "takes a damaged pid file for none: %j",
  async (text) => {
    await writeFile(path.join(folder, "kafka.json"), text);
    expect(await readRun(folder, "kafka")).toBeUndefined();
  },
);

it("never takes one server's pid file for another's", async () => {
  await writeFile(path.join(folder, "redis.json"), JSON.stringify(record));
  expect(await readRun(folder, "redis")).toBeUndefined();
});
