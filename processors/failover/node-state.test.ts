import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failoverOptions } from "./config.ts";
import {
  afterDrain,
  afterVerdict,
  multiplierOf,
  type NodeState,
  unknownNode,
} from "./node-state.ts";
import { judge } from "./quorum.ts";

const options = failoverOptions.parse({});
const vantages = ["a", "b", "c"];

/** One round of checks by three vantage points, 500 ms after the last. */
function round(state: NodeState, atMs: number, healthy: readonly boolean[]): NodeState {
  return healthy.reduce(
    (next, verdict, index) =>
      afterVerdict(
        next,
        { vantage: vantages[index] as string, healthy: verdict, receivedMs: atMs + index },
        options,
      ),
    state,
  );
}

const good = [true, true, true];
const bad = [false, false, false];

describe("a node's state", () => {
  it("is alive while nobody or only one vantage point has spoken", () => {
    const start = unknownNode(1, options);
    expect(start.alive).toBe(true);
    const one = afterVerdict(start, { vantage: "a", healthy: false, receivedMs: 0 }, options);
    expect(one).toMatchObject({ alive: true, written: false, sequence: 0 });
  });

  it("is dead with the second of three vantage points", () => {
    let state = round(unknownNode(1, options), 0, good);
    expect(state.sequence).toBe(1);
    state = afterVerdict(state, { vantage: "a", healthy: false, receivedMs: 500 }, options);
    expect(state.alive).toBe(true);
    state = afterVerdict(state, { vantage: "b", healthy: false, receivedMs: 501 }, options);
    expect(state).toMatchObject({ alive: false, sequence: 2, reason: "DEAD_BY_QUORUM" });
    expect(multiplierOf(state, options)).toBe(0);
  });

  it("does not count a verdict that is no longer fresh", () => {
    let state = round(unknownNode(1, options), 0, good);
    state = afterVerdict(state, { vantage: "a", healthy: false, receivedMs: 500 }, options);
    state = afterVerdict(state, { vantage: "b", healthy: false, receivedMs: 2_501 }, options);
    expect(state.alive).toBe(true);
  });

  it("returns by the ramp after 20 good checks, and not before", () => {
    let state = round(round(unknownNode(1, options), 0, good), 500, bad);
    for (let check = 1; check <= 19; check++) state = round(state, 500 + check * 500, good);
    expect(state.alive).toBe(false);
    state = round(state, 500 + 20 * 500, good);
    expect(state).toMatchObject({ alive: true, reason: "RETURNING_BY_RAMP" });
    const seen = [multiplierOf(state, options)];
    for (let check = 21; check <= 60; check++) {
      state = round(state, 500 + check * 500, good);
      const multiplier = multiplierOf(state, options);
      if (multiplier !== seen.at(-1)) seen.push(multiplier);
    }
    expect(seen).toEqual([0.1, 0.25, 0.5, 0.75, 1]);
    expect(state.reason).toBe("RECOVERED");
  });

  it("begins to count again when a check fails or the checks pause", () => {
    let state = round(round(unknownNode(1, options), 0, good), 500, bad);
    for (let check = 1; check <= 15; check++) state = round(state, 500 + check * 500, good);
    state = round(state, 8_500, bad);
    for (let check = 1; check <= 19; check++) state = round(state, 8_500 + check * 500, good);
    expect(state.alive).toBe(false);
    state = round(state, 8_500 + 19 * 500 + 2_100, good);
    expect(state.alive).toBe(false);
  });

  it("drains and ends the drain on request, once each", () => {
    let state = afterDrain(unknownNode(1, options), true);
    expect(state).toMatchObject({ alive: true, draining: true, sequence: 1 });
    expect(afterDrain(state, true).sequence).toBe(1);
    state = afterDrain(state, false);
    expect(state).toMatchObject({ draining: false, sequence: 2, reason: "DRAIN_ENDED" });
  });
});

const verdicts = fc.array(
  fc.record({
    vantage: fc.constantFrom("a", "b", "c", "d"),
    healthy: fc.boolean(),
    gapMs: fc.integer({ min: 0, max: 3_000 }),
  }),
  { maxLength: 200 },
);

describe("any sequence of verdicts", () => {
  it("never kills without two fresh ones that agree, and never jumps up the ramp", () => {
    fc.assert(
      fc.property(verdicts, (steps) => {
        let state = unknownNode(7, options);
        let nowMs = 0;
        for (const { vantage, healthy, gapMs } of steps) {
          nowMs += gapMs;
          const before = state;
          state = afterVerdict(state, { vantage, healthy, receivedMs: nowMs }, options);
          const fresh = state.verdicts.filter((known) => nowMs - known.receivedMs <= 2_000);
          if (before.alive && !state.alive) {
            expect(fresh.filter((known) => !known.healthy).length).toBeGreaterThanOrEqual(2);
          }
          if (!before.alive && state.alive) {
            expect(fresh.filter((known) => known.goodChecks >= 20).length).toBeGreaterThanOrEqual(
              2,
            );
            expect(multiplierOf(state, options)).toBe(0.1);
          }
          if (before.alive && state.alive) {
            expect(state.rampStep - before.rampStep).toBeLessThanOrEqual(1);
          }
          expect(state.sequence - before.sequence).toBeLessThanOrEqual(1);
          if (judge(state.verdicts, nowMs, options) === "dead") expect(state.alive).toBe(false);
        }
      }),
    );
  });
});
