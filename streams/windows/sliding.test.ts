import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hopping, Sliding, sliding } from "./sliding.ts";
import { Summary } from "./summary.ts";
import { type ClosedCopy, copyOf, type Measured, WindowDriver } from "./testing/window-driver.ts";

const summary = new Summary({ min: true, max: true });
const farMs = 100_000_000;

function driven(sizeMs: number, slideMs: number, graceMs: number): WindowDriver {
  return new WindowDriver((hooks) =>
    sliding({ name: "slide", sizeMs, slideMs, graceMs, summary, ...hooks }),
  );
}

const measure = (key: string, eventMs: number, amount = 1): Measured => ({ key, eventMs, amount });

const measured: fc.Arbitrary<Measured> = fc.record({
  key: fc.constantFrom("a", "b"),
  eventMs: fc.oneof(
    fc.integer({ min: 0, max: 3_000 }),
    fc.integer({ min: 0, max: 60 }).map((n) => n * 50),
  ),
  amount: fc.integer({ min: -1_000, max: 1_000 }),
});

/** Size and slide with 1 to 64 panes, with and without blocks, odd numbers among them. */
const shapes = fc.constantFrom(
  { sizeMs: 100, slideMs: 100 },
  { sizeMs: 700, slideMs: 100 },
  { sizeMs: 800, slideMs: 100 },
  { sizeMs: 1_300, slideMs: 100 },
  { sizeMs: 1_600, slideMs: 25 },
);

function summed(
  key: string,
  startMs: number,
  endMs: number,
  amounts: readonly number[],
): ClosedCopy {
  return {
    key,
    startMs,
    endMs,
    count: amounts.length,
    sum: amounts.reduce((a, b) => a + b, 0),
    min: amounts.length === 0 ? undefined : Math.min(...amounts),
    max: amounts.length === 0 ? undefined : Math.max(...amounts),
  };
}

/** Windows and late records by the definition: each window is open until the stream's time is its end + grace. */
function model(
  sequence: readonly Measured[],
  shape: { readonly sizeMs: number; readonly slideMs: number },
  graceMs: number,
): [ClosedCopy[], Measured[]] {
  const { sizeMs, slideMs } = shape;
  const windows = new Map<string, { key: string; endMs: number; amounts: number[] }>();
  const late: Measured[] = [];
  let streamMs = 0;
  for (const { key, eventMs, amount } of sequence) {
    streamMs = Math.max(streamMs, eventMs);
    let taken = false;
    const firstEnd = Math.floor(eventMs / slideMs) * slideMs + slideMs;
    for (let endMs = firstEnd; endMs - sizeMs <= eventMs; endMs += slideMs) {
      if (endMs + graceMs <= streamMs) continue;
      taken = true;
      const name = `${key} ${endMs}`;
      const window = windows.get(name) ?? { key, endMs, amounts: [] };
      window.amounts.push(amount);
      windows.set(name, window);
    }
    if (!taken) late.push({ key, eventMs, amount });
  }
  const closed = [...windows.values()]
    .sort((a, b) => a.endMs - b.endMs || (a.key < b.key ? -1 : 1))
    .map(({ key, endMs, amounts }) => summed(key, endMs - sizeMs, endMs, amounts));
  return [closed, late];
}

const withoutAdvance = (closed: readonly ClosedCopy[]): ClosedCopy[] =>
  closed.filter(({ key }) => key !== "~");

describe("sliding windows", () => {
  it("close once for every slide that has a record in the window", () => {
    const windows = driven(300, 100, 0);
    windows.send(measure("a", 50, 1));
    windows.send(measure("a", 150, 2));
    windows.advance(farMs);
    expect(
      withoutAdvance(windows.closed).map(({ startMs, endMs, sum }) => [startMs, endMs, sum]),
    ).toEqual([
      [-200, 100, 1],
      [-100, 200, 3],
      [0, 300, 3],
      [100, 400, 2],
    ]);
  });

  it("equal the definition for any sequence, and leave nothing behind", () => {
    const sequences = fc.array(measured, { minLength: 5, maxLength: 25 });
    fc.assert(
      fc.property(sequences, shapes, fc.constantFrom(0, 250, 2_000), (sequence, shape, graceMs) => {
        const windows = driven(shape.sizeMs, shape.slideMs, graceMs);
        sequence.forEach((item, index) => {
          windows.send(item);
          if (index % 7 === 6) windows.driver.commit();
        });
        windows.advance(farMs);
        const [closed, late] = model(sequence, shape, graceMs);
        expect(withoutAdvance(windows.closed)).toEqual(closed);
        expect(windows.late.map(({ value, ...rest }) => ({ ...rest, amount: value }))).toEqual(
          late,
        );
        expect(windows.entries()).toBe(shape.sizeMs / shape.slideMs < 8 ? 1 : 2);
      }),
      { numRuns: 60 },
    );
  });

  it("give the same for any order within the grace", () => {
    const graceMs = 300;
    const delayed = fc.array(fc.tuple(measured, fc.integer({ min: 0, max: graceMs })), {
      maxLength: 25,
    });
    fc.assert(
      fc.property(delayed, shapes, (items, { sizeMs, slideMs }) => {
        const inOrder = driven(sizeMs, slideMs, graceMs);
        const byTime = [...items].sort((a, b) => a[0].eventMs - b[0].eventMs);
        for (const [item] of byTime) inOrder.send(item);
        const byArrival = driven(sizeMs, slideMs, graceMs);
        const arrivals = items.map(([item, delayMs]) => ({ item, atMs: item.eventMs + delayMs }));
        for (const { item } of arrivals.sort((a, b) => a.atMs - b.atMs)) byArrival.send(item);
        inOrder.advance(farMs);
        byArrival.advance(farMs);
        expect(byArrival.late).toEqual([]);
        expect(byArrival.closed).toEqual(inOrder.closed);
      }),
      { numRuns: 40 },
    );
  });

  it("can be read at any record, before they close", () => {
    fc.assert(
      fc.property(
        fc.array(measured, { maxLength: 25 }),
        shapes,
        (sequence, { sizeMs, slideMs }) => {
          const seen: Measured[] = [];
          const graceMs = 400;
          let streamMs = 0;
          const windows = new WindowDriver(
            (hooks) => sliding({ name: "slide", sizeMs, slideMs, graceMs, summary, ...hooks }),
            (context, item, window) => {
              seen.push(item);
              streamMs = Math.max(streamMs, item.eventMs);
              const { key, eventMs } = item;
              const endMs = Math.floor(eventMs / slideMs) * slideMs + slideMs;
              const read = (window as Sliding).read(context, key, eventMs);
              if (endMs + graceMs <= streamMs) {
                expect(read).toBeUndefined();
                return;
              }
              const amounts = seen
                .filter((other) => other.key === key)
                .filter((other) => other.eventMs >= endMs - sizeMs && other.eventMs < endMs)
                .map(({ amount }) => amount);
              // A record that came too late for this window may be in it through a later one, but not the reverse.
              if (read === undefined) throw new Error("an open window cannot be read");
              expect(copyOf(read)).toEqual(summed(key, endMs - sizeMs, endMs, amounts));
            },
          );
          const inGrace = sequence.filter(({ eventMs }, index) =>
            sequence.slice(0, index).every((other) => other.eventMs <= eventMs + graceMs),
          );
          for (const item of inGrace) windows.send(item);
          expect(windows.driver.task.counts.deadLetters).toBe(0);
          expect(seen).toHaveLength(inGrace.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuse keys that are too long", () => {
    const reads: unknown[] = [];
    const windows = new WindowDriver(
      (hooks) => sliding({ name: "slide", sizeMs: 800, slideMs: 100, summary, ...hooks }),
      (context, _item, window) => {
        for (const key of ["k".repeat(1_017), "é".repeat(509)]) {
          try {
            (window as Sliding).read(context, key, 0);
          } catch (error) {
            reads.push(error);
          }
        }
      },
    );
    windows.send(measure("k".repeat(1_000), 0));
    expect(reads).toMatchObject([{ code: "OCDN_LIMIT" }, { code: "OCDN_LIMIT" }]);
    windows.send(measure("k".repeat(1_017), 0));
    expect(windows.driver.task.counts.deadLetters).toBe(1);
    windows.advance(farMs);
    expect(withoutAdvance(windows.closed)).toHaveLength(8);
  });

  it("refuse a size that is no multiple of the slide", () => {
    const options = { name: "a", input: { name: "x" }, summary, onClose: () => undefined };
    expect(() => sliding({ ...options, sizeMs: 250, slideMs: 100 })).toThrow(
      expect.objectContaining({ code: "OCDN_CONFIG" }),
    );
    expect(hopping({ ...options, sizeMs: 300, hopMs: 100 })).toBeInstanceOf(Sliding);
  });
});
