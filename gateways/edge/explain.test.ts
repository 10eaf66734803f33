import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../domain/address.ts";
import { cellKey } from "../../domain/cell.ts";
import { decisionOf, nodeOf, overlayOf, policyOf } from "../../test/kits/fleet.ts";
import { smallGeo } from "../../test/kits/small-geo.ts";
import { explain } from "./explain.ts";
import { Router } from "./router.ts";
import { Tables } from "./tables.ts";

const geo = smallGeo({ "133.0.0.0/8": "JP/13" });
const nodeIds = ["A", "B", "C", "D"] as const;
const address = parseAddress("133.11.7.8");
if (address === undefined) throw new Error("address");

/** Tables with these shares, of which some nodes are dead, draining, ramping or forbidden. */
const fleet = fc.array(
  fc.record({
    share: fc.constantFrom(0, 0.1, 0.4, 1),
    alive: fc.boolean(),
    draining: fc.boolean(),
    multiplier: fc.constantFrom(0.1, 0.5, 1),
    forbidden: fc.boolean(),
  }),
  { minLength: nodeIds.length, maxLength: nodeIds.length },
);

describe("explanations", () => {
  it("give a node a share exactly when some block of the cell gets it", () => {
    fc.assert(
      fc.property(fleet, (states) => {
        const tables = new Tables();
        const router = new Router(tables, geo);
        const fractions: Record<string, number> = {};
        for (const [index, nodeId] of nodeIds.entries()) {
          const { share, alive, draining, multiplier } = states[index] as (typeof states)[number];
          fractions[nodeId] = share;
          tables.nodes.put(nodeId, nodeOf(nodeId));
          tables.overlay.put(nodeId, overlayOf(nodeId, { alive, draining, multiplier }));
        }
        const forbiddenNodes = nodeIds.filter((_, index) => states[index]?.forbidden);
        tables.policies.put("web", policyOf("web", { forbiddenNodes }));
        tables.decisions.put("", decisionOf("JP", fractions));
        expect(tables.decisions.find("JP", "web")).toBeGreaterThanOrEqual(0);
        const { candidates, pick } = explain(router, tables, {
          serviceId: "web",
          address,
          stale: false,
        });
        const total = candidates.reduce((sum, one) => sum + one.effectiveFraction, 0);
        expect(total).toBeCloseTo(pick.nodeId === "" ? 0 : 1, 9);
        const counts = new Map<string, number>();
        for (let block = 0; block < 200; block++) {
          const { nodeId } = router.route("web", 4, Uint8Array.of(133, block, 0, 0));
          counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
        }
        for (const { nodeId, effectiveFraction, prohibition } of candidates) {
          const count = counts.get(nodeId) ?? 0;
          expect(prohibition === "").toBe(!forbiddenNodes.includes(nodeId as never));
          if (effectiveFraction === 0) expect(count).toBe(0);
          else if (effectiveFraction > 0.05) expect(count).toBeGreaterThan(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("name the fallbacks and what was used", () => {
    const tables = new Tables();
    tables.nodes.put("A", nodeOf("A", { place: "Aachen" }));
    tables.policies.put("web", policyOf("web"));
    tables.decisions.put(
      "",
      decisionOf("@AS", { A: 1 }, { version: 9, flagged: true, ttlSeconds: 60 }),
    );
    const router = new Router(tables, geo);
    const explained = explain(router, tables, { serviceId: "web", address, stale: true });
    expect(explained).toMatchObject({
      block: "133.11.0.0/16",
      cell: "JP/13",
      country: "JP",
      decision: { cell: "@AS", version: 9, flagged: true, ttlSeconds: 60 },
      pick: { nodeId: "A", reason: "FRACTION", origin: "http://a.example" },
      candidates: [{ nodeId: "A", place: "Aachen", effectiveFraction: 1 }],
      stale: true,
    });
    expect(explained.fallbacks.map(({ cell, decided }) => `${cell} ${decided}`)).toEqual([
      "JP/13 false",
      "JP false",
      "@AS true",
      "ZZ false",
    ]);
    tables.decisions.remove(cellKey("@AS", "web"));
    expect(explain(router, tables, { serviceId: "web", address, stale: true })).toMatchObject({
      decision: undefined,
      pick: { nodeId: "A", reason: "NO_DECISION" },
      candidates: [{ fraction: 1 }],
    });
  });
});
