import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordBatch } from "../batch.ts";
import type { AppendResult, Log } from "../log.ts";
import { latestWords, words } from "../testing/served-log.ts";
import { type OpenLogOptions, openDirectLog, openLog } from "./direct-log.ts";

let folder: string;
const logs: Log[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "ocdn-direct-"));
});

afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  rmSync(folder, { recursive: true });
});

async function open(options: Partial<OpenLogOptions> = {}): Promise<Log> {
  const log = await openLog({
    folder,
    name: "test",
    slots: 2,
    sync: false,
    nowMs: Date.now,
    topics: [words, latestWords],
    timeoutMs: 1_000,
    ...options,
  });
  logs.push(log);
  return log;
}

function append(log: Log, source: string): Promise<AppendResult> {
  const batch = new RecordBatch();
  const key = Buffer.from(source);
  batch.add(words.name, 0, key, 0, key.length, key, 0, key.length);
  return log.append({ source, previous: undefined, position: "1", batch });
}

describe("openLog", () => {
  it("opens a folder that nobody owns, with the schemas of its topics", async () => {
    const log = await open({ historical: true, logId: "mine" });
    expect(log).toMatchObject({ logId: "mine", slots: 2, historical: true });
    expect(log.schemas.idOf(words.schema)).toBe(1);
    expect(await append(log, "a")).toEqual({ duplicate: false });
    await log.close();
    await expect(append(log, "b")).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    await expect(log.read(words.name, 0, 0, 1)).rejects.toMatchObject({
      code: "OCDN_DISCONNECTED",
    });
    const again = await open();
    expect(again.logId).toBe("mine");
    expect(await again.sourcePosition("a")).toBe("1");
  });

  it("goes through whoever has opened it before", async () => {
    const first = await open();
    const second = await open();
    expect(second.logId).toBe(first.logId);
    await append(second, "a");
    expect(await first.sourcePosition("a")).toBe("1");
    expect(await append(first, "a")).toEqual({ duplicate: true });
    await first.close();
    await expect(append(second, "b")).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
  });

  it("says who owns a folder that cannot be reached", async () => {
    const silent = await openDirectLog({ folder, slots: 2, sync: false, nowMs: Date.now });
    logs.push(silent);
    await expect(open({ timeoutMs: 60 })).rejects.toMatchObject({
      code: "OCDN_FOLDER_OWNED",
      message: expect.stringContaining(String(process.pid)),
    });
  });

  it("waits for an owner that is about to go", async () => {
    const first = await openDirectLog({ folder, slots: 2, sync: false, nowMs: Date.now });
    const opening = open();
    await new Promise((resolve) => setTimeout(resolve, 30));
    await first.close();
    const log = await opening;
    expect(await append(log, "a")).toEqual({ duplicate: false });
  });
});

describe("a direct follower", () => {
  it("is given nothing before the caller has it, and nothing after it is closed", async () => {
    const log = await open();
    await append(log, "a");
    const keys: number[] = [];
    const follower = log.follow({
      topics: [words.name],
      from: "earliest",
      onChunk: ({ count }) => {
        keys.push(count);
        follower.close();
      },
    });
    expect(keys).toEqual([]);
    expect(follower.positions()).toHaveLength(2);
    while (keys.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await append(log, "b");
    expect(keys).toEqual([1]);
  });
});
