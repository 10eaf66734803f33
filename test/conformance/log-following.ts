import { expect, it } from "vitest";
import type { Log, Position } from "../../streams/log.ts";
import { FollowRecorder } from "./follow-recorder.ts";
import {
  type Entry,
  keysOf,
  type LogUnderTest,
  stream,
  table,
  tableOf,
  Writer,
} from "./log-kit.ts";

export function describeFollow(logOf: () => Log): void {
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

export function describeSlowFollower(underOf: () => LogUnderTest): void {
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

export function describeRestart(underOf: () => LogUnderTest): void {
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
