import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordBatch } from "../../streams/batch.ts";
import type { Log, Position } from "../../streams/log.ts";
import { nodeHealth, nodeOverlay } from "../../streams/topics.ts";
import { type Delivered, FollowRecorder, recordsOf } from "./follow-recorder.ts";

/** A fresh, empty log of two slots or more with the topics of streams/topics.ts, and what a test may do to it. */
export interface LogUnderTest {
  readonly log: Log;
  /** Takes the engine away and brings it back with the same log; missing where that ends `log` too. */
  readonly restart?: () => Promise<void>;
  /** Removes what retention may remove at once: everything but about the newest `keepBytes`. */
  readonly forget: () => Promise<void>;
  readonly dispose: () => Promise<void>;
}

const stream = nodeHealth.name;
const table = nodeOverlay.name;

type Entry = readonly [key: string, value: string | undefined];

function batchOf(topic: string, slot: number, entries: readonly Entry[]): RecordBatch {
  const batch = new RecordBatch();
  addTo(batch, topic, slot, entries);
  return batch;
}

function addTo(batch: RecordBatch, topic: string, slot: number, entries: readonly Entry[]): void {
  for (const [key, value] of entries) {
    const keyBytes = Buffer.from(key);
    const valueBytes = value === undefined ? undefined : Buffer.from(value);
    const end = valueBytes?.length ?? 0;
    batch.add(topic, slot, keyBytes, 0, keyBytes.length, valueBytes, 0, end);
  }
}

/** Appends to one log, one source after the other position. */
class Writer {
  readonly #log: Log;
  readonly #source: string;
  #count = 0;

  constructor(log: Log, source: string) {
    this.#log = log;
    this.#source = source;
  }

  async append(topic: string, slot: number, entries: readonly Entry[]): Promise<void> {
    const previous = this.#count === 0 ? undefined : String(this.#count);
    this.#count += 1;
    const position = String(this.#count);
    const batch = batchOf(topic, slot, entries);
    await this.#log.append({ source: this.#source, previous, position, batch });
  }
}

function keysOf(records: readonly Delivered[], topic: string, slot: number): string[] {
  return records.filter((at) => at.topic === topic && at.slot === slot).map(({ key }) => key);
}

/** Values as a table has them after these records. */
function tableOf(records: readonly Delivered[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const { key, value } of records) {
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }
  return values;
}

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

function describeFollow(logOf: () => Log): void {
  it("follows from the oldest record, from the end and from positions", async () => {
    const log = logOf();
    const writer = new Writer(log, "feed");
    await writer.append(stream, 0, [
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
    ]);
    await writer.append(stream, 1, [["d", "4"]]);
    const positions: Position[] = [{ topic: stream, slot: 0, offset: 1 }];
    const earliest = new FollowRecorder(log, [stream], "earliest");
    const latest = new FollowRecorder(log, [stream], "latest");
    const resumed = new FollowRecorder(log, [stream], positions);
    for (const recorder of [earliest, latest, resumed]) {
      await recorder.until(({ caughtUp }) => caughtUp === 1);
    }
    await writer.append(stream, 0, [["e", "5"]]);
    for (const recorder of [earliest, latest, resumed]) {
      await recorder.until(({ records }) => records.at(-1)?.key === "e");
      expect(recorder.dropped).toBe(0);
    }
    expect(keysOf(earliest.records, stream, 0)).toEqual(["a", "b", "c", "e"]);
    expect(keysOf(earliest.records, stream, 1)).toEqual(["d"]);
    expect(latest.records).toMatchObject([{ key: "e", offset: 3, value: "5" }]);
    expect(keysOf(resumed.records, stream, 0)).toEqual(["b", "c", "e"]);
    expect(keysOf(resumed.records, stream, 1)).toEqual(["d"]);
    const place = (slot: number): Position | undefined =>
      earliest.follower.positions().find((at) => at.slot === slot);
    expect([place(0)?.offset, place(1)?.offset]).toEqual([4, 1]);
  });

  it("gives nothing more after it is closed", async () => {
    const log = logOf();
    const writer = new Writer(log, "feed");
    const closed = new FollowRecorder(log, [stream], "latest");
    const witness = new FollowRecorder(log, [stream], "latest");
    for (const { until } of [closed, witness]) expect(until).toBeTypeOf("function");
    await closed.until(({ caughtUp }) => caughtUp === 1);
    await witness.until(({ caughtUp }) => caughtUp === 1);
    closed.follower.close();
    await writer.append(stream, 0, [["a", "1"]]);
    await witness.until(({ records }) => records.length === 1);
    expect(closed.records).toEqual([]);
    expect(() =>
      log.follow({ topics: ["nothing.v1"], from: "latest", onChunk: () => undefined }),
    ).toThrow(/nothing\.v1/);
  });

  it("gives a table's latest values, then what changes", async () => {
    const log = logOf();
    const writer = new Writer(log, "feed");
    await writer.append(table, 0, [
      ["a", "1"],
      ["b", "1"],
      ["c", "1"],
    ]);
    await writer.append(table, 0, [
      ["a", "2"],
      ["b", undefined],
    ]);
    await writer.append(table, 1, [["d", "1"]]);
    await writer.append(stream, 0, [["old", "1"]]);
    const recorder = new FollowRecorder(log, [table, stream], "snapshot");
    await recorder.until(({ caughtUp }) => caughtUp === 1);
    expect(recorder.records.every(({ offset }) => offset === -1)).toBe(true);
    const state = new Map([
      ["a", "2"],
      ["c", "1"],
      ["d", "1"],
    ]);
    expect(tableOf(recorder.records)).toEqual(state);
    for (const slot of [0, 1]) {
      const begins = recorder.events.indexOf(`begins ${table}/${slot}`);
      expect(recorder.events.indexOf(`complete ${table}/${slot}`)).toBeGreaterThan(begins);
      expect(begins).toBeGreaterThanOrEqual(0);
    }
    await writer.append(table, 0, [
      ["c", undefined],
      ["e", "1"],
    ]);
    await writer.append(stream, 0, [["new", "1"]]);
    await recorder.until(({ records }) => records.at(-1)?.key === "new");
    const tail = recorder.records.filter(({ offset }) => offset >= 0);
    expect(tail).toMatchObject([
      { topic: table, key: "c", offset: 5, value: undefined },
      { topic: table, key: "e", offset: 6 },
      { topic: stream, key: "new", offset: 1 },
    ]);
  });

  it("gives every table entry once while others write", async () => {
    const log = logOf();
    const writer = new Writer(log, "feed");
    const value = (i: number): string => String(i).padEnd(200, ".");
    for (let i = 0; i < 20; i++) {
      await writer.append(
        table,
        i % 2,
        Array.from({ length: 50 }, (_, j): Entry => [`${i}-${j}`, value(0)]),
      );
    }
    const recorder = new FollowRecorder(log, [table], "snapshot");
    let writing = true;
    const write = async (): Promise<void> => {
      for (let i = 1; writing || i < 40; i++) {
        await writer.append(table, i % 2, [[`${i % 20}-${i % 50}`, value(i)]]);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const written = write();
    await recorder.until(({ caughtUp }) => caughtUp === 1);
    writing = false;
    await written;
    await untilAtEnd(recorder, log);
    const all = new FollowRecorder(log, [table], "earliest");
    await all.until(({ caughtUp }) => caughtUp === 1);
    expect(tableOf(recorder.records)).toEqual(tableOf(all.records));
    for (const slot of [0, 1]) {
      const tail = recorder.records.filter((at) => at.slot === slot && at.offset >= 0);
      const first = tail[0]?.offset ?? 0;
      expect(tail.map(({ offset }) => offset)).toEqual(tail.map((_, i) => first + i));
    }
  });
}

function describeSlowFollower(underOf: () => LogUnderTest): void {
  it("drops what retention took from a slow follower, counts it and re-synchronises", async () => {
    const { log, forget } = underOf();
    const writer = new Writer(log, "feed");
    await writer.append(table, 0, [
      ["gone", "1"],
      ["kept", "1"],
    ]);
    const slow = new FollowRecorder(log, [stream, table], "earliest", { closed: true });
    await slow.until(({ records }) => records.length > 0);
    const value = "v".repeat(250_000);
    const batches = 90;
    for (let i = 0; i < batches; i++) {
      await writer.append(stream, 0, [
        [`k${2 * i}`, value],
        [`k${2 * i + 1}`, "short"],
      ]);
    }
    for (let i = 0; i < batches; i++) await writer.append(table, 0, [["big", `${i}${value}`]]);
    await writer.append(table, 0, [
      ["gone", undefined],
      ["last", "1"],
    ]);
    await forget();
    await writer.append(stream, 0, [["end", "1"]]);
    slow.release();
    await slow.until(({ records }) => records.some(({ key }) => key === "end"));
    await untilAtEnd(slow, log);
    const offsets = slow.records
      .filter(({ topic }) => topic === stream)
      .map(({ offset }) => offset);
    expect(slow.dropped).toBeGreaterThan(0);
    expect([...offsets].sort((a, b) => a - b)).toEqual(offsets);
    expect(offsets.at(-1)).toBe(2 * batches);
    expect(slow.events).toContain(`complete ${table}/0`);
    const begins = slow.records.findIndex(({ offset }) => offset === -1);
    const fresh = slow.records.slice(begins).filter(({ topic }) => topic === table);
    expect([...tableOf(fresh).keys()].sort()).toEqual(["big", "kept", "last"]);
    // Whatever was neither given nor counted would be lost silently.
    const givenTail = slow.records.filter(({ offset }) => offset >= 0).length;
    const ends = (await log.status()).reduce((sum, row) => sum + row.endOffset, 0);
    expect(givenTail + slow.dropped).toBe(ends);
  });

  it("does not slow others down because one follower stands still", async () => {
    const { log } = underOf();
    const writer = new Writer(log, "feed");
    const still = new FollowRecorder(log, [stream], "latest", { closed: true });
    const quick = new FollowRecorder(log, [stream], "latest");
    for (const recorder of [still, quick]) await recorder.until(({ caughtUp }) => caughtUp === 1);
    const value = "v".repeat(250_000);
    for (let i = 0; i < 100; i++) await writer.append(stream, i % 2, [[`k${i}`, value]]);
    await quick.until(({ records }) => records.length === 100);
    expect(still.records.length).toBeLessThan(100);
    still.release();
    await still.until(({ records }) => records.length === 100);
    expect(still.dropped).toBe(0);
    for (const slot of [0, 1]) {
      expect(keysOf(still.records, stream, slot)).toEqual(keysOf(quick.records, stream, slot));
    }
  });
}

function describeRestart(underOf: () => LogUnderTest): void {
  it("goes on at its offsets when the engine comes back", async (context) => {
    const { log, restart } = underOf();
    if (restart === undefined) {
      context.skip("skipped: a direct log ends with its process");
      return;
    }
    const writer = new Writer(log, "feed");
    await writer.append(stream, 0, [["a", "1"]]);
    await writer.append(table, 0, [["n", "1"]]);
    const recorders = [
      new FollowRecorder(log, [stream], "earliest"),
      new FollowRecorder(log, [stream], "latest"),
      new FollowRecorder(log, [table], "snapshot"),
    ];
    for (const recorder of recorders) await recorder.until(({ caughtUp }) => caughtUp === 1);
    await restart();
    await untilConnected(log);
    await writer.append(stream, 0, [["b", "2"]]);
    await writer.append(table, 0, [["m", "2"]]);
    for (const recorder of recorders) {
      await recorder.until(({ caughtUp }) => caughtUp === 2);
      await recorder.until(({ records }) => /[bm]/.test(records.at(-1)?.key ?? ""));
      expect(recorder.events.filter((event) => event === "up" || event === "down")).toEqual([
        "up",
        "down",
        "up",
      ]);
      expect(recorder.dropped).toBe(0);
    }
    expect(recorders.map(({ records }) => records.map(({ key }) => key))).toEqual([
      ["a", "b"],
      ["b"],
      ["n", "m"],
    ]);
  });
}

/** Resolves when everything that is in the log now was given or counted as dropped. */
async function untilAtEnd(recorder: FollowRecorder, log: Log): Promise<void> {
  const topics = new Set(recorder.follower.positions().map(({ topic }) => topic));
  const rows = (await log.status()).filter(({ topic }) => topics.has(topic));
  const end = rows.reduce((sum, { endOffset }) => sum + endOffset, 0);
  await recorder.until(
    ({ follower }) => follower.positions().reduce((sum, { offset }) => sum + offset, 0) >= end,
  );
}

/** Calls fail while the engine is away; this waits until one does not. */
async function untilConnected(log: Log): Promise<void> {
  for (;;) {
    try {
      await log.status();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
