import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sessions } from "./sessions.ts";
import { Summary } from "./summary.ts";
import { type ClosedCopy, type Measured, WindowDriver } from "./testing/window-driver.ts";

const summary = new Summary({ min: true, max: true });
const gapMs = 100;
const farMs = 100_000_000;

function driven(graceMs: number): WindowDriver {
  return new WindowDriver((hooks) =>
    sessions({ name: "visits", gapMs, graceMs, summary, ...hooks }),
  );
}

const measure = (key: string, eventMs: number, amount = 1): Measured => ({ key, eventMs, amount });

const measured: fc.Arbitrary<Measured> = fc.record({
  key: fc.constantFrom("a", "b"),
  eventMs: fc.oneof(
    fc.integer({ min: 0, max: 1_500 }),
    fc.integer({ min: 0, max: 30 }).map((n) => n * 50),
  ),
  amount: fc.integer({ min: -1_000, max: 1_000 }),
});

const withoutAdvance = (closed: readonly ClosedCopy[]): ClosedCopy[] =>
  closed.filter(({ key }) => key !== "~");

function sessionOf(items: readonly Measured[]): ClosedCopy {
  const amounts = items.map(({ amount }) => amount);
  const times = items.map(({ eventMs }) => eventMs);
  return {
    key: (items[0] as Measured).key,
    startMs: Math.min(...times),
    endMs: Math.max(...times),
    count: items.length,
    sum: amounts.reduce((a, b) => a + b, 0),
    min: Math.min(...amounts),
    max: Math.max(...amounts),
  };
}

const inOrder = (a: ClosedCopy, b: ClosedCopy): number =>
  a.endMs - b.endMs || (a.key < b.key ? -1 : 1);

/** Sessions of records that were never late: sort, and cut where the silence is a gap or longer. */
function cut(items: readonly Measured[]): ClosedCopy[] {
  const found: ClosedCopy[] = [];
  for (const key of new Set(items.map((item) => item.key))) {
    const mine = items.filter((item) => item.key === key).sort((a, b) => a.eventMs - b.eventMs);
    let open: Measured[] = [];
    for (const item of mine) {
      const last = open.at(-1);
      if (last !== undefined && item.eventMs - last.eventMs >= gapMs) {
        found.push(sessionOf(open));
        open = [];
      }
      open.push(item);
    }
    found.push(sessionOf(open));
  }
  return found.sort(inOrder);
}

/** Sessions of any sequence: lists of records that are joined while open, and closed as the stream's time passes. */
function model(sequence: readonly Measured[], graceMs: number): [ClosedCopy[], Measured[]] {
  let open: Measured[][] = [];
  const closed: ClosedCopy[] = [];
  const late: Measured[] = [];
  let streamMs = 0;
  const endOf = (items: readonly Measured[]): number => sessionOf(items).endMs;
  for (const item of [...sequence, measure("~", farMs)]) {
    streamMs = Math.max(streamMs, item.eventMs);
    const isOver = (items: readonly Measured[]): boolean =>
      endOf(items) + gapMs + graceMs <= streamMs;
    closed.push(...open.filter(isOver).map(sessionOf).sort(inOrder));
    open = open.filter((items) => !isOver(items));
    const near = (items: readonly Measured[]): boolean =>
      items[0]?.key === item.key &&
      items.some(({ eventMs }) => Math.abs(eventMs - item.eventMs) < gapMs);
    const joined = open.filter(near);
    if (joined.length === 0 && isOver([item])) late.push(item);
    else open = [...open.filter((items) => !near(items)), [...joined.flat(), item]];
  }
  return [closed, late];
}

describe("session windows", () => {
  it("end with a silence of one gap", () => {
    const windows = driven(0);
    for (const eventMs of [0, 99, 198, 298]) windows.send(measure("a", eventMs));
    windows.advance(farMs);
    expect(
      withoutAdvance(windows.closed).map(({ startMs, endMs, count }) => [startMs, endMs, count]),
    ).toEqual([
      [0, 198, 3],
      [298, 298, 1],
    ]);
  });

  it("are joined by a late record that closes the gap between them", () => {
    const windows = driven(1_000);
    windows.send(measure("a", 0, 1));
    windows.send(measure("a", 150, 2));
    windows.send(measure("a", 75, 4));
    windows.advance(farMs);
    expect(withoutAdvance(windows.closed)).toEqual([
      { key: "a", startMs: 0, endMs: 150, count: 3, sum: 7, min: 1, max: 4 },
    ]);
  });

  it("hand over records whose session would be closed", () => {
    const windows = driven(50);
    windows.send(measure("a", 1_000));
    windows.send(measure("a", 850));
    windows.send(measure("a", 851));
    windows.advance(farMs);
    expect(windows.late).toEqual([{ key: "a", eventMs: 850, value: 1 }]);
    expect(withoutAdvance(windows.closed).map(({ startMs }) => startMs)).toEqual([851, 1_000]);
  });

  it("equal the definition for any sequence, and leave nothing behind", () => {
    const sequences = fc.array(measured, { minLength: 5, maxLength: 30 });
    fc.assert(
      fc.property(sequences, fc.constantFrom(0, 60, 700), (sequence, graceMs) => {
        const windows = driven(graceMs);
        sequence.forEach((item, index) => {
          windows.send(item);
          if (index % 7 === 6) windows.driver.commit();
        });
        windows.advance(farMs);
        const [closed, late] = model(sequence, graceMs);
        expect(withoutAdvance(windows.closed)).toEqual(closed);
        expect(windows.late.map(({ value, ...rest }) => ({ ...rest, amount: value }))).toEqual(
          late,
        );
        expect(windows.entries()).toBe(1);
      }),
      { numRuns: 80 },
    );
  });

  it("give the same for any order within the grace", () => {
    const graceMs = 200;
    const delayed = fc.array(fc.tuple(measured, fc.integer({ min: 0, max: graceMs })), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(delayed, (items) => {
        const windows = driven(graceMs);
        const arrivals = items.map(([item, delayMs]) => ({ item, atMs: item.eventMs + delayMs }));
        for (const { item } of arrivals.sort((a, b) => a.atMs - b.atMs)) windows.send(item);
        windows.advance(farMs);
        expect(windows.late).toEqual([]);
        expect(withoutAdvance(windows.closed)).toEqual(cut(items.map(([item]) => item)));
      }),
      { numRuns: 80 },
    );
  });

  it("bound the open sessions of a key", () => {
    const windows = driven(1_000_000);
    for (let i = 0; i <= 256; i++) windows.send(measure("a", 1_000 + i * 200));
    expect(windows.driver.task.counts.deadLetters).toBe(1);
    windows.advance(farMs);
    expect(withoutAdvance(windows.closed)).toHaveLength(256);
  });
});
