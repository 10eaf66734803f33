import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anomalyOptions } from "./config.ts";
import { judgeDelay, noDelayHistory, withDelay } from "./delay-rule.ts";

const options = anomalyOptions.parse({});

const delays = fc.array(
  fc.record({
    atSecond: fc.integer({ min: 0, max: 120 }),
    delayMs: fc.oneof(
      fc.integer({ min: 1, max: 499 }),
      fc.integer({ min: 498, max: 502 }),
      fc.integer({ min: 501, max: 5_000 }),
    ),
  }),
  { minLength: 1, maxLength: 80 },
);

describe("the delay rule", () => {
  it("fires exactly when the nearest-rank P95 of the last 60 s is over 500 ms", () => {
    fc.assert(
      fc.property(delays, (samples) => {
        let history = noDelayHistory;
        const taken: typeof samples = [];
        for (const sample of samples) {
          history = withDelay(history, sample.atSecond * 1_000, sample.delayMs, options);
          taken.push(sample);
          const newest = Math.max(...taken.map((one) => one.atSecond));
          const window = taken
            .filter((one) => one.atSecond > newest - 60)
            .map((one) => one.delayMs)
            .sort((a, b) => a - b);
          const p95 = window[Math.ceil(0.95 * window.length - 1e-9) - 1] as number;
          const finding = judgeDelay(history, options);
          expect(finding.samples).toBe(window.length);
          expect(finding.verdict === "fire").toBe(window.length >= 20 && p95 > 500);
          expect(Math.abs(finding.value / p95 - 1)).toBeLessThan(0.012);
        }
      }),
    );
  });
});
