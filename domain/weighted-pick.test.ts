import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Candidate,
  hashBlock,
  type Overlay,
  type OverlayEntry,
  type Picked,
  pick,
  type Refused,
  supersedes,
} from "./weighted-pick.ts";

const healthy: OverlayEntry = {
  alive: true,
  draining: false,
  multiplier: 1,
  epoch: 1,
  sequence: 1,
};
const dead: OverlayEntry = { ...healthy, alive: false };
const draining: OverlayEntry = { ...healthy, draining: true };
const none: Overlay = new Map();

/** The blocks 0.0.0.0/24, 0.0.1.0/24 and so on: neighbours, as real ones are. */
const hashes = Array.from({ length: 4_000 }, (_, at) =>
  hashBlock(4, Uint8Array.from([at >> 12, at >> 8, at, 0]), 24),
);

function nodeOf(result: Picked | Refused): string {
  return result.kind === "picked" ? result.nodeId : "";
}

function picksOf(
  candidates: readonly Candidate[],
  overlay: Overlay = none,
  forbidden?: ReadonlySet<string>,
): string[] {
  return hashes.map((hash) => nodeOf(pick(candidates, overlay, hash, forbidden)));
}

const fraction = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1, noNaN: true }));
const nodeId = fc.stringMatching(/^[A-Z]{3}[0-9]?$/);
const candidatesOf: fc.Arbitrary<Candidate[]> = fc.uniqueArray(fc.record({ nodeId, fraction }), {
  minLength: 1,
  maxLength: 8,
  selector: (candidate) => candidate.nodeId,
});
const entryOf: fc.Arbitrary<OverlayEntry> = fc.record({
  alive: fc.boolean(),
  draining: fc.boolean(),
  multiplier: fc.double({ min: 0, max: 1, noNaN: true }),
  epoch: fc.constant(1),
  sequence: fc.nat(),
});
/** Candidates, an entry for most of them, and some that are forbidden. */
const scene = candidatesOf.chain((candidates) =>
  fc.record({
    candidates: fc.constant(candidates),
    overlay: fc
      .array(fc.option(entryOf), { minLength: candidates.length, maxLength: candidates.length })
      .map((entries) => {
        const overlay = new Map<string, OverlayEntry>();
        candidates.forEach((candidate, at) => {
          const entry = entries[at];
          if (entry) overlay.set(candidate.nodeId, entry);
        });
        return overlay;
      }),
    forbidden: fc
      .subarray(candidates.map((candidate) => candidate.nodeId))
      .map((list) => new Set(list)),
    hash: fc.nat({ max: 0xffff_ffff }),
  }),
);

describe("pick", () => {
  it("holds the fractions over neighbouring blocks", () => {
    fc.assert(
      fc.property(candidatesOf, (candidates) => {
        const total = candidates.reduce((sum, candidate) => sum + candidate.fraction, 0);
        fc.pre(total > 0);
        const picks = picksOf(candidates);
        for (const candidate of candidates) {
          const share = candidate.fraction / total;
          const found = picks.filter((node) => node === candidate.nodeId).length / picks.length;
          const sigma = Math.sqrt((share * (1 - share)) / picks.length);
          expect(Math.abs(found - share)).toBeLessThanOrEqual(5 * sigma);
        }
      }),
      { numRuns: 30, seed: 20_240_501 },
    );
  });

  it("moves only the blocks of a node that is taken away", () => {
    fc.assert(
      fc.property(candidatesOf, fc.nat(), (candidates, index) => {
        fc.pre(candidates.filter((candidate) => candidate.fraction > 0).length > 1);
        const gone = candidates[index % candidates.length]?.nodeId;
        const before = picksOf(candidates);
        const after = picksOf(candidates.filter((candidate) => candidate.nodeId !== gone));
        const moved = before.filter((node, at) => node !== gone && node !== after[at]);
        expect(moved).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it("moves blocks only to a node whose fraction rises", () => {
    fc.assert(
      fc.property(
        candidatesOf,
        fc.nat(),
        fc.double({ min: 1, max: 9, noNaN: true }),
        (list, index, factor) => {
          const risen = list[index % list.length];
          fc.pre(risen !== undefined && risen.fraction > 0);
          const before = picksOf(list);
          const raised = list.map((candidate) =>
            candidate === risen ? { ...risen, fraction: risen.fraction * factor } : candidate,
          );
          const moved = picksOf(raised).filter(
            (node, at) => node !== before[at] && node !== risen?.nodeId,
          );
          expect(moved).toEqual([]);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe("pick, over random scenes,", () => {
  it("does not depend on the order of the candidates", () => {
    fc.assert(
      fc.property(scene, ({ candidates, overlay, forbidden, hash }) => {
        const reversed = candidates.toReversed();
        expect(pick(reversed, overlay, hash, forbidden)).toEqual(
          pick(candidates, overlay, hash, forbidden),
        );
      }),
    );
  });

  it("never picks a forbidden node, and refuses only when all are", () => {
    fc.assert(
      fc.property(scene, ({ candidates, overlay, forbidden, hash }) => {
        const result = pick(candidates, overlay, hash, forbidden);
        expect(result.kind === "refused").toBe(forbidden.size === candidates.length);
        if (result.kind === "picked") expect(forbidden.has(result.nodeId)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it("picks dead and draining nodes only when too few others are left, and says so", () => {
    fc.assert(
      fc.property(scene, ({ candidates, overlay, forbidden, hash }) => {
        const result = pick(candidates, overlay, hash, forbidden);
        if (result.kind === "refused") return;
        const permitted = candidates.filter((candidate) => !forbidden.has(candidate.nodeId));
        const entries = permitted.map((candidate) => overlay.get(candidate.nodeId) ?? healthy);
        const alive = entries.filter((entry) => entry.alive);
        const well = alive.filter((entry) => !entry.draining);
        const chosen = overlay.get(result.nodeId) ?? healthy;
        if (2 * well.length >= permitted.length) {
          expect(["FRACTION", "STANDBY"]).toContain(result.reason);
          expect(chosen.alive && !chosen.draining).toBe(true);
        } else if (2 * alive.length >= permitted.length) {
          expect(result.reason).toBe("DRAINING_LIFTED");
          expect(chosen.alive).toBe(true);
        } else expect(result.reason).toBe("DEAD_LIFTED");
      }),
      { numRuns: 1_000 },
    );
  });

  it("leaves a node without a fraction alone as long as one with a share takes part", () => {
    fc.assert(
      fc.property(scene, ({ candidates, forbidden, hash }) => {
        const result = pick(candidates, none, hash, forbidden);
        if (result.kind === "refused") return;
        const shared = candidates.some(
          (candidate) => candidate.fraction > 0 && !forbidden.has(candidate.nodeId),
        );
        const chosen = candidates.find((candidate) => candidate.nodeId === result.nodeId);
        expect(result.reason).toBe(shared ? "FRACTION" : "STANDBY");
        if (shared) expect(chosen?.fraction).toBeGreaterThan(0);
      }),
    );
  });
});

describe("pick with an overlay", () => {
  const four: Candidate[] = [
    { nodeId: "FRA", fraction: 0.1 },
    { nodeId: "IAD", fraction: 0.2 },
    { nodeId: "SAO", fraction: 0.7 },
    { nodeId: "TYO", fraction: 0 },
  ];

  it("steers away from one dead node at once, and nobody else moves", () => {
    const before = picksOf(four);
    const after = picksOf(four, new Map([["SAO", dead]]));
    expect(before.filter((node) => node === "SAO").length).toBeGreaterThan(2_600);
    expect(after.filter((node) => node === "SAO" || node === "TYO")).toEqual([]);
    expect(after.filter((node, at) => before[at] !== "SAO" && node !== before[at])).toEqual([]);
  });

  it("gives a returning node its ramp's share", () => {
    const ramped = new Map([["SAO", { ...healthy, multiplier: 0.1 }]]);
    const share = picksOf(four, ramped).filter((node) => node === "SAO").length / hashes.length;
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.22);
  });

  it("lets permitted nodes without a share stand in for dead ones", () => {
    const only = [
      { nodeId: "SAO", fraction: 1 },
      { nodeId: "TYO", fraction: 0 },
    ];
    const result = pick(only, new Map([["SAO", dead]]), 7);
    expect(result).toMatchObject({ nodeId: "TYO", reason: "STANDBY" });
  });

  it("uses draining nodes before dead ones", () => {
    const overlay = new Map([
      ["FRA", draining],
      ["IAD", draining],
      ["SAO", dead],
    ]);
    const result = pick(four, overlay, 7);
    expect(result).toMatchObject({ kind: "picked", reason: "DRAINING_LIFTED" });
    expect(picksOf(four, overlay)).not.toContain("SAO");
  });

  it("lifts no mask for a forbidden node, whatever is dead", () => {
    const overlay = new Map(four.map(({ nodeId: node }) => [node, dead]));
    const forbidden = new Set(["SAO", "IAD", "FRA"]);
    expect(pick(four, overlay, 7, forbidden)).toMatchObject({
      nodeId: "TYO",
      reason: "DEAD_LIFTED",
    });
    expect(pick(four, overlay, 7, new Set(four.map(({ nodeId: node }) => node)))).toEqual({
      kind: "refused",
      reason: "NO_PERMITTED_NODE",
    });
    expect(pick([], none, 7)).toMatchObject({ kind: "refused" });
  });
});

describe("hashBlock", () => {
  it("reads no host bits and tells blocks apart", () => {
    const base = hashBlock(4, Uint8Array.from([203, 0, 113, 0]), 22);
    expect(hashBlock(4, Uint8Array.from([203, 0, 115, 255]), 22)).toBe(base);
    expect(hashBlock(4, Uint8Array.from([203, 0, 116, 0]), 22)).not.toBe(base);
    expect(hashBlock(4, Uint8Array.from([203, 0, 113, 0]), 23)).not.toBe(base);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it("is the same on every machine and in every version", () => {
    expect(hashBlock(4, Uint8Array.from([203, 0, 113, 0]), 24)).toBe(3_222_436_483);
    expect(hashBlock(6, Uint8Array.from([0x20, 1, 0x0d, 0xb8, 0, 0, 0]), 48)).toBe(25_423_482);
  });
});

describe("supersedes", () => {
  it("orders by epoch, then sequence", () => {
    expect(supersedes(healthy, undefined)).toBe(true);
    expect(supersedes(healthy, healthy)).toBe(false);
    expect(supersedes({ ...healthy, sequence: 2 }, healthy)).toBe(true);
    expect(supersedes({ ...healthy, epoch: 2, sequence: 0 }, healthy)).toBe(true);
    expect(supersedes({ ...healthy, epoch: 0, sequence: 9 }, healthy)).toBe(false);
  });
});
