import { describe, expect, it } from "vitest";
import { anomalyOptions } from "./config.ts";
import { type CpuHistory, judgeCpu, noCpuHistory, withCpuSample } from "./cpu-rule.ts";

const options = anomalyOptions.parse({});

/** Samples at 10 s, `cpu(i)` of sample i; undefined where it is lost. */
function run(
  samples: number,
  cpu: (index: number) => number | undefined,
  start: CpuHistory = noCpuHistory,
  first = 0,
): CpuHistory {
  let history = start;
  for (let index = first; index < first + samples; index++) {
    const value = cpu(index);
    if (value !== undefined) {
      history = withCpuSample(history, index * 10_000 + 3_217, value, options);
    }
  }
  return history;
}

const verdict = (history: CpuHistory) => judgeCpu(history, options).verdict;

describe("the CPU rule", () => {
  it("fires with the 30th sample above 80 %, not with the 29th", () => {
    expect(verdict(run(29, () => 0.9))).toBe("keep");
    expect(verdict(run(30, () => 0.9))).toBe("fire");
    expect(verdict(run(30, () => 0.8))).toBe("keep");
  });

  it("allows three lost samples of thirty, not four", () => {
    const lost = (many: number) => (index: number) =>
      index > 4 && index <= 4 + many ? undefined : 0.9;
    expect(verdict(run(30, lost(3)))).toBe("fire");
    expect(verdict(run(30, lost(4)))).toBe("keep");
  });

  it("needs all of the samples above", () => {
    expect(verdict(run(30, (index) => (index === 11 ? 0.79 : 0.95)))).toBe("keep");
  });

  it("takes two samples of ten seconds as one, and the lower of them", () => {
    let history = noCpuHistory;
    for (let half = 0; half < 40; half++) {
      history = withCpuSample(history, half * 5_000, 0.9, options);
    }
    expect(history.samples.length).toBe(20);
    expect(verdict(history)).toBe("keep");
    const late = withCpuSample(
      run(30, () => 0.9),
      150_001,
      0.1,
      options,
    );
    expect(verdict(late)).toBe("keep");
  });

  it("resolves after six samples in a row below 75 %", () => {
    const hot = run(30, () => 0.9);
    expect(verdict(run(5, () => 0.5, hot, 30))).toBe("keep");
    expect(verdict(run(6, () => 0.5, hot, 30))).toBe("resolve");
    expect(verdict(run(6, (index) => (index === 33 ? 0.76 : 0.5), hot, 30))).toBe("keep");
    expect(verdict(run(6, () => 0.75, hot, 30))).toBe("keep");
  });

  it("begins anew after five minutes without a sample", () => {
    const history = run(
      27,
      () => 0.9,
      run(1, () => 0.9),
      60,
    );
    expect(verdict(history)).toBe("keep");
  });
});
