import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ErrorCode } from "./errors.ts";
import { hex16, sourceEventId } from "./identity.ts";
import { EventProducer, type EventProducerOptions } from "./producer.ts";
import { latestWords, ServedLog, words } from "./testing/served-log.ts";

let served: ServedLog;
let producer: EventProducer;
const acknowledged: string[] = [];
const dropped: [number, ErrorCode][] = [];

function produce(options: Partial<EventProducerOptions> = {}): EventProducer {
  return new EventProducer({
    log: served.log,
    name: "edge/test",
    batchMs: 1,
    flushMs: 1_500,
    onAcknowledged: (ids) => acknowledged.push(...ids.map((id) => hex16(id))),
    onDropped: (count, code) => dropped.push([count, code]),
    ...options,
  });
}

function send(from: number, to: number): void {
  for (let i = from; i < to; i++) producer.send(words, `k${i % 5}`, { text: `w${i}` }, 1_000 + i);
}

/** Every acknowledged event is in the log once, and nothing else is. */
function expectLedger(texts: readonly string[]): void {
  const records = served.words();
  expect(records.map(({ text }) => text).sort()).toEqual([...texts].sort());
  expect(records.map(({ id }) => id).sort()).toEqual([...acknowledged].sort());
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
}

function textsOf(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `w${from + i}`);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

beforeEach(async () => {
  acknowledged.length = 0;
  dropped.length = 0;
  served = await ServedLog.open({}, 100);
});

afterEach(async () => {
  await producer.close();
  await served.close();
});

describe("EventProducer", () => {
  it("writes events once, in order for each key, with identities from their positions", async () => {
    producer = produce();
    send(0, 40);
    await producer.flush();
    expectLedger(textsOf(0, 40));
    const first = served.words().filter(({ key }) => key === "k0");
    expect(first.map(({ text }) => text)).toEqual(textsOf(0, 40).filter((_, i) => i % 5 === 0));
    const id = sourceEventId("memory-log", producer.source, "1");
    expect(first[0]?.id).toBe(hex16(id));
    expect(producer.source).toMatch(/^edge\/test\/[\w-]{12}$/);
    expect(producer.waitingBytes).toBe(0);
    expect(served.read(words).map(({ value }) => value?.logicVersion)).toEqual(Array(40).fill(0));
  });

  it("removes a key from a table", async () => {
    producer = produce();
    producer.send(latestWords, "a", { text: "there" }, 1);
    producer.remove(latestWords, "a");
    await producer.flush();
    expect(served.read(latestWords).map(({ value }) => value?.text)).toEqual(["there", undefined]);
  });

  it("sends the same batch again after a timeout, and it is there once", async () => {
    producer = produce();
    served.owner.held = true;
    send(0, 3);
    // Three attempts of one batch wait in the engine before it commits any.
    await until(() => served.owner.waiting >= 3);
    send(3, 6);
    served.owner.held = false;
    served.owner.commit();
    await producer.flush();
    expectLedger(textsOf(0, 6));
    expect(dropped).toEqual([]);
  });

  it("loses and repeats nothing when the engine goes away and comes back", async () => {
    producer = produce();
    for (let round = 0; round < 4; round++) {
      send(10 * round, 10 * round + 5);
      if (round % 2 === 0) await until(() => acknowledged.length >= 10 * round + 5);
      served.owner.held = round % 2 === 1;
      await served.stop();
      served.owner.held = false;
      send(10 * round + 5, 10 * round + 10);
      await served.start();
      await producer.flush();
    }
    expectLedger(textsOf(0, 40));
  });

  it("drops what does not fit its queue while the engine is away, and counts it", async () => {
    producer = produce({ queueBytes: 2_000, batchBytes: 500 });
    await served.stop();
    const taken = [];
    for (let i = 0; i < 200; i++) {
      if (producer.send(words, "k", { text: `w${i}` }, 1)) taken.push(`w${i}`);
    }
    expect(taken.length).toBeGreaterThan(20);
    expect(producer.dropped).toBe(200 - taken.length);
    expect(dropped.every(([count, code]) => count === 1 && code === "OCDN_OVERLOADED")).toBe(true);
    expect(producer.waitingBytes).toBeLessThan(2_100);
    await served.start();
    await producer.flush();
    expectLedger(taken);
    expect(producer.send(words, "k", { text: "later" }, 1)).toBe(true);
  });

  it("refuses a value that does not fit its schema and takes the next", async () => {
    producer = produce();
    const wrong = { text: 7 } as unknown as { text: string };
    expect(() => producer.send(words, "k", wrong, 1)).toThrow(
      expect.objectContaining({ code: "OCDN_BAD_INPUT" }),
    );
    expect(() => producer.send(words, "k".repeat(2_000), { text: "w" }, 1)).toThrow(
      expect.objectContaining({ code: "OCDN_LIMIT" }),
    );
    send(0, 1);
    await producer.flush();
    expectLedger(["w0"]);
  });

  it("gives up a batch that the log refuses for good and goes on with the next", async () => {
    producer = produce();
    send(0, 2);
    await producer.flush();
    served.owner.setSource(producer.source, "elsewhere");
    send(2, 4);
    await until(() => dropped.length > 0);
    expect(dropped).toEqual([[2, "OCDN_SOURCE_POSITION"]]);
    send(4, 6);
    await producer.flush();
    expectLedger(["w0", "w1", "w4", "w5"]);
  });

  it("leaves behind what was meant for a log that was replaced", async () => {
    producer = produce();
    send(0, 2);
    await producer.flush();
    await served.stop();
    send(2, 4);
    await served.replace({ logId: "another" });
    await until(() => dropped.length > 0);
    acknowledged.length = 0;
    send(4, 6);
    await producer.flush();
    expect(dropped).toEqual([[2, "OCDN_SOURCE_POSITION"]]);
    expectLedger(["w4", "w5"]);
  });

  it("does not write to a new log what it encoded for the one before", async () => {
    producer = produce({ batchMs: 60_000, batchBytes: 1 });
    await served.stop();
    send(0, 2);
    await served.replace({ logId: "another" });
    await until(() => dropped.length === 2);
    send(2, 4);
    await producer.flush();
    expect(dropped.map(([, code]) => code)).toEqual([
      "OCDN_SOURCE_POSITION",
      "OCDN_SOURCE_POSITION",
    ]);
    expectLedger(["w2", "w3"]);
  });

  it("bounds flush and close while the engine is away", async () => {
    producer = produce({ flushMs: 30 });
    await served.stop();
    send(0, 3);
    await expect(producer.flush()).rejects.toMatchObject({
      code: "OCDN_TIMEOUT",
      message: expect.stringContaining("3 events"),
    });
    await producer.close();
    await until(() => producer.dropped === 3);
    expect(dropped.at(-1)?.[1]).toBe("OCDN_DISCONNECTED");
    expect(() => send(3, 4)).toThrow(/closed/);
  });

  it("sends a large batch at once and what comes meanwhile as the next", async () => {
    producer = produce({ batchMs: 60_000, batchBytes: 1_000 });
    send(0, 100);
    await until(() => acknowledged.length >= 80);
    await producer.flush();
    expectLedger(textsOf(0, 100));
  });
});
