import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Scratch } from "./scratch.ts";
import { Summary, type SummaryOptions } from "./summary.ts";

function summarize(summary: Summary, values: readonly number[]): Scratch {
  const scratch = new Scratch();
  summary.begin(scratch);
  for (const value of values) summary.add(scratch, 0, value);
  return scratch;
}

const bytesOf = (scratch: Scratch): Buffer => scratch.bytes.subarray(0, scratch.length);

/** The value at rank ceil(q x n), by sorting. */
function exact(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)] as number;
}

const percents = fc.integer({ min: 1, max: 100 });
const positive = fc.double({ min: 0.01, max: 60_000, noNaN: true });

describe("Summary", () => {
  it("takes 16 bytes for count and sum, and 8 for each bound", () => {
    const sizeOf = (options: SummaryOptions): number => summarize(new Summary(options), [1]).length;
    expect(sizeOf({})).toBe(16);
    expect(sizeOf({ max: true })).toBe(24);
    expect(sizeOf({ min: true, max: true })).toBe(32);
  });

  it("counts, sums and bounds", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.boolean(), fc.boolean(), (values, min, max) => {
        const summary = new Summary({ min, max });
        const { view } = summarize(summary, values);
        expect(summary.count(view, 0)).toBe(values.length);
        expect(summary.sum(view, 0)).toBe(values.reduce((a, b) => a + b, 0));
        const some = values.length > 0;
        expect(summary.min(view, 0)).toBe(min && some ? Math.min(...values) : undefined);
        expect(summary.max(view, 0)).toBe(max && some ? Math.max(...values) : undefined);
        expect(summary.quantile(view, 0, 16, 0.5)).toBeUndefined();
      }),
    );
  });

  it("merges to the same bytes in any order and grouping", () => {
    const summary = new Summary({ min: true, max: true, quantiles: { maxBuckets: 8 } });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -5, max: 3_000 }), fc.nat(3)), { maxLength: 60 }),
        (items) => {
          const whole = summarize(
            summary,
            items.map(([value]) => value),
          );
          const merged = new Scratch();
          summary.begin(merged);
          for (const group of [2, 0, 3, 1]) {
            const part = summarize(
              summary,
              items.filter(([, of]) => of === group).map(([value]) => value),
            );
            summary.merge(merged, 0, part.view, 0, part.length);
          }
          expect(bytesOf(merged)).toEqual(bytesOf(whole));
        },
      ),
    );
  });

  it("refuses what is no number", () => {
    const summary = new Summary();
    const scratch = summarize(summary, [1]);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => summary.add(scratch, 0, value)).toThrow(
        expect.objectContaining({ code: "OCDN_BAD_INPUT" }),
      );
    }
    expect(summary.count(scratch.view, 0)).toBe(1);
  });
});

describe("quantiles of a summary", () => {
  it("are within the relative error of the sample's", () => {
    fc.assert(
      fc.property(
        fc.array(positive, { minLength: 1, maxLength: 200 }),
        percents,
        fc.constantFrom(0.001, 0.01, 0.1),
        (values, percent, relativeError) => {
          const summary = new Summary({ quantiles: { relativeError, maxBuckets: 8_192 } });
          const { view, length } = summarize(summary, values);
          const found = summary.quantile(view, 0, length, percent / 100) as number;
          const wanted = exact(values, percent);
          expect(Math.abs(found - wanted)).toBeLessThanOrEqual(wanted * relativeError * 1.000001);
        },
      ),
    );
  });

  it("are exact about one value", () => {
    const near = fc.oneof(
      fc.constantFrom(499.999999, 500, 500.000001, 505, 495),
      fc.integer({ min: 0, max: 1_000 }),
    );
    fc.assert(
      fc.property(fc.array(near, { minLength: 1, maxLength: 60 }), (values) => {
        const summary = new Summary({ quantiles: { relativeError: 0.05, exactAt: 500 } });
        const { view, length } = summarize(summary, values);
        const found = summary.quantile(view, 0, length, 0.95) as number;
        expect(found > 500).toBe(exact(values, 95) > 500);
      }),
    );
  });

  it("stay right at the top when there are more buckets than may be", () => {
    const summary = new Summary({ quantiles: { maxBuckets: 32 } });
    const values = Array.from({ length: 10_000 }, (_, i) => 1 + ((i * 7_919) % 10_000));
    const { view, length } = summarize(summary, values);
    expect(length).toBe(16 + 32 * 6);
    const top = summary.quantile(view, 0, length, 0.95) as number;
    expect(Math.abs(top - 9_500)).toBeLessThanOrEqual(95);
    const low = summary.quantile(view, 0, length, 0.1) as number;
    expect(low).toBeGreaterThan(1_000);
  });

  it("count values of 0 and below as 0", () => {
    const summary = new Summary({ quantiles: {} });
    const { view, length } = summarize(summary, [-3, 0, 10]);
    expect(summary.quantile(view, 0, length, 0.6)).toBe(0);
    expect(summary.quantile(view, 0, length, 1)).toBeCloseTo(10, 0);
  });

  it("have bounded options", () => {
    const config = expect.objectContaining({ code: "OCDN_CONFIG" });
    for (const quantiles of [{ relativeError: 0 }, { exactAt: 0 }, { maxBuckets: 1e9 }]) {
      expect(() => new Summary({ quantiles })).toThrow(config);
    }
  });
});
