import { describe, expect, it } from "vitest";
import { defineSchema } from "../schemas/event-schema.ts";
import { maxRecordBytes } from "./limits.ts";
import { keyed, type Processor } from "./processor.ts";
import { recordStoreSpec, storeSpec } from "./store.ts";
import { TestDriver } from "./testing/test-driver.ts";
import type { Topic } from "./topic.ts";
import { deadLetters } from "./topics.ts";

interface Word {
  readonly eventId: Uint8Array;
  readonly eventMs: number;
  readonly logicVersion: number;
  readonly word: string;
  readonly count: number;
}
const head = `{"name":"eventId","type":{"type":"fixed","name":"EventId","size":16}},{"name":"eventMs","type":"long"},{"name":"logicVersion","type":"int"}`;
const schema = defineSchema<Word>(
  `{"type":"record","name":"Word","namespace":"test","fields":[${head},{"name":"word","type":"string"},{"name":"count","type":"int"}]}`,
);
const words: Topic<Word> = { name: "words", kind: "stream", slotPart: "whole", schema, doc: "" };
const counts: Topic<Word> = { name: "counts", kind: "table", slotPart: "whole", schema, doc: "" };
const totals = recordStoreSpec("totals", schema);

/** Counts words; emits a count 10 s of event time after a word; throws on the word "bad". */
function counter(options: { flaky?: { left: number } } = {}): Processor {
  return {
    name: "counter",
    logicVersion: 3,
    inputs: [
      keyed(words, (event, context) => {
        const store = context.records(totals);
        const known = store.get(event.key)?.count ?? 0;
        store.put(event.key, { ...(event.value as Word), count: known + 1 });
        context.emit(counts, `${event.key}/seen`, { word: event.key, count: 0 });
        context.schedule(event.key, event.eventMs + 10_000);
        if (event.key === "bad") throw new Error("bad word");
        if (options.flaky !== undefined && options.flaky.left > 0) {
          options.flaky.left -= 1;
          throw new Error("passing fault");
        }
      }),
    ],
    outputs: [counts],
    stores: [totals, storeSpec("unused")],
    onTimer: (key, _atMs, context) => {
      const count = context.records(totals).get(key)?.count ?? 0;
      context.emit(counts, key, { word: key, count });
    },
  };
}

const word = { word: "", count: 0 };
const t0 = 1_700_000_000_000;

describe("a task", () => {
  it("fires event-time timers in (time, key) order, before the record that moved the time", () => {
    const driver = new TestDriver(counter());
    driver.send(words, "b", word, { eventMs: t0 });
    driver.send(words, "a", word, { eventMs: t0 });
    driver.send(words, "a", word, { eventMs: t0 - 5_000 });
    expect(driver.outputs(counts).map((output) => output.key)).toEqual([
      "b/seen",
      "a/seen",
      "a/seen",
    ]);
    driver.send(words, "c", word, { eventMs: t0 + 10_000 });
    const fired = driver
      .outputs(counts)
      .map((output) => [output.key, output.value?.count, output.value?.eventMs]);
    expect(fired).toEqual([
      ["a", 2, t0 + 5_000],
      ["a", 2, t0 + 10_000],
      ["b", 1, t0 + 10_000],
      ["c/seen", 0, t0 + 10_000],
    ]);
  });

  it("advances a silent input by ticks, after its idle time only", () => {
    const driver = new TestDriver(counter());
    driver.send(words, "a", word, { eventMs: t0 });
    driver.outputs(counts);
    driver.tick(t0 + 50);
    driver.tick(t0 + 9_000);
    expect(driver.outputs(counts)).toEqual([]);
    driver.tick(t0 + 12_000);
    driver.tick(t0 + 17_000);
    driver.tick(t0 + 20_000);
    expect(driver.outputs(counts).map((output) => output.key)).toEqual(["a"]);
  });

  it("does not take a downtime for silence", () => {
    const driver = new TestDriver(counter());
    driver.send(words, "a", word, { eventMs: t0 });
    driver.tick(t0 + 1_000);
    driver.tick(t0 + 3_600_000);
    expect(driver.outputs(counts).map((output) => output.key)).toEqual(["a/seen"]);
    driver.send(words, "b", word, { eventMs: t0 + 3_600_100 });
    expect(driver.outputs(counts).map((output) => output.key)).toEqual(["a", "b/seen"]);
  });

  it("clamps a record that is far ahead of its ingestion", () => {
    const driver = new TestDriver(counter());
    driver.send(words, "a", word, { eventMs: t0 });
    driver.send(words, "b", word, { eventMs: t0 + 86_400_000, timestampMs: t0 });
    driver.send(words, "c", word, { eventMs: t0 + 1 });
    const outputs = driver.outputs(counts).map((output) => [output.key, output.value?.eventMs]);
    expect(outputs).toContainEqual(["b/seen", t0 + 60_000]);
    expect(outputs).toContainEqual(["c/seen", t0 + 1]);
  });

  it("dead-letters a record whose handler throws twice, leaving no trace of the attempt", () => {
    const driver = new TestDriver(counter());
    driver.send(words, "good", word, { eventMs: t0 });
    driver.send(words, "bad", word, { eventMs: t0 });
    driver.send(words, "good", word, { eventMs: t0 });
    driver.commit();
    const letters = driver.outputs(deadLetters);
    expect(letters).toHaveLength(1);
    expect(letters[0]?.value).toMatchObject({
      sourceTopic: "words",
      sourceOffset: 1,
      code: "OCDN_HANDLER",
      message: "bad word",
      processor: "counter",
    });
    expect(driver.outputs(counts).map((output) => output.key)).toEqual(["good/seen", "good/seen"]);
    driver.send(words, "x", word, { eventMs: t0 + 10_000 });
    expect(driver.outputs(counts).map((output) => output.key)).toEqual(["good", "x/seen"]);
  });

  it("retries a handler that throws once", () => {
    const driver = new TestDriver(counter({ flaky: { left: 1 } }));
    driver.send(words, "a", word, { eventMs: t0 });
    expect(driver.outputs(counts).map((output) => output.key)).toEqual(["a/seen"]);
    expect(driver.outputs(deadLetters)).toEqual([]);
  });

  it("dead-letters undecodable bytes with the raw record and goes on", () => {
    const driver = new TestDriver(counter());
    driver.sendRaw(words, "a", Buffer.from([0, 0, 0, 0, 99, 1, 2]), t0);
    driver.sendRaw(words, "a", Buffer.alloc(0), t0);
    driver.send(words, "a", word, { eventMs: t0 });
    const letters = driver.outputs(deadLetters);
    expect(letters.map((letter) => letter.value?.code)).toEqual([
      "OCDN_UNDECODABLE",
      "OCDN_UNDECODABLE",
    ]);
    expect(Buffer.from(letters[0]?.value?.recordValue ?? []).toString("hex")).toBe(
      "00000000630102",
    );
    expect(driver.outputs(counts)).toHaveLength(1);
  });

  it("keeps a record of the largest size whole in its dead letter", () => {
    const driver = new TestDriver(counter());
    driver.sendRaw(words, "k".repeat(1_024), Buffer.alloc(maxRecordBytes, 7), t0);
    expect(driver.outputs(deadLetters)[0]?.value?.recordValue).toHaveLength(maxRecordBytes);
  });

  it("gives the same bytes after an abort as without one", () => {
    const feed = (driver: TestDriver): void => {
      driver.send(words, "a", word, { eventMs: t0 + 1_000 });
      driver.send(words, "b", word, { eventMs: t0 + 2_000 });
      driver.tick(t0 + 3_000);
    };
    const plain = new TestDriver(counter());
    plain.send(words, "a", word, { eventMs: t0 });
    plain.commit();
    feed(plain);
    const expected = plain.commit();
    const aborted = new TestDriver(counter());
    aborted.send(words, "a", word, { eventMs: t0 });
    aborted.commit();
    aborted.task.tick(t0 + 99_000);
    expect(aborted.task.seal()).toBeDefined();
    aborted.task.abort();
    expect(aborted.task.position(0, 0)).toBe(1);
    feed(aborted);
    const draft = aborted.commit();
    expect(draft?.chain).toEqual(expected?.chain);
    expect(draft?.commit).toBe(2);
    expect(draft?.positions).toEqual(expected?.positions);
  });

  it("refuses a topic that was not declared, as a dead letter that says so", () => {
    const processor: Processor = { ...counter(), outputs: [] };
    const driver = new TestDriver(processor);
    driver.send(words, "a", word, { eventMs: t0 });
    expect(driver.outputs(deadLetters)[0]?.value).toMatchObject({ code: "OCDN_UNDECLARED" });
  });
});
