import { describe, expect, it } from "vitest";
import type {
  NodeInventory,
  PathSample,
  ServicePolicy,
} from "../../../schemas/generated/events.ts";
import type { Emitted } from "../../../streams/processor.ts";
import { verifyTask } from "../../../streams/replay/verify.ts";
import { TopologyDriver } from "../../../streams/testing/topology-driver.ts";
import {
  cellRequests,
  deadLetters,
  nodeInventory,
  nodeLoads,
  nodeOverlay,
  nodePrices,
  nodeScores,
  pathSamples,
  prefixVisibility,
  routeDecisions,
  routeExplanations,
  servicePolicies,
} from "../../../streams/topics.ts";
import { allocatorProcessor } from "../allocator/processor.ts";
import { estimatesProcessor } from "../estimates/processor.ts";
import { decideProcessor } from "./processor.ts";

const nowMs = 1_700_000_000_000;
const processors = [estimatesProcessor(), decideProcessor(), allocatorProcessor()];

function node(
  nodeId: string,
  country: string,
  more: Partial<NodeInventory> = {},
): Emitted<NodeInventory> {
  return {
    nodeId,
    place: nodeId,
    country,
    region: "",
    latitude: 0,
    longitude: 0,
    baseUrl: "http://127.0.0.1:1",
    capacityRps: 100,
    serviceTimeMs: 5,
    prefixes: [],
    originAsns: [],
    protocols: ["http"],
    jurisdiction: country,
    synthetic: false,
    ...more,
  };
}

function policy(more: Partial<ServicePolicy> = {}): Emitted<ServicePolicy> {
  return {
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

function sample(cell: string, nodeId: string, rttMs: number): Emitted<PathSample> {
  return {
    cell,
    nodeId,
    rttMs,
    lossRatio: 0,
    jitterMs: 1,
    sampleCount: 1,
    origin: "PROBE",
    vantage: "v",
    synthetic: false,
  };
}

/** SAO is near Brazil, TYO near Japan. */
function fleet(): TopologyDriver {
  const driver = new TopologyDriver(processors, { slots: 4, nowMs });
  driver.send(nodeInventory, "SAO", node("SAO", "BR", { prefixes: ["203.0.113.0/24"] }));
  driver.send(nodeInventory, "TYO", node("TYO", "JP"));
  driver.send(servicePolicies, "web", policy());
  driver.settle();
  measure(driver);
  return driver;
}

function measure(driver: TopologyDriver): void {
  for (const [cell, nodeId, rtt] of [
    ["BR", "SAO", 10],
    ["BR", "TYO", 260],
    ["JP", "TYO", 8],
    ["JP", "SAO", 270],
  ] as const) {
    driver.send(pathSamples, cell, sample(cell, nodeId, rtt));
  }
  driver.settle();
}

const shares = (driver: TopologyDriver, key: string): Record<string, number> =>
  Object.fromEntries(
    (driver.table(routeDecisions).get(key)?.candidates ?? []).map((c) => [
      c.nodeId,
      Number(c.fraction.toFixed(3)),
    ]),
  );

describe("decide, with estimates and allocator", () => {
  it("sends clients to the near node, says why, and decides for unknown cells by capacity", () => {
    const driver = fleet();
    expect(shares(driver, "BR|web")).toEqual({ SAO: 1, TYO: 0 });
    expect(shares(driver, "JP|web")).toEqual({ SAO: 0, TYO: 1 });
    expect(shares(driver, "ZZ|web")).toEqual({ SAO: 0.5, TYO: 0.5 });
    const why = driver
      .records(routeExplanations)
      .filter((record) => record.key === "BR|web")
      .at(-1)?.value;
    expect(why?.version).toBe(driver.table(routeDecisions).get("BR|web")?.version);
    expect(why?.candidates.map((c) => [c.nodeId, Math.round(c.rttMs)])).toEqual([
      ["SAO", 10],
      ["TYO", 260],
    ]);
    expect(driver.records(deadLetters)).toEqual([]);
  });

  it("explains a decision again when more is known of its nodes, though no fraction moved", () => {
    const driver = new TopologyDriver(processors, { slots: 4, nowMs });
    driver.send(nodeInventory, "SAO", node("SAO", "BR"));
    driver.send(nodeInventory, "TYO", node("TYO", "JP"));
    driver.send(servicePolicies, "web", policy());
    driver.send(pathSamples, "BR", sample("BR", "SAO", 10));
    driver.settle();
    driver.send(pathSamples, "BR", sample("BR", "TYO", 260));
    driver.settle();
    const said = driver.records(routeExplanations).filter((record) => record.key === "BR|web");
    const reasons = said.map(
      (record) => record.value?.candidates.find((c) => c.nodeId === "TYO")?.reasons,
    );
    expect(reasons).toEqual([["NO_EVIDENCE"], []]);
    expect(new Set(said.map((record) => record.value?.version)).size).toBe(1);
  });

  it("masks a node whose prefix the internet certainly does not see, everywhere and at once", () => {
    const driver = fleet();
    const view = {
      prefix: "203.0.113.0/24",
      nodeIds: ["SAO"],
      reason: "",
      livePeers: 5,
      seeingPeers: 0,
      origins: [],
      wrongOrigin: false,
      minPathLength: 0,
      medianPathLength: 0,
    };
    driver.send(prefixVisibility, view.prefix, { ...view, state: "UNKNOWN" });
    driver.settle();
    expect(shares(driver, "BR|web")).toEqual({ SAO: 1, TYO: 0 });
    driver.send(prefixVisibility, view.prefix, { ...view, state: "NO" });
    driver.settle();
    for (const key of ["BR|web", "JP|web", "ZZ|web"])
      expect(shares(driver, key)).toEqual({ TYO: 1 });
    const why = driver
      .records(routeExplanations)
      .filter((record) => record.key === "BR|web")
      .at(-1)?.value;
    expect(why?.candidates.find((c) => c.nodeId === "SAO")?.reasons).toContain("NOT_VISIBLE");
    driver.send(prefixVisibility, view.prefix, { ...view, state: "YES", seeingPeers: 5 });
    driver.settle();
    driver.advance(20_000);
    expect(shares(driver, "BR|web")).toEqual({ SAO: 1, TYO: 0 });
  });

  it("sends a dead node's clients where they are served next best, and back", () => {
    const driver = fleet();
    driver.send(nodeInventory, "IAD", node("IAD", "US"));
    driver.send(pathSamples, "BR", sample("BR", "IAD", 120));
    driver.settle();
    driver.advance(5_000);
    const entry = {
      nodeId: "SAO",
      alive: false,
      draining: false,
      multiplier: 1,
      epoch: 1,
      sequence: 1,
      reason: "QUORUM",
    };
    driver.send(nodeOverlay, "SAO", entry);
    driver.settle();
    const first = shares(driver, "BR|web");
    expect(first["IAD"]).toBeGreaterThan(0.2);
    expect(first["TYO"]).toBe(0);
    driver.advance(10_000);
    expect(shares(driver, "BR|web")).toEqual({ IAD: 1, SAO: 0, TYO: 0 });
    const why = driver
      .records(routeExplanations)
      .filter((record) => record.key === "BR|web")
      .at(-1)?.value;
    expect(why?.candidates.find((c) => c.nodeId === "SAO")?.reasons).toContain("UNHEALTHY");
    driver.send(nodeOverlay, "SAO", { ...entry, alive: true, multiplier: 0.1, sequence: 2 });
    driver.settle();
    driver.advance(10_000);
    // Half of the shares stay with the next best, or the gateway's multiplier would take nothing away.
    expect(shares(driver, "BR|web")).toEqual({ IAD: 0.5, SAO: 0.5, TYO: 0 });
    driver.send(nodeOverlay, "SAO", { ...entry, alive: true, multiplier: 0.75, sequence: 3 });
    driver.settle();
    driver.advance(10_000);
    expect(shares(driver, "BR|web")).toEqual({ IAD: 0.5, SAO: 0.5, TYO: 0 });
    driver.send(nodeOverlay, "SAO", { ...entry, alive: true, multiplier: 1, sequence: 4 });
    driver.settle();
    driver.advance(10_000);
    expect(shares(driver, "BR|web")).toEqual({ IAD: 0, SAO: 1, TYO: 0 });
  });

  it("moves what is over a node's capacity to the next one by its price, and back", () => {
    const driver = fleet();
    const demand = (seconds: number, perSecond: number): void => {
      for (let s = 0; s < seconds; s++) {
        driver.send(cellRequests, "BR", {
          cell: "BR",
          gatewayId: "g",
          serviceId: "web",
          intervalMs: 1_000,
          nodes: [{ nodeId: "SAO", requests: perSecond, bytesSent: 0 }],
        });
        measure(driver);
        driver.advance(1_000);
      }
    };
    demand(180, 150);
    const load = [...driver.table(nodeLoads).values()]
      .filter((entry) => entry.nodeId === "SAO")
      .reduce((sum, entry) => sum + entry.predictedRps, 0);
    expect(load).toBeLessThanOrEqual(100);
    expect(shares(driver, "BR|web")["TYO"]).toBeGreaterThan(0.3);
    expect(driver.table(nodePrices).get("SAO")?.priceMs).toBeGreaterThan(100);
    expect(driver.table(nodeScores).get("SAO")?.loadRatio).toBeGreaterThan(0.5);
    demand(180, 10);
    expect(driver.table(nodePrices).get("SAO")?.priceMs).toBe(0);
    expect(shares(driver, "BR|web")).toEqual({ SAO: 1, TYO: 0 });
  }, 20_000);

  it("takes back the decisions of a service that is gone", () => {
    const driver = fleet();
    driver.sendRaw(servicePolicies, "web", undefined);
    driver.settle();
    expect(driver.table(routeDecisions).size).toBe(0);
  });

  it("replays to the same bytes", async () => {
    const driver = fleet();
    driver.advance(5_000);
    for (let i = 0; i < 30; i++) {
      driver.send(
        pathSamples,
        "BR",
        sample("BR", i % 3 === 0 ? "TYO" : "SAO", 10 + ((i * 37) % 300)),
      );
      if (i % 7 === 0) driver.advance(1_000);
      driver.settle();
    }
    for (const processor of processors) {
      const slots = processor.tasks === "one" ? 1 : driver.slots;
      for (let slot = 0; slot < slots; slot++) {
        const report = await verifyTask({ log: driver, processor, slot });
        expect(report.divergence).toBeUndefined();
      }
    }
  });
});
