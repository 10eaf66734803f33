import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anomalyOptions } from "./config.ts";
import { flapsAt, judgeFlaps, noFlapHistory, withFlap } from "./flap-rule.ts";

const options = anomalyOptions.parse({});

describe("the flap rule", () => {
  it("fires on the 11th flap within 60 s", () => {
    let history = noFlapHistory;
    for (let flap = 1; flap <= 10; flap++)
      history = withFlap(history, flap * 6_000 - 6_000, options);
    expect(judgeFlaps(history, options).verdict).toBe("resolve");
    const eleventh = withFlap(history, 59_999, options);
    expect(judgeFlaps(eleventh, options)).toEqual({ verdict: "fire", value: 11, samples: 11 });
    expect(judgeFlaps(withFlap(history, 60_000, options), options).verdict).toBe("resolve");
    expect(judgeFlaps(flapsAt(eleventh, 60_000, options), options).verdict).toBe("resolve");
  });

  it("agrees with a count of the whole window", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 15_000 }), { maxLength: 100 });
    fc.assert(
      fc.property(gaps, (steps) => {
        let history = noFlapHistory;
        let nowMs = 0;
        const times: number[] = [];
        for (const gap of steps) {
          nowMs += gap;
          times.push(nowMs);
          history = withFlap(history, nowMs, options);
          const count = times.filter((time) => time > nowMs - 60_000).length;
          expect(judgeFlaps(history, options).verdict === "fire").toBe(count > 10);
        }
      }),
    );
  });
});
