import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellKey } from "../../domain/cell.ts";
import { decisionOf, nodeOf, overlayOf, policyOf } from "../../test/kits/fleet.ts";
import { smallGeo } from "../../test/kits/small-geo.ts";
import { persistedOf, restoreViews } from "./persisted-views.ts";
import { Router } from "./router.ts";
import { Tables } from "./tables.ts";

const geo = smallGeo({ "133.0.0.0/8": "JP/13", "200.0.0.0/8": "BR" });

describe("tables that were written down", () => {
  it("give the same answers when they are read again", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const decisions = fc.dictionary(
      fc.constantFrom("JP", "JP/13", "BR", "@AS", "ZZ"),
      fc.record({ A: share, B: share, C: share }),
    );
    fc.assert(
      fc.property(decisions, fc.boolean(), fc.nat({ max: 50 }), (byCell, alive, sequence) => {
        const tables = new Tables();
        for (const nodeId of ["A", "B", "C"]) tables.nodes.put(nodeId, nodeOf(nodeId));
        tables.policies.put("web", policyOf("web", { hostnames: ["www.example"] }));
        tables.overlay.put("A", overlayOf("A", { alive, sequence, multiplier: 0.5 }));
        for (const [cell, fractions] of Object.entries(byCell)) {
          tables.decisions.put(
            cellKey(cell, "web"),
            decisionOf(cell, fractions, { version: sequence }),
          );
        }
        const restored = new Tables();
        const count = restoreViews(restored.views, persistedOf(tables.views, "log", 1));
        expect(count).toBe(tables.size);
        expect(restored.size).toBe(tables.size);
        expect(restored.policies.serviceOf("www.example")).toBe("web");
        const [before, after] = [new Router(tables, geo), new Router(restored, geo)];
        for (let block = 0; block < 60; block++) {
          const bytes = Uint8Array.of(block % 2 ? 133 : 200, block, 0, 0);
          expect({ ...after.route("web", 4, bytes) }).toEqual({ ...before.route("web", 4, bytes) });
        }
      }),
      { numRuns: 50 },
    );
  });

  it("leave out what cannot be read", () => {
    const tables = new Tables();
    tables.nodes.put("A", nodeOf("A"));
    const persisted = persistedOf(tables.views, "log", 1);
    const broken = new Map(persisted.tables);
    broken.set("node.inventory.v1", [
      { key: "A", value: Buffer.from([0, 0, 0, 0, 1, 255]), offset: 0 },
    ]);
    const restored = new Tables();
    expect(restoreViews(restored.views, { ...persisted, tables: broken })).toBe(0);
    expect(restored.size).toBe(0);
  });
});
