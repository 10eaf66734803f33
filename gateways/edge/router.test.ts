import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { parseAddress } from "../../domain/address.ts";
import { cellKey } from "../../domain/cell.ts";
import type { RouteDecision } from "../../schemas/generated/events.ts";
import { decisionOf, nodeOf, overlayOf, policyOf } from "../../test/kits/fleet.ts";
import { smallGeo } from "../../test/kits/small-geo.ts";
import { type Route, Router } from "./router.ts";
import { Tables } from "./tables.ts";

const geo = smallGeo({
  "133.11.0.0/16": "JP/13/2516",
  "133.12.0.0/16": "JP/27",
  "200.160.0.0/20": "BR/sp",
  "2001:200::/32": "JP/13/2516",
});

let tables: Tables;
let router: Router;

beforeEach(() => {
  tables = new Tables();
  router = new Router(tables, geo);
  tables.policies.put("web", policyOf("web"));
  for (const [nodeId, jurisdiction] of [
    ["TYO", "JP"],
    ["SAO", "BR"],
    ["FRA", "DE"],
  ] as const) {
    tables.nodes.put(nodeId, nodeOf(nodeId, { jurisdiction }));
  }
});

function decide(
  cell: string,
  fractions: Record<string, number>,
  more: Partial<RouteDecision> = {},
): void {
  tables.decisions.put(cellKey(cell, "web"), decisionOf(cell, fractions, more));
}

function route(text: string, service = "web"): Route {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return { ...router.route(service, address.family, address.bytes) };
}

describe("routes", () => {
  it("uses the narrowest decision on the way up", () => {
    decide("@AS", { SAO: 1 }, { version: 1 });
    expect(route("133.11.1.1")).toMatchObject({
      nodeId: "SAO",
      decisionCell: "@AS",
      decisionVersion: 1,
    });
    decide("JP", { FRA: 1 }, { version: 2 });
    expect(route("133.11.1.1")).toMatchObject({
      nodeId: "FRA",
      decisionCell: "JP",
      decisionVersion: 2,
    });
    decide("JP/13/2516", { TYO: 1 }, { version: 3, flagged: true });
    expect(route("133.11.1.1")).toEqual({
      origin: "http://tyo.example",
      nodeId: "TYO",
      reason: "FRACTION",
      cell: "JP/13/2516",
      country: "JP",
      blockLength: 16,
      decisionCell: "JP/13/2516",
      decisionVersion: 3,
      overlaySequence: 0,
      flagged: true,
    });
    expect(route("2001:200::1")).toMatchObject({ nodeId: "TYO", blockLength: 32 });
    expect(route("133.12.1.1")).toMatchObject({ nodeId: "FRA", cell: "JP/27" });
    tables.decisions.remove(cellKey("JP/13/2516", "web"));
    expect(route("133.11.1.1").nodeId).toBe("FRA");
  });

  it("gives every address of a block the same node, and blocks by fraction", () => {
    decide("ZZ", { TYO: 0.5, SAO: 0.25, FRA: 0.25 });
    const counts: Record<string, number> = { TYO: 0, SAO: 0, FRA: 0 };
    for (let block = 0; block < 200; block++) {
      const { nodeId } = route(`10.${block}.1.1`);
      expect(route(`10.${block}.250.9`).nodeId).toBe(nodeId);
      counts[nodeId] = (counts[nodeId] as number) + 1;
    }
    expect(counts["TYO"]).toBeGreaterThan(70);
    expect(counts["TYO"]).toBeLessThan(130);
    expect(counts["SAO"]).toBeGreaterThan(25);
  });

  it("obeys the overlay at once", () => {
    decide("BR", { SAO: 1, FRA: 0, TYO: 0 });
    tables.overlay.put("SAO", overlayOf("SAO", { sequence: 7 }));
    expect(route("200.160.1.1")).toMatchObject({ nodeId: "SAO", overlaySequence: 7 });
    tables.overlay.put("SAO", overlayOf("SAO", { alive: false, sequence: 8 }));
    expect(route("200.160.1.1")).toMatchObject({ reason: "STANDBY" });
    expect(route("200.160.1.1").nodeId).not.toBe("SAO");
    tables.overlay.put("SAO", overlayOf("SAO", { sequence: 6 }));
    expect(route("200.160.1.1").nodeId).not.toBe("SAO");
  });

  it("spreads by capacity where nothing is decided, and says so", () => {
    tables.nodes.put("TYO", nodeOf("TYO", { capacityRps: 0 }));
    tables.nodes.put("FRA", nodeOf("FRA", { capacityRps: 0 }));
    expect(route("200.160.1.1")).toMatchObject({
      nodeId: "SAO",
      reason: "NO_DECISION",
      decisionVersion: 0,
      decisionCell: "",
    });
  });

  it("masks by the client's own country under a wider cell's decision", () => {
    tables.policies.put(
      "web",
      policyOf("web", { residency: [{ clientCountry: "JP", jurisdictions: ["JP"] }] }),
    );
    decide("@AS", { SAO: 1, FRA: 0 });
    expect(route("133.11.1.1")).toMatchObject({ nodeId: "TYO", reason: "NO_DECISION" });
    decide("@AS", { SAO: 0.99, TYO: 0.01 });
    expect(route("133.11.1.1")).toMatchObject({ nodeId: "TYO", reason: "FRACTION" });
  });

  it("refuses where the country's own decision has nobody who may serve", () => {
    decide("JP", {});
    expect(route("133.11.1.1")).toMatchObject({
      origin: undefined,
      nodeId: "",
      reason: "NO_PERMITTED_NODE",
    });
    expect(route("200.160.1.1").reason).toBe("NO_DECISION");
  });

  it("never names a node that the inventory lacks or that has no usable URL", () => {
    decide("BR", { GONE: 0.9, SAO: 0.1 });
    tables.nodes.put("FRA", nodeOf("FRA", { baseUrl: "javascript:alert(1)" }));
    expect(route("200.160.1.1").nodeId).toBe("SAO");
    tables.nodes.remove("SAO");
    expect(route("200.160.1.1").reason).toBe("NO_PERMITTED_NODE");
    decide("BR", { FRA: 1 });
    expect(route("200.160.1.1").reason).toBe("NO_PERMITTED_NODE");
  });

  it("never names a node or service that no token can name", () => {
    const long = "N".repeat(65);
    for (const nodeId of [long, "", "a b", "ü"]) tables.nodes.put(nodeId, nodeOf(nodeId));
    decide("BR", { [long]: 0.5, "a b": 0.4, ü: 0.05, SAO: 0.05 });
    expect(route("200.160.1.1").nodeId).toBe("SAO");
    tables.policies.put(long, policyOf(long));
    expect(route("200.160.1.1", long).reason).toBe("UNKNOWN_SERVICE");
  });

  it("knows no service without a policy, and nothing without nodes", () => {
    expect(route("200.160.1.1", "video").reason).toBe("UNKNOWN_SERVICE");
    tables.clear();
    expect(tables.size).toBe(0);
    expect(route("200.160.1.1").reason).toBe("NOT_READY");
  });

  it("follows a reloaded geo table", () => {
    decide("BR", { SAO: 1 });
    decide("JP", { TYO: 1 });
    expect(route("200.160.1.1").nodeId).toBe("SAO");
    router.useGeo(smallGeo({ "200.160.0.0/20": "JP/13" }));
    expect(route("200.160.1.1")).toMatchObject({ nodeId: "TYO", cell: "JP/13" });
  });

  it("a forbidden node is never picked, whatever dies and whatever is decided", () => {
    const nodeIds = ["TYO", "SAO", "FRA"] as const;
    const flags = fc.record({ TYO: fc.boolean(), SAO: fc.boolean(), FRA: fc.boolean() });
    const fractions = fc.dictionary(
      fc.constantFrom(...nodeIds),
      fc.double({ min: 0, max: 1, noNaN: true }),
    );
    const cells = fc.uniqueArray(fc.constantFrom("JP/13/2516", "JP", "@AS", "ZZ"));
    fc.assert(
      fc.property(
        flags,
        flags,
        fractions,
        cells,
        fc.nat({ max: 255 }),
        (forbidden, dead, share, where, low) => {
          for (const key of [...tables.decisions.keys()]) tables.decisions.remove(key);
          for (const cell of where) decide(cell, share);
          const forbiddenNodes = nodeIds.filter((nodeId) => forbidden[nodeId]);
          tables.policies.put("web", policyOf("web", { forbiddenNodes }));
          for (const [index, nodeId] of nodeIds.entries()) {
            tables.overlay.remove(nodeId);
            tables.overlay.put(
              nodeId,
              overlayOf(nodeId, { alive: !dead[nodeId], sequence: index + 1 }),
            );
          }
          const { nodeId, origin, reason } = route(`133.11.${low}.1`);
          expect(forbiddenNodes).not.toContain(nodeId);
          if (forbiddenNodes.length === 3) expect(reason).toBe("NO_PERMITTED_NODE");
          expect(origin === undefined).toBe(nodeId === "");
        },
      ),
      { numRuns: 500 },
    );
  });
});
