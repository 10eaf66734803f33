import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordBatch } from "./batch.ts";
import type { Recorded } from "./processor.ts";
import { EventProducer } from "./producer.ts";
import { type Sink, type SinkInput, sinkInput } from "./sink.ts";
import type { RefusedRecord } from "./sink-lane.ts";
import { type RunningSink, type RunSinkOptions, runSink } from "./sink-runner.ts";
import { SourceWriter } from "./source-writer.ts";
import { latestWords, ServedLog, type Word, words } from "./testing/served-log.ts";
import { deadLetters } from "./topics.ts";

let served: ServedLog;
let producer: EventProducer;
let stop: AbortController;
let running: RunningSink | undefined;
let refused: RefusedRecord[];

beforeEach(async () => {
  served = await ServedLog.open({}, 500);
  producer = new EventProducer({ log: served.log, name: "test", batchMs: 1 });
  stop = new AbortController();
  refused = [];
});

afterEach(async () => {
  stop.abort();
  await running?.finished.catch(() => undefined);
  running = undefined;
  await producer.close();
  await served.close();
});

type Handler = (event: Recorded<Word>) => Promise<void> | void;

function sinkOf(from: Sink["from"], handler: Handler, inputs?: readonly SinkInput<never>[]): Sink {
  return {
    name: "test",
    from,
    inputs: inputs ?? [sinkInput(words, handler)],
    flush: () => Promise.resolve(),
  };
}

function run(sink: Sink, options: Partial<RunSinkOptions> = {}): RunningSink {
  running = runSink({
    log: served.log,
    sink,
    signal: stop.signal,
    commitMs: 5,
    retryMs: 1,
    onRefused: (record) => refused.push(record),
    ...options,
  });
  return running;
}

/** Stops the sink that runs and begins with a fresh signal. */
async function stopSink(): Promise<void> {
  stop.abort();
  await running?.finished;
  stop = new AbortController();
}

async function sendAll(...texts: string[]): Promise<void> {
  for (const text of texts) producer.send(words, text.slice(0, 1), { text }, 1_000);
  await producer.flush();
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Puts bytes that are no event on the log. */
async function sendRaw(topic: string, key: string, bytes: Buffer): Promise<void> {
  const batch = new RecordBatch();
  const keyBytes = Buffer.from(key);
  batch.add(topic, 0, keyBytes, 0, keyBytes.length, bytes, 0, bytes.length);
  const source = `raw/${Math.random()}`;
  await served.log.append({ source, previous: undefined, position: "1", batch });
}

const end = (): number =>
  served.owner.log.endOffset("words.v1", 0) + served.owner.log.endOffset("words.v1", 1);
const reached = (): number =>
  (running?.positions() ?? []).reduce((sum, { offset }) => sum + offset, 0);

describe("runSink", () => {
  it("hands over every event once, and goes on at its position after a stop", async () => {
    const seen: string[] = [];
    const sink = sinkOf("committed", async ({ value }) => {
      await Promise.resolve();
      seen.push(value?.text ?? "");
    });
    await sendAll("a1", "b1", "a2");
    run(sink);
    await until(() => seen.length === 3);
    await stopSink();
    await sendAll("a3", "c1");
    run(sink);
    await until(() => seen.length === 5);
    expect([...seen].sort()).toEqual(["a1", "a2", "a3", "b1", "c1"]);
    expect(seen.filter((text) => text.startsWith("a"))).toEqual(["a1", "a2", "a3"]);
    await until(() => reached() === end());
  });

  it("repeats what was not acknowledged, and only from there on", async () => {
    const taken: string[] = [];
    let release: () => void = () => undefined;
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    // Every event of key b waits until the sink is being stopped, and fails then.
    const fails = ({ value }: Recorded<Word>): Promise<void> => {
      taken.push(value?.text ?? "");
      if (value?.text.startsWith("b") !== true) return Promise.resolve();
      return stuck.then(() => Promise.reject(new Error("connection lost")));
    };
    await sendAll("a1", "b1", "a2");
    run(sinkOf("committed", fails));
    await until(() => taken.length === 3);
    await sendAll("a3");
    await until(() => taken.length === 4);
    stop.abort();
    release();
    await running?.finished;
    stop = new AbortController();
    const before = taken.splice(0);
    expect([...before].sort()).toEqual(["a1", "a2", "a3", "b1"]);
    run(sinkOf("committed", ({ value }) => void taken.push(value?.text ?? "")));
    await until(() => reached() === end());
    expect(taken).toContain("b1");
    expect(refused).toEqual([]);
    // The slot of key b goes on at b1; the others are not repeated.
    expect(taken.length).toBeLessThan(4);
  });

  it("handles events of one key one after the other and others side by side, within its bound", async () => {
    let atOnce = 0;
    let most = 0;
    const busy = new Set<string>();
    const order: string[] = [];
    const sink = sinkOf("committed", async ({ key, value }) => {
      expect(busy.has(key)).toBe(false);
      busy.add(key);
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setTimeout(resolve, 1 + (order.length % 3)));
      order.push(value?.text ?? "");
      atOnce -= 1;
      busy.delete(key);
    });
    const texts = Array.from({ length: 60 }, (_, i) => `${"abcdefgh"[i % 8]}${i}`);
    await sendAll(...texts);
    run(sink, { inFlight: 5 });
    await until(() => order.length === 60);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(5);
    for (const key of "abcdefgh") {
      const ofKey = (text: string): boolean => text.startsWith(key);
      expect(order.filter(ofKey)).toEqual(texts.filter(ofKey));
    }
    expect(refused).toEqual([]);
  });

  it("tries a failed event once more and then makes one dead letter of it", async () => {
    const calls: string[] = [];
    const sink = sinkOf("committed", ({ value }) => {
      calls.push(value?.text ?? "");
      const failing = value?.text === "bad" || (value?.text === "flaky" && calls.length < 3);
      if (failing) throw new Error("no thanks");
    });
    await sendAll("flaky", "bad", "good");
    run(sink);
    await until(() => reached() === end() && served.read(deadLetters).length > 0);
    expect(calls.filter((text) => text === "bad")).toHaveLength(2);
    expect(calls).toContain("good");
    await stopSink();
    run(sink);
    await sendAll("later");
    await until(() => reached() === end());
    const letters = served.read(deadLetters).map(({ value }) => value);
    expect(letters).toMatchObject([
      {
        sourceTopic: "words.v1",
        processor: "sink/test",
        code: "OCDN_HANDLER",
        message: "no thanks",
      },
    ]);
    expect(calls.filter((text) => text === "bad")).toHaveLength(2);
  });

  it("makes dead letters of bytes that are no event, with the bytes, and goes on", async () => {
    const seen: string[] = [];
    const sink = sinkOf("committed", ({ value }) => void seen.push(value?.text ?? ""));
    await sendRaw("words.v1", "x", Buffer.from([0, 0, 0, 0, 99, 1, 2]));
    await sendRaw("words.v1", "y", Buffer.from([1, 2, 3]));
    await sendRaw("words.v1", "z", Buffer.alloc(262_000, 7));
    await sendAll("a1", "b1");
    run(sink);
    await until(() => seen.length === 2);
    await until(() => served.read(deadLetters).length === 3);
    const letters = served.read(deadLetters).map(({ value }) => value);
    expect(letters.map((letter) => [letter?.sourceOffset, letter?.code])).toEqual([
      [0, "OCDN_UNDECODABLE"],
      [1, "OCDN_UNDECODABLE"],
      [2, "OCDN_UNDECODABLE"],
    ]);
    expect(Buffer.from(letters[1]?.recordValue ?? []).toString("hex")).toBe("010203");
    expect(letters[2]?.recordValue).toHaveLength(262_000);
    expect(refused).toHaveLength(3);
  });

  it("does not wait for a handler for ever", async () => {
    const sink = sinkOf("committed", () => new Promise(() => undefined));
    await sendAll("a1");
    run(sink, { handlerMs: 10 });
    await until(() => served.read(deadLetters).length === 1);
    expect(served.read(deadLetters)[0]?.value).toMatchObject({ code: "OCDN_TIMEOUT" });
  });

  it("rebuilds a view from the latest values at each start, without dead letters twice", async () => {
    const view = new Map<string, string>();
    const sink = (): Sink => {
      view.clear();
      const take: Handler = ({ key, value }) => {
        if (value === null) view.delete(key);
        else view.set(key, value.text);
      };
      return sinkOf("snapshot", take, [sinkInput(latestWords, take)]);
    };
    for (const text of ["a1", "b1", "a2"])
      producer.send(latestWords, text.slice(0, 1), { text }, 1);
    await producer.flush();
    run(sink());
    await until(() => view.size === 2);
    producer.remove(latestWords, "b");
    await producer.flush();
    await until(() => view.size === 1);
    await sendRaw("latest.words.v1", "bad", Buffer.from([9]));
    await until(() => served.read(deadLetters).length === 1);
    for (let start = 0; start < 2; start++) {
      await stopSink();
      run(sink());
      await until(() => view.get("a") === "a2");
      producer.send(latestWords, "c", { text: `c${start}` }, 1);
      await producer.flush();
      await until(() => view.get("c") === `c${start}`);
    }
    await stopSink();
    expect(served.read(deadLetters)).toHaveLength(1);
  });

  it("tells a view of keys that left while it could not look", async () => {
    const view = new Map<string, string>();
    const keep = ({ key, value }: Recorded<Word>): void => {
      if (value === null) view.delete(key);
      else view.set(key, value.text);
    };
    const send = async (key: string): Promise<void> => {
      producer.send(latestWords, key, { text: key }, 1);
      await producer.flush();
    };
    for (const key of ["a", "b", "c"]) await send(key);
    run(sinkOf("snapshot", keep, [sinkInput(latestWords, keep)]));
    await until(() => view.size === 3);
    await served.stop();
    const { owner } = served;
    const batch = new RecordBatch();
    new SourceWriter(owner.log, "other").remove(batch, latestWords, "b");
    const sections = batch.sections();
    await owner.submit({ source: "other", previous: undefined, position: "1", sections });
    // The tombstone is no longer in the tail, so that only a snapshot can tell.
    for (let slot = 0; slot < owner.log.slots; slot++) {
      owner.forget(latestWords.name, slot, owner.log.endOffset(latestWords.name, slot));
    }
    await served.start();
    await until(() => view.size === 2);
    expect([...view.keys()].sort()).toEqual(["a", "c"]);
    await served.replace({ logId: "another-log" });
    await until(() => served.log.logId === "another-log");
    await send("d");
    await until(() => view.has("d"));
    expect([...view.keys()]).toEqual(["d"]);
  });

  it("calls a handler as often as it is told to before it refuses", async () => {
    let calls = 0;
    const fails = (): Promise<void> => {
      calls += 1;
      return Promise.reject(new Error("no"));
    };
    await sendAll("a1");
    run(sinkOf("committed", fails), { attempts: 1 });
    await until(() => served.read(deadLetters).length === 1);
    expect(calls).toBe(1);
  });

  it("takes nothing while it is paused, and all of it afterwards", async () => {
    const seen: string[] = [];
    const sink = sinkOf("committed", ({ value }) => void seen.push(value?.text ?? ""));
    await sendAll("a1");
    const paused = run(sink);
    await until(() => seen.length === 1);
    paused.pause();
    await sendAll("a2", "b1");
    const witness = await served.log.status();
    expect(witness.length).toBeGreaterThan(0);
    expect(seen).toEqual(["a1"]);
    paused.resume();
    await until(() => seen.length === 3);
  });

  it("does not move its position before what it buffers is flushed", async () => {
    const buffered: string[] = [];
    let flushed = 0;
    let failing = true;
    const errors: string[] = [];
    const sink: Sink = {
      ...sinkOf("committed", ({ value }) => void buffered.push(value?.text ?? "")),
      flush: () => {
        if (failing) return Promise.reject(new Error("disk full"));
        flushed = buffered.length;
        return Promise.resolve();
      },
    };
    await sendAll("a1", "b1");
    run(sink, { onError: (error) => errors.push(error.message) });
    await until(() => errors.length > 1);
    expect(errors[0]).toBe("flushing sink test: disk full");
    const sources = ["sink/test/words.v1/0"];
    expect(served.owner.log.sourcePosition(sources[0] as string)).toBeUndefined();
    failing = false;
    await until(() => served.owner.log.sourcePosition(sources[0] as string) !== undefined);
    expect(flushed).toBe(2);
  });

  it("goes on when the engine comes back", async () => {
    const seen: string[] = [];
    const sink = sinkOf("committed", ({ value }) => void seen.push(value?.text ?? ""));
    run(sink);
    await sendAll("a1");
    await until(() => seen.length === 1);
    await served.stop();
    await served.start();
    await sendAll("a2");
    await until(() => seen.length === 2);
    await stopSink();
    run(sink);
    await sendAll("a3");
    await until(() => seen.length >= 3);
    expect(seen).toEqual(["a1", "a2", "a3"]);
  });

  it("ends with the reason when another process runs it too", async () => {
    const sink = sinkOf("committed", () => undefined);
    const { finished } = run(sink);
    await sendAll("a1");
    const source = "sink/test/words.v1/0";
    await until(() => served.owner.log.sourcePosition(source) !== undefined);
    served.owner.setSource(source, "5,5");
    await sendAll("a2");
    await expect(finished).rejects.toMatchObject({
      code: "OCDN_SOURCE_POSITION",
      message: expect.stringContaining("another process"),
    });
  });

  it("begins anew on a log that took the place of another", async () => {
    const seen: string[] = [];
    const sink = sinkOf("committed", ({ value }) => void seen.push(value?.text ?? ""));
    run(sink);
    await sendAll("a1", "b1", "a2");
    await until(() => seen.length === 3);
    await served.replace({ logId: "another" });
    await until(() => served.log.logId === "another");
    await sendAll("a3");
    await until(() => seen.length === 4);
    const source = "sink/test/words.v1/0";
    await until(() => served.owner.log.sourcePosition(source) !== undefined);
    expect(reached()).toBe(1);
  });
});
