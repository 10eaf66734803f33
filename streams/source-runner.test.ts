import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hex16, sourceEventId } from "./identity.ts";
import type { Source, SourceBatch, SourceEvent } from "./source.ts";
import { runSource, type SourceProgress } from "./source-runner.ts";
import { ServedLog, type Word, words } from "./testing/served-log.ts";

let served: ServedLog;

beforeEach(async () => {
  served = await ServedLog.open({}, 150);
});

afterEach(async () => {
  await served.close();
});

/** `count` words in batches of `size`; positions are the index of the last word of a batch. */
class WordFile implements Source {
  readonly name = "file/words";
  readonly historical: boolean;
  readonly #count: number;
  readonly #size: number;
  /** Called before each batch is given. */
  readonly #before: (first: number) => Promise<void> | void;
  readonly begins: (string | undefined)[] = [];

  constructor(
    count: number,
    size: number,
    options: { historical?: boolean; before?: (first: number) => Promise<void> | void } = {},
  ) {
    this.#count = count;
    this.#size = size;
    this.historical = options.historical ?? false;
    this.#before = options.before ?? (() => undefined);
  }

  async *read(after: string | undefined): AsyncIterable<SourceBatch> {
    this.begins.push(after);
    let next = after === undefined ? 0 : Number(after) + 1;
    while (next < this.#count) {
      await this.#before(next);
      const events: SourceEvent<never>[] = [];
      const end = Math.min(this.#count, next + this.#size);
      for (; next < end; next++) events.push(wordEvent(next));
      yield { events, position: String(next - 1) };
    }
  }
}

function wordEvent(index: number): SourceEvent<never> {
  const event: SourceEvent<Word> = {
    topic: words,
    key: `k${index % 7}`,
    value: { text: `w${index}` },
    eventMs: index,
    position: String(index),
  };
  return event as unknown as SourceEvent<never>;
}

function textsOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `w${i}`);
}

/** All words are there once, each key's in order, with the identity of their position. */
function expectAll(count: number): void {
  const records = served.words();
  const inOrder = [...records].sort((a, b) => Number(a.text.slice(1)) - Number(b.text.slice(1)));
  expect(inOrder.map(({ text }) => text)).toEqual(textsOf(count));
  for (let key = 0; key < 7; key++) {
    const texts = records.filter((record) => record.key === `k${key}`).map(({ text }) => text);
    expect(texts).toEqual(textsOf(count).filter((_, i) => i % 7 === key));
  }
  const ids = inOrder.map(({ id }) => id);
  expect(ids).toEqual(
    ids.map((_, i) => hex16(sourceEventId("memory-log", "file/words", String(i)))),
  );
}

describe("runSource", () => {
  it("reads a source to its end, and a second time adds nothing", async () => {
    const progress: SourceProgress[] = [];
    const source = new WordFile(50, 8);
    const onProgress = (at: SourceProgress): unknown => progress.push(at);
    const summary = await runSource({ log: served.log, source, onProgress });
    expect(summary).toEqual({ appended: 50, duplicates: 0, lastPosition: "49" });
    expectAll(50);
    expect(progress.map(({ position }) => position)).toEqual([
      "7",
      "15",
      "23",
      "31",
      "39",
      "47",
      "49",
    ]);
    const again = await runSource({ log: served.log, source });
    expect(again).toEqual({ appended: 0, duplicates: 0, lastPosition: "49" });
    expect(source.begins).toEqual([undefined, "49"]);
    expectAll(50);
  });

  it("goes on where the log says", async () => {
    await runSource({ log: served.log, source: new WordFile(20, 8) });
    const source = new WordFile(50, 5);
    expect(await runSource({ log: served.log, source })).toMatchObject({ appended: 30 });
    expect(source.begins).toEqual(["19"]);
    expectAll(50);
  });

  it("refuses the past on a live log, and takes it on a log of its own", async () => {
    const source = new WordFile(5, 5, { historical: true });
    const refused = runSource({ log: served.log, source });
    await expect(refused).rejects.toMatchObject({
      code: "OCDN_HISTORICAL_INPUT",
      message: expect.stringMatching(/--log NAME.*--rebase now/),
    });
    expect(source.begins).toEqual([]);
    expect(served.words()).toEqual([]);
    await served.replace({ historical: true });
    const log = await served.connect();
    expect(await runSource({ log, source })).toMatchObject({ appended: 5 });
    await log.close();
  });

  it("keeps what came before the source failed, and throws what it threw", async () => {
    const before = (first: number): void => {
      if (first === 24) throw new Error("byte 1000: truncated");
    };
    const run = runSource({ log: served.log, source: new WordFile(50, 8, { before }) });
    await expect(run).rejects.toThrow("byte 1000: truncated");
    expectAll(24);
  });

  it("stops when it is told to, after committing what it read", async () => {
    const stop = new AbortController();
    const before = (first: number): void => {
      if (first === 16) stop.abort();
    };
    const source = new WordFile(50, 8, { before });
    const summary = await runSource({ log: served.log, source, signal: stop.signal });
    expect(summary).toEqual({ appended: 16, duplicates: 0, lastPosition: "15" });
    expectAll(16);
  });

  // Lost: the appends under way never reach the log. Answered late: they do, and their answers are lost.
  it.each([
    ["lost", 0],
    ["lost", 32],
    ["lost", 72],
    ["answered late", 0],
    ["answered late", 40],
    ["answered late", 72],
  ])(
    "waits for an engine that goes away: appends under way are %s from word %d on",
    async (fate, at) => {
      const before = async (first: number): Promise<void> => {
        if (first !== at) return;
        served.owner.held = fate === "lost";
        await new Promise((resolve) => setImmediate(resolve));
        await served.stop();
        served.owner.held = false;
        await served.start();
      };
      const source = new WordFile(80, 8, { before });
      const summary = await runSource({ log: served.log, source });
      expect(summary).toMatchObject({ appended: 80, lastPosition: "79" });
      expectAll(80);
      expect(source.begins).toEqual([undefined]);
    },
  );

  it("sends again what was not answered in time, and it is there once", async () => {
    const before = (first: number): void => {
      if (first !== 16) return;
      served.owner.held = true;
      setTimeout(() => {
        served.owner.held = false;
        served.owner.commit();
      }, 250);
    };
    const source = new WordFile(50, 8, { before });
    expect(await runSource({ log: served.log, source })).toMatchObject({ appended: 50 });
    expectAll(50);
  });

  it("says so when somebody else feeds the same source", async () => {
    const before = (first: number): void => {
      if (first === 24) served.owner.setSource("file/words", "99");
    };
    const run = runSource({ log: served.log, source: new WordFile(50, 8, { before }) });
    await expect(run).rejects.toMatchObject({
      code: "OCDN_SOURCE_POSITION",
      message: expect.stringContaining("another process"),
    });
  });

  it("gives up on an engine that stays away, with its code", async () => {
    const before = async (first: number): Promise<void> => {
      if (first === 16) await served.stop();
    };
    const source = new WordFile(50, 8, { before });
    const run = runSource({ log: served.log, source, giveUpMs: 100 });
    await expect(run).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    expect(served.words().length).toBeLessThanOrEqual(24);
  });

  it("says which value does not fit, after committing what came before", async () => {
    const source: Source = {
      name: "file/odd",
      historical: false,
      async *read() {
        yield { events: [wordEvent(0)], position: "0" };
        const odd = { ...wordEvent(1), value: { text: 5 } } as unknown as SourceEvent<never>;
        yield { events: [odd], position: "1" };
      },
    };
    await expect(runSource({ log: served.log, source })).rejects.toMatchObject({
      code: "OCDN_BAD_INPUT",
      message: expect.stringContaining("text"),
    });
    expect(served.words().map(({ text }) => text)).toEqual(["w0"]);
  });
});
