import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { staticScore } from "./static-score.ts";

describe("staticScore", () => {
  it("is the seed's formula", () => {
    expect(staticScore(0, 0, 0)).toBeCloseTo(1, 12);
    expect(staticScore(500, 0, 0)).toBeCloseTo(0.6, 12);
    expect(staticScore(250, 0.5, 0.5)).toBeCloseTo(0.2 + 0.15 + 0.15, 12);
    expect(staticScore(5_000, 1, 1)).toBe(0);
  });

  it("has the weakness that it is kept for: 30 % loss beats 113 ms", () => {
    expect(staticScore(20, 0.3, 0)).toBeGreaterThan(staticScore(133, 0, 0));
  });

  it("stays within 0..1", () => {
    const any = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(any, any, any, (latency, loss, load) => {
        const score = staticScore(latency, loss, load);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
      }),
    );
  });
});
