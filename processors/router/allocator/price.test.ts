import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { softMin } from "../decide/fractions.ts";
import { allocatorOptions } from "./config.ts";
import { fairUtilisation, nextPrice, type PriceState, restingPrice } from "./price.ts";

const options = allocatorOptions.parse({});
const temperatureMs = 8;

interface World {
  readonly capacities: readonly number[];
  /** RTT by cell and node. */
  readonly rtt: readonly (readonly number[])[];
  readonly demand: readonly number[];
}

/** The closed loop: fractions by cost and price, loads, prices. Gives the loads after `ticks`. */
function settle(world: World, ticks: number): { loads: number[]; prices: number[] } {
  let states: PriceState[] = world.capacities.map(() => restingPrice);
  let prices = world.capacities.map(() => 0);
  let loads: number[] = [];
  for (let tick = 0; tick < ticks; tick++) {
    loads = world.capacities.map(() => 0);
    const slopes = world.capacities.map(() => 0);
    world.demand.forEach((demand, cell) => {
      const nodes = world.capacities.map((share, i) => ({
        nodeId: String(i),
        costMs: (world.rtt[cell]?.[i] ?? 0) + (prices[i] ?? 0),
        share,
      }));
      softMin(nodes, temperatureMs, 0).forEach(({ fraction }, i) => {
        loads[i] = (loads[i] ?? 0) + demand * fraction;
        slopes[i] = (slopes[i] ?? 0) - (demand * fraction * (1 - fraction)) / temperatureMs;
      });
    });
    const sum = (values: readonly number[]): number =>
      values.reduce((total, value) => total + value, 0);
    const utilisation = fairUtilisation(sum(loads), sum(world.capacities), options);
    world.capacities.forEach((capacityRps, i) => {
      const load = {
        predictedRps: loads[i] ?? 0,
        slopeRpsPerMs: slopes[i] ?? 0,
        targetRps: utilisation * capacityRps,
      };
      states = states.with(i, nextPrice(states[i] ?? restingPrice, load, options));
    });
    prices = states.map((state) => state.priceMs);
  }
  return { loads, prices };
}

describe("prices", () => {
  it("stay 0 while capacity is left, and go back to 0", () => {
    const load = { predictedRps: 50, slopeRpsPerMs: -1, targetRps: 85 };
    expect(nextPrice(restingPrice, load, options)).toEqual(restingPrice);
    let state: PriceState = { priceMs: 40, stepMs: 2, direction: 1 };
    for (let i = 0; i < 40; i++) state = nextPrice(state, { ...load, predictedRps: 10 }, options);
    expect(state.priceMs).toBe(0);
  });

  it("move everybody's overflow to the next node, in the closed loop", () => {
    const { loads, prices } = settle(
      {
        capacities: [100, 100, 100],
        rtt: [
          [10, 60, 120],
          [10, 60, 120],
        ],
        demand: [90, 90],
      },
      200,
    );
    expect(loads[0]).toBeLessThanOrEqual(86);
    expect(loads[1]).toBeLessThanOrEqual(86);
    expect(prices[0]).toBeGreaterThan(prices[1] ?? 0);
    expect(loads.reduce((sum, load) => sum + load, 0)).toBeCloseTo(180, 6);
  });

  it("hold predicted load under capacity wherever demand fits, for any world", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 5 }).chain((nodes) =>
          fc.record({
            capacities: fc.array(fc.integer({ min: 50, max: 500 }), {
              minLength: nodes,
              maxLength: nodes,
            }),
            rtt: fc.array(
              fc.array(fc.integer({ min: 1, max: 150 }), { minLength: nodes, maxLength: nodes }),
              { minLength: 4, maxLength: 4 },
            ),
            weights: fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 4, maxLength: 4 }),
            used: fc.double({ min: 0.1, max: 0.7, noNaN: true }),
          }),
        ),
        ({ capacities, rtt, weights, used }) => {
          const total = capacities.reduce((sum, capacity) => sum + capacity, 0) * used;
          const parts = weights.reduce((sum, weight) => sum + weight, 0);
          const demand = weights.map((weight) => (total * weight) / parts);
          const { loads } = settle({ capacities, rtt, demand }, 300);
          capacities.forEach((capacity, i) => {
            expect(loads[i] ?? 0).toBeLessThanOrEqual(capacity);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("share an overload in proportion to capacity", () => {
    const { loads } = settle({ capacities: [100, 200], rtt: [[10, 40]], demand: [600] }, 400);
    expect((loads[0] ?? 0) / 100).toBeCloseTo((loads[1] ?? 0) / 200, 1);
  });
});
