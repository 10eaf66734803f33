import { describe, expect, it } from "vitest";
import type { RouteDecision } from "../../schemas/generated/events.ts";
import { TopologyDriver } from "../../streams/testing/topology-driver.ts";
import {
  bgpUpdates,
  nodeInventory,
  pathSamples,
  routeDecisions,
  routeExplanations,
  servicePolicies,
} from "../../streams/topics.ts";
import { allocatorProcessor } from "./allocator/processor.ts";
import { decideProcessor } from "./decide/processor.ts";
import { estimatesProcessor } from "./estimates/processor.ts";
import { ribProcessor } from "./rib/processor.ts";
import { bgpMessage } from "./rib/testing/bgp-messages.ts";
import { inventoryOf } from "./testing/node-inventory.ts";
import { visibilityProcessor } from "./visibility/processor.ts";

const prefix = "203.0.113.0/24";
const peers = ["rrc/1/a", "rrc/2/b", "rrc/3/c"];

function topology(): TopologyDriver {
  const processors = [
    ribProcessor(),
    visibilityProcessor(),
    estimatesProcessor(),
    decideProcessor(),
    allocatorProcessor(),
  ];
  const driver = new TopologyDriver(processors, { slots: 4, nowMs: 1_800_000_000_000 });
  driver.send(servicePolicies, "web", {
    serviceId: "web",
    hostnames: ["web.test"],
    permittedNodes: [],
    forbiddenNodes: [],
    residency: [],
    nodeWeights: [],
    floorNodes: 1,
    ttlSeconds: 20,
    maxStepRatio: 0.2,
    version: 1,
  });
  // Host bits and case as a person may write them: the same prefix.
  const sao = inventoryOf("SAO", { prefixes: ["203.0.113.7/24"], originAsns: [64_500] });
  driver.send(nodeInventory, "SAO", sao);
  driver.send(nodeInventory, "IAD", inventoryOf("IAD", { country: "US", jurisdiction: "US" }));
  for (const peer of peers) {
    driver.send(bgpUpdates, peer, bgpMessage(peer, { announced: [{ prefix }], path: [1, 64_500] }));
  }
  sample(driver, "SAO", 10);
  sample(driver, "IAD", 120);
  driver.settle();
  return driver;
}

function sample(driver: TopologyDriver, nodeId: string, rttMs: number): void {
  driver.send(pathSamples, "BR", {
    cell: "BR",
    nodeId,
    rttMs,
    lossRatio: 0,
    jitterMs: 1,
    sampleCount: 5,
    origin: "PROBE",
    vantage: "v1",
    synthetic: true,
  });
}

function fractions(driver: TopologyDriver): Record<string, number> {
  driver.settle();
  const decision = driver.table(routeDecisions).get("BR|web") as RouteDecision;
  return Object.fromEntries(decision.candidates.map((entry) => [entry.nodeId, entry.fraction]));
}

describe("the router's chain", () => {
  it("leaves a node whose prefix all peers withdraw, at once, and says why", () => {
    const driver = topology();
    expect(fractions(driver)["SAO"]).toBeGreaterThan(0.98);
    for (const peer of peers) {
      driver.send(bgpUpdates, peer, bgpMessage(peer, { withdrawn: [{ prefix }] }));
    }
    expect(fractions(driver)).toEqual({ IAD: 1 });
    const explained = driver
      .records(routeExplanations)
      .filter(({ key }) => key === "BR|web")
      .at(-1)?.value;
    const sao = explained?.candidates.find((node) => node.nodeId === "SAO");
    expect(sao).toMatchObject({ masked: true, fraction: 0, reasons: ["NOT_VISIBLE"] });
  });

  it("takes the mask off when the feed falls silent: the unknown never masks", () => {
    const driver = topology();
    for (const peer of peers) {
      driver.send(bgpUpdates, peer, bgpMessage(peer, { withdrawn: [{ prefix }] }));
    }
    expect(fractions(driver)).toEqual({ IAD: 1 });
    for (let second = 0; second < 80; second++) {
      driver.advance(1_000);
      if (second % 10 === 0) sample(driver, "SAO", 10);
    }
    expect(fractions(driver)["SAO"]).toBeGreaterThan(0.98);
  });
});
