import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  demonstrationLatency,
  distanceKm,
  fibreRttMs,
  sampleRttMs,
  seededRandom,
} from "./distance.ts";
import type { Place } from "./geo-table.ts";

const tokyo: Place = { latitude: 35.6762, longitude: 139.6503 };
const saoPaulo: Place = { latitude: -23.5505, longitude: -46.6333 };
const frankfurt: Place = { latitude: 50.1109, longitude: 8.6821 };
const place: fc.Arbitrary<Place> = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
});

describe("distanceKm", () => {
  it("knows distances on earth", () => {
    expect(distanceKm(tokyo, saoPaulo)).toBeCloseTo(18_530, -2);
    expect(distanceKm(frankfurt, tokyo)).toBeCloseTo(9_350, -2);
    expect(
      distanceKm({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }),
    ).toBeCloseTo(111.2, 1);
  });

  it("is a metric, and at most half of the circumference", () => {
    fc.assert(
      fc.property(place, place, place, (a, b, c) => {
        expect(distanceKm(a, a)).toBe(0);
        expect(distanceKm(a, b)).toBeCloseTo(distanceKm(b, a), 6);
        expect(distanceKm(a, b)).toBeLessThan(20_016);
        expect(distanceKm(a, c)).toBeLessThanOrEqual(distanceKm(a, b) + distanceKm(b, c) + 1e-3);
      }),
    );
  });
});

describe("the latency model", () => {
  it("is distance over fibre plus the last mile", () => {
    expect(fibreRttMs(0)).toBe(demonstrationLatency.lastMileMs);
    expect(fibreRttMs(10_000)).toBeCloseTo(4 + 28_000 / 199.8616, 3);
    expect(fibreRttMs(1_000, { detourRatio: 1, lastMileMs: 0, jitterRatio: 0 })).toBeCloseTo(10, 1);
  });

  it("has jitter of the mean it says, never below the idle path", () => {
    const random = seededRandom(42);
    let sum = 0;
    const count = 20_000;
    for (let at = 0; at < count; at++) {
      const rttMs = sampleRttMs(9_350, random());
      if (rttMs < fibreRttMs(9_350)) expect.unreachable("faster than an idle path");
      sum += rttMs;
    }
    const ratio = sum / count / fibreRttMs(9_350) - 1;
    expect(ratio).toBeGreaterThan(demonstrationLatency.jitterRatio * 0.95);
    expect(ratio).toBeLessThan(demonstrationLatency.jitterRatio * 1.05);
  });

  it("gives the same times for the same seed", () => {
    const times = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 5 }, () => sampleRttMs(1_000, random()));
    };
    expect(times(7)).toEqual(times(7));
    expect(times(7)).not.toEqual(times(8));
  });
});
