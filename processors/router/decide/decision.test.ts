import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  NodeInventory,
  PrefixVisibility,
  RouteDecision,
  ServicePolicy,
} from "../../../schemas/generated/events.ts";
import { decideOptions } from "./config.ts";
import { costOf, lossCost } from "./cost.ts";
import { nextDecision } from "./decision.ts";
import { largestMove, softMin, stepTowards } from "./fractions.ts";
import { type Judged, judgeNodes } from "./judge.ts";

const options = decideOptions.parse({});
const header = { eventId: new Uint8Array(16), eventMs: 0, logicVersion: 0 };

function node(nodeId: string, more: Partial<NodeInventory> = {}): NodeInventory {
  return {
    ...header,
    nodeId,
    place: "",
    country: "DE",
    region: "",
    latitude: 0,
    longitude: 0,
    baseUrl: "http://127.0.0.1",
    capacityRps: 100,
    serviceTimeMs: 5,
    prefixes: [],
    originAsns: [],
    protocols: [],
    jurisdiction: "DE",
    synthetic: false,
    ...more,
  };
}

function policy(more: Partial<ServicePolicy> = {}): ServicePolicy {
  return {
    ...header,
    serviceId: "web",
    hostnames: [],
    permittedNodes: [],
    forbiddenNodes: [],
    residency: [],
    nodeWeights: [],
    floorNodes: 1,
    ttlSeconds: 30,
    maxStepRatio: 0.25,
    version: 1,
    ...more,
  };
}

function view(state: PrefixVisibility["state"], wrongOrigin = false): PrefixVisibility {
  return {
    ...header,
    prefix: "10.0.0.0/8",
    nodeIds: [],
    state,
    reason: "",
    livePeers: 3,
    seeingPeers: 0,
    origins: [],
    wrongOrigin,
    minPathLength: 0,
    medianPathLength: 0,
  };
}

function judge(
  nodes: readonly NodeInventory[],
  rules: ServicePolicy,
  rtts: Readonly<Record<string, number>> = {},
  visible: PrefixVisibility["state"] | "WRONG" = "YES",
): Judged[] {
  const evidence = new Map(
    Object.entries(rtts).map(([nodeId, rttMs]) => [
      nodeId,
      {
        cell: "DE",
        node: {
          nodeId,
          rttMs,
          rttSigmaMs: 0,
          lossRatio: 0,
          samples: 1,
          lastSampleMs: 0,
          synthetic: false,
        },
      },
    ]),
  );
  const seen = visible === "WRONG" ? view("YES", true) : view(visible);
  const fleet = {
    nodes,
    prices: new Map(),
    overlay: new Map(),
    visibility: new Map([["10.0.0.0/8", seen]]),
  };
  return judgeNodes(fleet, rules, "DE", evidence, options);
}

const stored = (
  decision: Omit<RouteDecision, keyof typeof header> | undefined,
): RouteDecision | undefined => (decision === undefined ? undefined : { ...header, ...decision });

describe("costs", () => {
  it("make five per cent loss unusable and a tenth of a per cent cheap", () => {
    expect(lossCost(0.001, 20, options)).toBeLessThan(6);
    expect(lossCost(0.05, 20, options)).toBeGreaterThan(200);
    const clean = costOf(
      { rttMs: 133, rttSigmaMs: 0, lossRatio: 0, serviceTimeMs: 5, utilisation: 0, priceMs: 0 },
      options,
    );
    const lossy = costOf(
      { rttMs: 20, rttSigmaMs: 0, lossRatio: 0.3, serviceTimeMs: 5, utilisation: 0, priceMs: 0 },
      options,
    );
    expect(clean.costMs).toBeLessThan(lossy.costMs);
  });

  it("grow with load without end being reached", () => {
    const at = (utilisation: number): number =>
      costOf(
        { rttMs: 10, rttSigmaMs: 0, lossRatio: 0, serviceTimeMs: 5, utilisation, priceMs: 0 },
        options,
      ).queueMs;
    expect(at(0)).toBe(5);
    expect(at(0.5)).toBe(10);
    expect(at(7)).toBeCloseTo(100, 6);
  });
});

describe("fractions", () => {
  const weighted = fc.array(
    fc.record({
      nodeId: fc.integer({ min: 0, max: 999 }).map(String),
      costMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
      share: fc.double({ min: 0, max: 1_000, noNaN: true }),
    }),
    { minLength: 1, maxLength: 40 },
  );

  it("sum to 1, and a cheaper node never gets less than a dearer one of the same share", () => {
    fc.assert(
      fc.property(weighted, (nodes) => {
        const fractions = softMin(nodes, 8, 0.01);
        expect(fractions.reduce((sum, entry) => sum + entry.fraction, 0)).toBeCloseTo(1, 9);
        for (const [i, a] of nodes.entries()) {
          for (const [j, b] of nodes.entries()) {
            if (a.share !== b.share || a.costMs >= b.costMs) continue;
            expect(fractions[i]?.fraction ?? 0).toBeGreaterThanOrEqual(fractions[j]?.fraction ?? 0);
          }
        }
      }),
    );
  });

  it("move by at most the step, keep their sum, and arrive", () => {
    const pair = fc.tuple(weighted, fc.double({ min: 0.05, max: 1, noNaN: true }));
    fc.assert(
      fc.property(pair, ([nodes, maxStep]) => {
        const named = nodes.map((entry, i) => ({ ...entry, nodeId: String(i) }));
        const target = softMin(named, 8, 0.01);
        let at = softMin(
          [...named].map((entry) => ({ ...entry, costMs: 5_000 - entry.costMs })),
          50,
          0.01,
        );
        for (let step = 0; step < 40; step++) {
          const next = stepTowards(at, target, maxStep);
          expect(largestMove(at, next.fractions)).toBeLessThanOrEqual(maxStep + 1e-9);
          expect(next.fractions.reduce((sum, entry) => sum + entry.fraction, 0)).toBeCloseTo(1, 9);
          at = next.fractions;
          if (next.arrived) break;
        }
        expect(largestMove(at, target)).toBeLessThan(1e-6);
      }),
    );
  });
});

describe("a decision", () => {
  const nodes = [
    node("A"),
    node("B", { jurisdiction: "US" }),
    node("C", { prefixes: ["10.0.0.0/8"] }),
  ];

  it("never has a node that is forbidden, whatever else is true", () => {
    const name = fc.constantFrom<string>("A", "B", "C");
    fc.assert(
      fc.property(
        fc.uniqueArray(name),
        fc.uniqueArray(name),
        fc.boolean(),
        fc.constantFrom("YES" as const, "NO" as const, "UNKNOWN" as const, "WRONG" as const),
        fc.boolean(),
        (permittedNodes, forbiddenNodes, resident, visible, flagged) => {
          const residency = resident ? [{ clientCountry: "DE", jurisdictions: ["DE"] }] : [];
          const rules = policy({ permittedNodes, forbiddenNodes, residency });
          const before = stored({
            serviceId: "web",
            cell: "DE",
            version: 3,
            candidates: nodes.map((n) => ({ nodeId: n.nodeId, fraction: 1 / 3 })),
            flagged,
            reason: "",
            ttlSeconds: 30,
          });
          const { decision } = nextDecision(
            judge(nodes, rules, { A: 5, B: 6, C: 7 }, visible),
            rules,
            "DE",
            before,
            options,
          );
          if (decision === undefined) return;
          const allowed = nodes.filter(
            (n) =>
              !forbiddenNodes.includes(n.nodeId) &&
              (permittedNodes.length === 0 || permittedNodes.includes(n.nodeId)) &&
              (!resident || n.jurisdiction === "DE"),
          );
          for (const candidate of decision.candidates)
            expect(allowed.map((n) => n.nodeId)).toContain(candidate.nodeId);
          expect(decision.candidates.length === 0).toBe(allowed.length === 0);
          if (allowed.length > 0)
            expect(decision.candidates.reduce((sum, c) => sum + c.fraction, 0)).toBeCloseTo(1, 9);
        },
      ),
    );
  });

  it("masks a node that is certainly not visible at once and fully, and an unknown never", () => {
    const first = nextDecision(
      judge(nodes, policy(), { A: 5, B: 5, C: 5 }),
      policy(),
      "DE",
      undefined,
      options,
    ).decision;
    expect(first?.candidates).toHaveLength(3);
    const unknown = nextDecision(
      judge(nodes, policy(), { A: 5, B: 5, C: 5 }, "UNKNOWN"),
      policy(),
      "DE",
      stored(first),
      options,
    );
    expect(unknown.decision).toBeUndefined();
    const judged = judge(nodes, policy(), { A: 5, B: 5, C: 5 }, "NO");
    expect(judged.find((entry) => entry.nodeId === "C")?.reasons).toContain("NOT_VISIBLE");
    const masked = nextDecision(judged, policy(), "DE", stored(first), options).decision;
    expect(masked?.candidates).toEqual([
      { nodeId: "A", fraction: 0.5 },
      { nodeId: "B", fraction: 0.5 },
    ]);
    expect(masked?.reason).toBe("MASK");
  });

  it("keeps the last good set, flagged, when visibility empties it, and says so once", () => {
    const only = [node("C", { prefixes: ["10.0.0.0/8"] })];
    const first = nextDecision(
      judge(only, policy(), { C: 5 }),
      policy(),
      "DE",
      undefined,
      options,
    ).decision;
    const judged = judge(only, policy(), { C: 5 }, "NO");
    const kept = nextDecision(judged, policy(), "DE", stored(first), options).decision;
    expect(kept).toMatchObject({
      flagged: true,
      reason: "KEPT_LAST_GOOD",
      candidates: [{ nodeId: "C", fraction: 1 }],
    });
    expect(nextDecision(judged, policy(), "DE", stored(kept), options).decision).toBeUndefined();
    const back = nextDecision(
      judge(only, policy(), { C: 5 }),
      policy(),
      "DE",
      stored(kept),
      options,
    ).decision;
    expect(back).toMatchObject({ flagged: false, reason: "RESTORED" });
  });

  it("moves a shift by the policy's step at a time, and not at all for noise", () => {
    const near = nextDecision(
      judge(nodes, policy(), { A: 5, B: 90, C: 90 }),
      policy(),
      "DE",
      undefined,
      options,
    ).decision;
    expect(near?.candidates[0]).toEqual({ nodeId: "A", fraction: 1 });
    const noise = nextDecision(
      judge(nodes, policy(), { A: 6, B: 90, C: 90 }),
      policy(),
      "DE",
      stored(near),
      options,
    );
    expect(noise).toEqual({ decision: undefined, moving: false });
    const far = nextDecision(
      judge(nodes, policy(), { A: 200, B: 20, C: 200 }),
      policy(),
      "DE",
      stored(near),
      options,
    );
    expect(far.moving).toBe(true);
    expect(far.decision?.candidates.map((c) => c.fraction)).toEqual([0.75, 0.25, 0]);
    const held = policy({ maxStepRatio: 0 });
    expect(
      nextDecision(judge(nodes, held, { A: 200, B: 20, C: 200 }), held, "DE", stored(near), options)
        .decision,
    ).toBeUndefined();
  });
});
