import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordBatch } from "../../streams/batch.ts";
import type { Log } from "../../streams/log.ts";
import { FollowRecorder, recordsOf } from "./follow-recorder.ts";
import { describeFollow, describeRestart, describeSlowFollower } from "./log-following.ts";
import {
  addTo,
  batchOf,
  type Entry,
  keysOf,
  type LogUnderTest,
  stream,
  table,
  Writer,
} from "./log-kit.ts";

/** What every `Log` must do, on any engine and however it is reached. */
export function describeLog(name: string, open: () => Promise<LogUnderTest>): void {
  describe(name, () => {
    let under: LogUnderTest;
    let log: Log;

    beforeEach(async () => {
      under = await open();
      log = under.log;
    });

    afterEach(async () => {
      await under.dispose();
    });

    describeAppend(() => log);
    describeRead(() => log);
    describeFollow(() => log);
    describeSlowFollower(() => under);
    describeRestart(() => under);
  });
}

function describeAppend(logOf: () => Log): void {
  it("appends records with the position of their source, once", async () => {
    const log = logOf();
    expect(await log.sourcePosition("feed")).toBeUndefined();
    const request = {
      source: "feed",
      previous: undefined,
      position: "p1",
      batch: batchOf(stream, 1, [["a", "1"]]),
    };
    expect(await log.append(request)).toEqual({ duplicate: false });
    expect(await log.append(request)).toEqual({ duplicate: true });
    expect(await log.sourcePosition("feed")).toBe("p1");
    const next = { ...request, previous: "p1", position: "p2" };
    expect(await log.append(next)).toEqual({ duplicate: false });
    expect(
      (await log.read(stream, 1, 0, 10_000)).flatMap((chunk) => recordsOf(chunk)),
    ).toMatchObject([
      { offset: 0, key: "a", value: "1" },
      { offset: 1, key: "a", value: "1" },
    ]);
  });

  it("refuses records that do not begin at the source's position", async () => {
    const log = logOf();
    const batch = batchOf(stream, 0, [["a", "1"]]);
    await log.append({ source: "feed", previous: undefined, position: "p1", batch });
    const conflict = { source: "feed", previous: "p0", position: "p2", batch };
    await expect(log.append(conflict)).rejects.toMatchObject({ code: "OCDN_SOURCE_POSITION" });
    const begin = { source: "feed", previous: undefined, position: "p2", batch };
    await expect(log.append(begin)).rejects.toMatchObject({ code: "OCDN_SOURCE_POSITION" });
    expect(await log.sourcePosition("feed")).toBe("p1");
    expect((await log.status()).filter((row) => row.topic === stream)).toMatchObject([
      { slot: 0, startOffset: 0, endOffset: 1 },
    ]);
  });

  it("takes appends that are sent without waiting, in their order", async () => {
    const log = logOf();
    const results = [];
    for (let i = 0; i < 20; i++) {
      const previous = i === 0 ? undefined : String(i - 1);
      const batch = batchOf(stream, i % 2, [[`k${i}`, "v"]]);
      results.push(log.append({ source: "feed", previous, position: String(i), batch }));
    }
    expect(await Promise.all(results)).toEqual(results.map(() => ({ duplicate: false })));
    const [chunk] = await log.read(stream, 0, 0, 1_000_000);
    expect(chunk?.baseOffset).toBe(0);
    const recorder = new FollowRecorder(log, [stream], "earliest");
    await recorder.until(({ caughtUp }) => caughtUp > 0);
    recorder.follower.close();
    const even = Array.from({ length: 10 }, (_, i) => `k${2 * i}`);
    expect(keysOf(recorder.records, stream, 0)).toEqual(even);
  });

  it("moves a position without records", async () => {
    const log = logOf();
    const batch = new RecordBatch();
    await log.append({ source: "sink/a", previous: undefined, position: "7", batch });
    expect(await log.sourcePosition("sink/a")).toBe("7");
    expect(await log.status()).toEqual([]);
  });

  it("refuses unknown topics, slots and what is too large, and goes on", async () => {
    const log = logOf();
    const append = (batch: RecordBatch, source: string = "feed"): Promise<unknown> =>
      log.append({ source, previous: undefined, position: "p", batch });
    await expect(append(batchOf("node.helth.v1", 0, [["a", "1"]]))).rejects.toMatchObject({
      code: "OCDN_UNKNOWN_TOPIC",
      message: expect.stringContaining("node.health.v1"),
    });
    await expect(append(batchOf(stream, log.slots, [["a", "1"]]))).rejects.toMatchObject({
      code: "OCDN_BAD_INPUT",
    });
    await expect(append(new RecordBatch(), "s".repeat(257))).rejects.toMatchObject({
      code: "OCDN_LIMIT",
    });
    const large = new RecordBatch();
    for (let i = 0; i < 60; i++) addTo(large, stream, 0, [["k", "v".repeat(200_000)]]);
    await expect(append(large)).rejects.toMatchObject({ code: "OCDN_LIMIT" });
    await expect(append(batchOf(stream, 0, [["a", "1"]]))).resolves.toEqual({ duplicate: false });
  });
}

function describeRead(logOf: () => Log): void {
  it("reads from any offset, in bounded pieces, to the end", async () => {
    const log = logOf();
    const writer = new Writer(log, "feed");
    const keys: string[] = [];
    for (let i = 0; i < 10; i++) {
      const entries = [0, 1, 2].map((j): Entry => [`k${3 * i + j}`, "v".repeat(500)]);
      keys.push(...entries.map(([key]) => key));
      await writer.append(stream, 1, entries);
    }
    for (const from of [0, 1, 14, 29]) {
      const got: string[] = [];
      let next = from;
      for (;;) {
        const chunks = await log.read(stream, 1, next, 2_000);
        if (chunks.length === 0) break;
        for (const chunk of chunks) {
          expect(chunk.baseOffset).toBe(next);
          got.push(...recordsOf(chunk).map(({ key }) => key));
          next = chunk.baseOffset + chunk.count;
        }
      }
      expect(got).toEqual(keys.slice(from));
    }
    expect(await log.read(stream, 1, 30, 2_000)).toEqual([]);
    expect(await log.read(stream, 0, 0, 2_000)).toEqual([]);
    await expect(log.read("nothing.v1", 0, 0, 1)).rejects.toMatchObject({
      code: "OCDN_UNKNOWN_TOPIC",
    });
    await expect(log.read(stream, -1, 0, 1)).rejects.toMatchObject({ code: "OCDN_BAD_INPUT" });
    await expect(log.read(stream, 0, 0.5, 1)).rejects.toMatchObject({ code: "OCDN_BAD_INPUT" });
  });

  it("tells where its topics begin and end", async () => {
    const log = logOf();
    const writer = new Writer(log, "feed");
    await writer.append(stream, 1, [
      ["a", "1"],
      ["b", "2"],
    ]);
    await writer.append(table, 0, [["n", "1"]]);
    const rows = (await log.status()).sort((a, b) => a.topic.localeCompare(b.topic));
    expect(rows).toMatchObject([
      { topic: stream, slot: 1, startOffset: 0, endOffset: 2 },
      { topic: table, slot: 0, startOffset: 0, endOffset: 1 },
    ]);
    for (const row of rows) expect(row.sizeBytes).toBeGreaterThan(0);
  });
}
