import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Summary } from "./summary.ts";
import { type ClosedCopy, type Measured, WindowDriver } from "./testing/window-driver.ts";
import { tumbling } from "./tumbling.ts";

const summary = new Summary({ min: true, max: true });
const sizeMs = 60_000;
const farMs = 100_000_000;

function driven(graceMs: number): WindowDriver {
  return new WindowDriver((hooks) =>
    tumbling({ name: "per-minute", sizeMs, graceMs, summary, ...hooks }),
  );
}

const measure = (key: string, eventMs: number, amount = 1): Measured => ({ key, eventMs, amount });

const measured: fc.Arbitrary<Measured> = fc.record({
  key: fc.constantFrom("a", "b", "é"),
  eventMs: fc.oneof(
    fc.integer({ min: 0, max: 400_000 }),
    fc.integer({ min: 0, max: 80 }).map((n) => n * 5_000),
  ),
  amount: fc.integer({ min: -1_000, max: 1_000 }),
});

/** Windows and late records of a sequence, by the definition. */
function model(sequence: readonly Measured[], graceMs: number): [ClosedCopy[], Measured[]] {
  const windows = new Map<string, ClosedCopy>();
  const late: Measured[] = [];
  let streamMs = 0;
  for (const { key, eventMs, amount } of sequence) {
    streamMs = Math.max(streamMs, eventMs);
    const startMs = Math.floor(eventMs / sizeMs) * sizeMs;
    const endMs = startMs + sizeMs;
    if (endMs + graceMs <= streamMs) {
      late.push({ key, eventMs, amount });
      continue;
    }
    const known = windows.get(`${key} ${startMs}`);
    windows.set(`${key} ${startMs}`, {
      key,
      startMs,
      endMs,
      count: (known?.count ?? 0) + 1,
      sum: (known?.sum ?? 0) + amount,
      min: Math.min(known?.min ?? amount, amount),
      max: Math.max(known?.max ?? amount, amount),
    });
  }
  const closed = [...windows.values()].sort(
    (a, b) => a.endMs - b.endMs || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)),
  );
  return [closed, late];
}

describe("tumbling windows", () => {
  it("close at their end, in the order of time and key, with the boundary in the next one", () => {
    const windows = driven(0);
    windows.send(measure("b", 0, 5));
    windows.send(measure("a", 59_999, 7));
    windows.send(measure("b", 1, 3));
    expect(windows.closed).toEqual([]);
    windows.send(measure("a", 60_000, 100));
    const first = { startMs: 0, endMs: 60_000 };
    expect(windows.closed).toEqual([
      { key: "a", ...first, count: 1, sum: 7, min: 7, max: 7 },
      { key: "b", ...first, count: 2, sum: 8, min: 3, max: 5 },
    ]);
    windows.advance(farMs);
    expect(windows.closed).toHaveLength(3);
    expect(windows.closed[2]).toMatchObject({ key: "a", startMs: 60_000, sum: 100 });
  });

  it("take late records within the grace and hand over those after it", () => {
    const windows = driven(10_000);
    windows.send(measure("a", 1_000));
    windows.send(measure("a", 69_999));
    windows.send(measure("a", 59_000, 2));
    expect(windows.closed).toEqual([]);
    windows.send(measure("b", 70_000));
    expect(windows.closed).toMatchObject([{ key: "a", startMs: 0, count: 2, sum: 3 }]);
    windows.send(measure("a", 59_000, 4));
    windows.send(measure("new", 3));
    expect(windows.late).toEqual([
      { key: "a", eventMs: 59_000, value: 4 },
      { key: "new", eventMs: 3, value: 1 },
    ]);
    windows.advance(farMs);
    expect(windows.closed.filter(({ key }) => key === "a")).toMatchObject([
      { startMs: 0, count: 2 },
      { startMs: 60_000, count: 1 },
    ]);
  });

  it("equal the definition for any sequence, and leave nothing behind", () => {
    const sequences = fc.array(measured, { maxLength: 40 });
    fc.assert(
      fc.property(sequences, fc.constantFrom(0, 5_000, 90_000), (sequence, graceMs) => {
        const windows = driven(graceMs);
        sequence.forEach((item, index) => {
          windows.send(item);
          if (index % 7 === 6) windows.driver.commit();
        });
        windows.advance(farMs);
        const [closed, late] = model(sequence, graceMs);
        expect(windows.closed).toEqual(closed);
        expect(windows.late.map(({ value, ...rest }) => ({ ...rest, amount: value }))).toEqual(
          late,
        );
        expect(windows.entries()).toBe(1);
      }),
      { numRuns: 60 },
    );
  });

  it("give the same for any order within the grace", () => {
    const graceMs = 30_000;
    const delayed = fc.array(fc.tuple(measured, fc.integer({ min: 0, max: graceMs })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(delayed, (items) => {
        const inOrder = driven(graceMs);
        const byTime = [...items].sort((a, b) => a[0].eventMs - b[0].eventMs);
        for (const [item] of byTime) inOrder.send(item);
        const byArrival = driven(graceMs);
        const arrivals = items.map(([item, delayMs]) => ({ item, atMs: item.eventMs + delayMs }));
        for (const { item } of arrivals.sort((a, b) => a.atMs - b.atMs)) byArrival.send(item);
        inOrder.advance(farMs);
        byArrival.advance(farMs);
        expect(byArrival.late).toEqual([]);
        expect(byArrival.closed).toEqual(inOrder.closed);
      }),
      { numRuns: 60 },
    );
  });

  it("close while the input is silent, by ticks", () => {
    const windows = driven(0);
    const t0 = 1_700_000_000_000;
    windows.driver.tick(t0);
    windows.send(measure("a", t0));
    for (let s = 1; s <= 90; s++) windows.driver.tick(t0 + s * 1_000);
    expect(windows.closed).toHaveLength(1);
  });

  it("refuse values and times that are no numbers, and keep the rest of the window", () => {
    const windows = driven(0);
    windows.send(measure("a", 1, 2));
    windows.send(measure("a", 2, Number.NaN));
    windows.send(measure("a", 3, Number.POSITIVE_INFINITY));
    windows.send(measure("k".repeat(1_024), 3));
    windows.send(measure("a", -1));
    windows.send(measure("a", 3, 4));
    windows.advance(farMs);
    expect(windows.driver.task.counts.deadLetters).toBe(4);
    expect(windows.closed).toMatchObject([{ key: "a", count: 2, sum: 6 }]);
  });

  it("refuse options that mean nothing", () => {
    const options = { input: { name: "x" }, summary, onClose: () => undefined };
    const config = expect.objectContaining({ code: "OCDN_CONFIG" });
    expect(() => tumbling({ ...options, name: "a b", sizeMs })).toThrow(config);
    expect(() => tumbling({ ...options, name: "a", sizeMs: 0 })).toThrow(config);
    expect(() => tumbling({ ...options, name: "a", sizeMs, graceMs: -1 })).toThrow(config);
    expect(() => tumbling({ ...options, name: "a", sizeMs: 1.5 })).toThrow(config);
  });
});
