import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OpenCdnError } from "./errors.ts";
import { type JournalStep, JournalWriter, readJournal } from "./journal.ts";

const offset = fc.integer({ min: 0, max: 2 ** 52 });
const step = fc.oneof(
  fc.record({
    kind: fc.constant("record" as const),
    input: fc.integer({ min: 0, max: 9 }),
    slot: fc.integer({ min: 0, max: 1_023 }),
    offset,
  }),
  fc.record({ kind: fc.constant("tick" as const), tickMs: offset }),
);

function expand(steps: readonly JournalStep[]): object[] {
  return steps.flatMap((entry): object[] =>
    entry.kind === "tick"
      ? [entry]
      : Array.from({ length: entry.count }, (_, i) => ({
          kind: "record",
          input: entry.input,
          slot: entry.slot,
          offset: entry.offset + i,
        })),
  );
}

describe("the journal", () => {
  it("gives back the order that it was given", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const writer = new JournalWriter();
        for (const entry of steps) {
          if (entry.kind === "tick") writer.tick(entry.tickMs);
          else writer.record(entry.input, entry.slot, entry.offset);
        }
        expect(writer.empty).toBe(steps.length === 0);
        expect(expand(readJournal(writer.take()))).toEqual(steps);
        expect(writer.empty).toBe(true);
      }),
    );
  });

  it("keeps a run of records in one step", () => {
    const writer = new JournalWriter();
    for (let i = 0; i < 10_000; i++) writer.record(0, 3, 1_000_000 + i);
    const bytes = writer.take();
    expect(bytes.length).toBeLessThan(12);
    expect(readJournal(bytes)).toEqual([
      { kind: "run", input: 0, slot: 3, offset: 1_000_000, count: 10_000 },
    ]);
  });

  it("refuses bytes that are no journal with an error of ours, and never hangs", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(readJournal(bytes).length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(OpenCdnError);
        }
      }),
    );
    expect(() => readJournal(Buffer.from([2]))).toThrow(/unknown step 2/);
    expect(() => readJournal(Buffer.from([1]))).toThrow(/not a number/);
  });
});
