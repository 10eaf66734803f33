import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeHealth } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import { HealthProber } from "./health-prober.ts";
import type { CheckResult } from "./http-check.ts";
import { summarise } from "./path-summary.ts";

const good: CheckResult = { kind: "answered", status: 200, rttMs: 3 };
const sick: CheckResult = { kind: "answered", status: 503, rttMs: 3 };
const refused: CheckResult = { kind: "refused", reason: "ECONNREFUSED" };
const lost: CheckResult = { kind: "lost" };

async function roundOf(
  results: readonly CheckResult[],
  canary: (withinMs: number) => Promise<boolean>,
): Promise<{ verdicts: Emitted<NodeHealth>[]; prober: HealthProber }> {
  const verdicts: Emitted<NodeHealth>[] = [];
  const prober = new HealthProber({
    vantage: "v1",
    nodeIds: () => results.map((_, index) => String(index)),
    checkNode: (nodeId) => Promise.resolve(results[Number(nodeId)] as CheckResult),
    checkCanary: canary,
    checkTimeoutMs: 800,
    write: (verdict) => verdicts.push(verdict),
  });
  await prober.round();
  return { verdicts, prober };
}

const answers = async (): Promise<boolean> => true;
const silent = async (): Promise<boolean> => false;
const broken = (): Promise<boolean> => Promise.reject(new Error("no canary"));

describe("health rounds", () => {
  it("writes a verdict a node with the reason", async () => {
    const { verdicts } = await roundOf([good, sick, refused, lost], answers);
    const byNode = [...verdicts].sort((left, right) => left.nodeId.localeCompare(right.nodeId));
    expect(byNode.map(({ healthy, reason, rttMs }) => [healthy, reason, rttMs])).toEqual([
      [true, "", 3],
      [false, "HTTP_503", 3],
      [false, "ECONNREFUSED", null],
      [false, "TIMEOUT", null],
    ]);
    expect(
      verdicts.every(({ vantage, checkSequence }) => vantage === "v1" && checkSequence === 1),
    ).toBe(true);
  });

  it("counts its checks", async () => {
    const { prober, verdicts } = await roundOf([good], answers);
    await prober.round();
    expect(verdicts.map((verdict) => verdict.checkSequence)).toEqual([1, 2]);
  });

  it("believes in a dead fleet when a canary answers", async () => {
    const { verdicts, prober } = await roundOf([refused, refused, refused], answers);
    expect(verdicts.length).toBe(3);
    expect(prober.blind).toBe(false);
  });

  it("writes bad news of the few before the slow ones are done, once a canary answered", async () => {
    const verdicts: Emitted<NodeHealth>[] = [];
    let release: (result: CheckResult) => void = () => undefined;
    const prober = new HealthProber({
      vantage: "v1",
      nodeIds: () => ["dead", "slow"],
      checkNode: (nodeId) =>
        nodeId === "dead"
          ? Promise.resolve(refused)
          : new Promise((resolve) => (release = resolve)),
      checkCanary: answers,
      checkTimeoutMs: 800,
      write: (verdict) => verdicts.push(verdict),
    });
    const round = prober.round();
    await new Promise((resolve) => setImmediate(resolve));
    expect(verdicts.map((verdict) => verdict.nodeId)).toEqual(["dead"]);
    release(good);
    await round;
    expect(verdicts.length).toBe(2);
  });

  it("does not call a node slow when it is slow itself", async () => {
    const promptly = (withinMs: number): Promise<boolean> => Promise.resolve(withinMs >= 800);
    const { verdicts, prober } = await roundOf([lost, refused, good], promptly);
    expect(verdicts.map(({ nodeId, healthy }) => [nodeId, healthy])).toEqual(
      expect.arrayContaining([
        ["1", false],
        ["2", true],
      ]),
    );
    expect([verdicts.length, prober.silenced, prober.blind]).toEqual([2, 1, false]);
  });

  it("without a canary, says nothing bad exactly when most nodes fail", async () => {
    const results = fc.array(fc.constantFrom(good, sick, refused, lost), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(results, fc.constantFrom(silent, broken), async (list, canary) => {
        const bad = list.filter((result) => result !== good).length;
        const { verdicts, prober } = await roundOf(list, canary);
        const blind = bad > list.length / 2;
        expect(prober.blind).toBe(blind);
        const late = list.filter((result) => result === lost).length;
        const silenced = blind ? bad : late;
        expect(verdicts.filter((verdict) => !verdict.healthy).length).toBe(bad - silenced);
        expect(verdicts.filter((verdict) => verdict.healthy).length).toBe(list.length - bad);
        expect(prober.silenced).toBe(silenced);
      }),
    );
  });
});

describe("sums of a path's round", () => {
  const rtt = (rttMs: number): CheckResult => ({ kind: "answered", status: 200, rttMs });

  it.each([
    [[rtt(10), rtt(30), rtt(20)], { rttMs: 20, lossRatio: 0, jitterMs: 20 / 3, sampleCount: 3 }],
    [[rtt(10), rtt(20), lost, lost], { rttMs: 15, lossRatio: 0.5, jitterMs: 5, sampleCount: 4 }],
    [[lost, lost], { rttMs: null, lossRatio: 1, jitterMs: 0, sampleCount: 2 }],
    [[refused, rtt(5)], { rttMs: 5, lossRatio: 0, jitterMs: 0, sampleCount: 1 }],
    [[refused, refused], undefined],
    [[], undefined],
  ])("case %#", (results, expected) => {
    expect(summarise(results as CheckResult[])).toEqual(expected);
  });
});
