import { describe, expect, it } from "vitest";
import { RecordBatch } from "../batch.ts";
import { type Chunk, RecordCursor } from "../chunk.ts";
import { MemoryOwner } from "../testing/memory-owner.ts";
import { Feed, type FeedOutput, type FeedRequest } from "./feed.ts";
import { catchUpQueueBytes, maxFollowerQueueBytes, maxTableLagRecords } from "./socket-limits.ts";
import { Turns } from "./turns.ts";

const stream = "node.health.v1";
const table = "node.overlay.v1";

/** Notes everything it is given; `waitingBytes` grows with it until `take()`. */
class Notes implements FeedOutput {
  readonly lines: string[] = [];
  waitingBytes = 0;
  mostWaiting = 0;
  counting = false;

  chunk(chunk: Chunk, snapshot: boolean): void {
    const cursor = new RecordCursor().open(chunk);
    while (cursor.next()) {
      const key = cursor.buffer.toString("latin1", cursor.keyStart, cursor.keyEnd);
      const value = cursor.valueStart < 0 ? "-" : `=${cursor.valueEnd - cursor.valueStart}`;
      this.lines.push(
        snapshot ? `${chunk.slot} ${key}${value}` : `${chunk.slot}@${cursor.offset} ${key}`,
      );
    }
    if (this.counting) this.waitingBytes += chunk.end - chunk.start;
    this.mostWaiting = Math.max(this.mostWaiting, this.waitingBytes);
  }

  snapshot(
    phase: string,
    { topic, slot, offset }: { topic: string; slot: number; offset: number },
  ): void {
    this.lines.push(`${phase} ${topic}/${slot}@${offset}`);
  }

  caughtUp(): void {
    this.lines.push("caught up");
  }

  dropped(count: number): void {
    this.lines.push(`dropped ${count}`);
  }

  failed(error: unknown): void {
    this.lines.push(`failed ${String(error)}`);
  }

  hold(): void {}
  flush(): void {}

  /** The lines since the last call. */
  take(): string[] {
    this.waitingBytes = 0;
    return this.lines.splice(0);
  }
}

function setUp(): { owner: MemoryOwner; append: Append } {
  const owner = new MemoryOwner({ tables: [table] });
  let appended = 0;
  const append: Append = (topic, slot, keys, valueBytes = 4) => {
    const batch = new RecordBatch();
    for (const key of keys) {
      const bytes = Buffer.from(key.replace("-", ""), "latin1");
      const value = key.startsWith("-") ? undefined : new Uint8Array(valueBytes);
      batch.add(topic, slot, bytes, 0, bytes.length, value, 0, valueBytes);
    }
    appended += 1;
    void owner.submit({
      source: `s${appended}`,
      previous: undefined,
      position: "1",
      sections: batch.sections(),
    });
    owner.commit();
  };
  return { owner, append };
}

type Append = (topic: string, slot: number, keys: readonly string[], valueBytes?: number) => void;

function feedOf(owner: MemoryOwner, request: Partial<FeedRequest>, output: FeedOutput): Feed {
  return new Feed({
    log: owner.log,
    output,
    isTable: (topic) => topic === table,
    turns: new Turns(),
    request: { topics: [stream], start: "earliest", positions: [], ...request },
  });
}

/** Pumps until the feed has nothing more to give. */
async function drain(feed: Feed, notes: Notes): Promise<string[]> {
  const lines: string[] = [];
  for (let idle = 0; idle < 3; ) {
    feed.pump();
    const taken = notes.take();
    idle = taken.length === 0 ? idle + 1 : 0;
    lines.push(...taken);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return lines;
}

describe("Feed", () => {
  it("begins at the oldest record, catches up and gives the tail", async () => {
    const { owner, append } = setUp();
    append(stream, 0, ["a", "b"]);
    append(stream, 1, ["c"]);
    const notes = new Notes();
    const feed = feedOf(owner, {}, notes);
    expect(await drain(feed, notes)).toEqual(["0@0 a", "0@1 b", "1@0 c", "caught up"]);
    append(stream, 1, ["d"]);
    append(table, 1, ["other"]);
    expect(notes.take()).toEqual(["1@1 d"]);
    expect(feed.positions()).toEqual([
      { topic: stream, slot: 0, offset: 2 },
      { topic: stream, slot: 1, offset: 2 },
    ]);
  });

  it("gives the tail of a reader that keeps up without reading the log", async () => {
    const { owner, append } = setUp();
    const notes = new Notes();
    const feed = feedOf(owner, { start: "latest" }, notes);
    await drain(feed, notes);
    for (let i = 0; i < 20; i++) append(stream, i % 2, ["k"]);
    expect(notes.take()).toHaveLength(20);
    expect(owner.reads).toBe(0);
  });

  it("begins at the end, or inside a chunk at a position", async () => {
    const { owner, append } = setUp();
    append(stream, 0, ["a", "b", "c"]);
    append(stream, 1, ["d"]);
    const latest = new Notes();
    expect(await drain(feedOf(owner, { start: "latest" }, latest), latest)).toEqual(["caught up"]);
    const resumed = new Notes();
    const positions = [{ topic: stream, slot: 0, offset: 2 }];
    const feed = feedOf(owner, { start: "positions", positions }, resumed);
    expect(await drain(feed, resumed)).toEqual(["0@2 c", "1@0 d", "caught up"]);
  });

  it("gives a table's latest values and then the tail, and tells where each snapshot ends", async () => {
    const { owner, append } = setUp();
    append(table, 0, ["a", "b", "c"]);
    append(table, 0, ["a", "-b"]);
    append(stream, 0, ["old"]);
    const notes = new Notes();
    const feed = feedOf(owner, { topics: [table, stream], start: "snapshot" }, notes);
    expect(feed.positions()).toEqual([
      { topic: stream, slot: 0, offset: 1 },
      { topic: stream, slot: 1, offset: 0 },
    ]);
    expect(await drain(feed, notes)).toEqual([
      `begins ${table}/0@5`,
      "0 c=4",
      "0 a=4",
      `complete ${table}/0@5`,
      `begins ${table}/1@0`,
      `complete ${table}/1@0`,
      "caught up",
    ]);
    append(table, 0, ["d"]);
    append(stream, 0, ["new"]);
    expect(notes.take()).toEqual(["0@5 d", "0@1 new"]);
  });

  it("has no gap and no duplicate when records come while a snapshot is given", async () => {
    const { owner, append } = setUp();
    append(table, 0, ["a", "b", "c", "d", "e"]);
    const notes = new Notes();
    notes.counting = true;
    const feed = feedOf(owner, { topics: [table], start: "snapshot" }, notes);
    notes.waitingBytes = catchUpQueueBytes - 1;
    feed.pump();
    await turn();
    const lines = [...notes.lines];
    expect(lines.at(-1)).toBe("0 b=4");
    notes.lines.length = 0;
    append(table, 0, ["f"]);
    append(table, 1, ["g"]);
    expect(notes.lines).toEqual([]);
    lines.push(...(await drain(feed, notes)));
    // Slot 1 is snapshotted after `g` came, so `g` is in its snapshot; slot 0 was before `f`.
    expect(lines).toEqual([
      `begins ${table}/0@5`,
      ...["a", "b", "c", "d", "e"].map((key) => `0 ${key}=4`),
      `complete ${table}/0@5`,
      `begins ${table}/1@1`,
      "1 g=4",
      `complete ${table}/1@1`,
      "0@5 f",
      "caught up",
    ]);
  });

  it("queues a bounded amount for a slow reader and gives it everything later", async () => {
    const { owner, append } = setUp();
    const notes = new Notes();
    notes.counting = true;
    const feed = feedOf(owner, { start: "latest" }, notes);
    await drain(feed, notes);
    const chunkBytes = 200_000;
    for (let i = 0; i < 100; i++) append(stream, i % 2, [`k${i}`], chunkBytes);
    expect(notes.mostWaiting).toBeLessThan(maxFollowerQueueBytes + 2 * chunkBytes);
    const given = notes.lines.length;
    expect(given).toBeLessThan(50);
    const lines = await drain(feed, notes);
    expect(lines).toHaveLength(100);
    for (const slot of [0, 1]) {
      const offsets = lines.filter((line) => line.startsWith(`${slot}@`));
      expect(offsets).toEqual(
        Array.from({ length: 50 }, (_, i) => `${slot}@${i} k${2 * i + slot}`),
      );
    }
    append(stream, 0, ["live"]);
    expect(notes.take()).toEqual(["0@50 live"]);
  });

  it("counts what retention took from a stream and goes on at its oldest record", async () => {
    const { owner, append } = setUp();
    for (let i = 0; i < 10; i++) append(stream, 0, [`k${i}`]);
    owner.forget(stream, 0, 6);
    const notes = new Notes();
    const positions = [
      { topic: stream, slot: 0, offset: 2 },
      { topic: stream, slot: 1, offset: 0 },
    ];
    const feed = feedOf(owner, { start: "positions", positions }, notes);
    expect(await drain(feed, notes)).toEqual([
      "dropped 4",
      "0@6 k6",
      "0@7 k7",
      "0@8 k8",
      "0@9 k9",
      "caught up",
    ]);
  });

  it("gives a table a fresh snapshot when its records are gone or too many", async () => {
    const { owner, append } = setUp();
    append(table, 0, ["a"]);
    append(table, 0, ["b"]);
    append(table, 0, ["-a"]);
    owner.forget(table, 0, 2);
    const positions = [0, 1].map((slot) => ({ topic: table, slot, offset: 0 }));
    const notes = new Notes();
    const gone = feedOf(owner, { topics: [table], start: "positions", positions }, notes);
    const expected = ["dropped 3", `begins ${table}/0@3`, "0 b=4", `complete ${table}/0@3`];
    expect(await drain(gone, notes)).toEqual([...expected, "caught up"]);
    gone.close();

    const many = Array.from({ length: maxTableLagRecords / 64 + 1 }, () => "b");
    for (let i = 0; i < 64; i++) append(table, 1, many, 1);
    const lagging = feedOf(owner, { topics: [table], start: "positions", positions }, notes);
    expect(await drain(lagging, notes)).toContain(`begins ${table}/1@${64 * many.length}`);
  });

  it("begins anew at a position after the end: the log is shorter than the reader remembers", async () => {
    const { owner, append } = setUp();
    append(stream, 0, ["a"]);
    append(table, 0, ["b"]);
    const positions = [stream, table].map((topic) => ({ topic, slot: 0, offset: 9 }));
    const notes = new Notes();
    const feed = feedOf(owner, { topics: [stream, table], start: "positions", positions }, notes);
    const lines = await drain(feed, notes);
    expect(lines.filter((line) => line === "dropped 0")).toHaveLength(2);
    expect(lines).toContain("0@0 a");
    expect(lines).toContain("0 b=4");
  });

  it("ends with the reason when the log cannot be read", async () => {
    const { owner, append } = setUp();
    append(stream, 0, ["a"]);
    const notes = new Notes();
    const broken = {
      ...owner.log,
      read: () => {
        throw new Error("damaged");
      },
    };
    const feed = new Feed({
      log: broken,
      output: notes,
      isTable: () => false,
      turns: new Turns(),
      request: { topics: [stream], start: "earliest", positions: [] },
    });
    feed.pump();
    await turn();
    expect(notes.take()).toEqual(["failed Error: damaged"]);
    expect(owner.listeners).toBe(0);
    append(stream, 0, ["b"]);
    expect(notes.take()).toEqual([]);
  });

  it("takes one short turn of the event loop at a time, whatever waits and for however many", async () => {
    const { owner, append } = setUp();
    for (let i = 0; i < 40; i++) append(stream, 0, ["k"], 200_000);
    const turns = new Turns();
    const readers = [1, 2, 3].map(() => {
      const notes = new Notes();
      const isTable = (): boolean => false;
      const request = { topics: [stream], start: "earliest", positions: [] } as const;
      const feed = new Feed({ log: owner.log, output: notes, isTable, turns, request });
      feed.pump();
      return notes;
    });
    let given = 0;
    while (readers.some((notes) => notes.lines.at(-1) !== "caught up")) {
      await turn();
      const now = readers.reduce((sum, notes) => sum + notes.lines.length, 0);
      expect(now - given).toBeLessThanOrEqual(3);
      given = now;
    }
    for (const notes of readers) expect(notes.lines).toHaveLength(41);
  });
});

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
