import { describe, expect, it } from "vitest";
import type { PrefixVisibility } from "../../../schemas/generated/events.ts";
import { TopologyDriver } from "../../../streams/testing/topology-driver.ts";
import { bgpUpdates, nodeInventory, prefixVisibility } from "../../../streams/topics.ts";
import { ribProcessor } from "../rib/processor.ts";
import { bgpMessage } from "../rib/testing/bgp-messages.ts";
import { inventoryOf } from "../testing/node-inventory.ts";
import { visibilityProcessor } from "./processor.ts";

const prefix = "192.0.2.0/24";
const peers = ["rrc/1/a", "rrc/2/b", "rrc/3/c", "rrc/4/d"];

/** The two processors with a prefix of SAO and four peers that all see it. */
function topology(live = true): TopologyDriver {
  const processors = [ribProcessor(), visibilityProcessor()];
  const driver = new TopologyDriver(processors, { slots: 3, nowMs: 1_800_000_000_000 });
  const sao = inventoryOf("SAO", { prefixes: ["192.0.2.1/24"], originAsns: [64_500] });
  driver.send(nodeInventory, "SAO", sao);
  for (const peer of peers) {
    say(driver, peer, { announced: [{ prefix }], path: [1, 64_500], live });
  }
  driver.settle();
  return driver;
}

function say(driver: TopologyDriver, peer: string, given: Parameters<typeof bgpMessage>[1]): void {
  driver.send(bgpUpdates, peer, bgpMessage(peer, given));
}

function stateOf(driver: TopologyDriver): Partial<PrefixVisibility> | undefined {
  driver.settle();
  const found = driver.table(prefixVisibility).get(prefix);
  if (found === undefined) return undefined;
  const { state, reason, livePeers, seeingPeers } = found;
  return { state, reason, livePeers, seeingPeers };
}

/** The peers talk about something else for so many seconds. */
function chatter(driver: TopologyDriver, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    driver.advance(1_000);
    for (const peer of peers) {
      say(driver, peer, { announced: [{ prefix: `10.${second % 200}.0.0/16` }], path: [1, 2] });
    }
  }
}

describe("visibility behind the rib", () => {
  it("sees a prefix leave and come back while the feed stays live", () => {
    const driver = topology();
    expect(stateOf(driver)).toEqual({ state: "YES", reason: "SEEN", livePeers: 4, seeingPeers: 4 });
    for (const peer of peers) say(driver, peer, { withdrawn: [{ prefix }] });
    expect(stateOf(driver)).toEqual({
      state: "NO",
      reason: "NOT_SEEN",
      livePeers: 4,
      seeingPeers: 0,
    });
    chatter(driver, 65);
    expect(stateOf(driver)?.state).toBe("NO");
    for (const peer of peers) say(driver, peer, { announced: [{ prefix }], path: [1, 64_500] });
    expect(stateOf(driver)?.state).toBe("YES");
  });

  it("knows nothing once the feed is silent for 60 s, and knows again when it speaks", () => {
    const driver = topology();
    for (const peer of peers) say(driver, peer, { withdrawn: [{ prefix }] });
    driver.advance(40_000);
    expect(stateOf(driver)?.state).toBe("NO");
    driver.advance(30_000);
    expect(stateOf(driver)).toMatchObject({ state: "UNKNOWN", reason: "FEED_SILENT" });
    chatter(driver, 1);
    expect(stateOf(driver)).toMatchObject({ state: "NO", livePeers: 4 });
  });

  it("knows nothing when the sessions are gone, however many said that the prefix is", () => {
    const driver = topology();
    for (const peer of peers.slice(0, 2)) say(driver, peer, { message: "PEER_DOWN" });
    expect(stateOf(driver)).toMatchObject({
      state: "UNKNOWN",
      reason: "TOO_FEW_PEERS",
      livePeers: 2,
    });
  });

  it("takes no history for evidence", () => {
    const driver = topology(false);
    expect(stateOf(driver)).toMatchObject({ state: "UNKNOWN", reason: "HISTORICAL_FEED" });
  });

  it("writes a registered prefix that no feed speaks of as unknown, and removes it with its node", () => {
    const driver = topology();
    driver.send(nodeInventory, "FRA", inventoryOf("FRA", { prefixes: ["198.51.100.0/24"] }));
    driver.settle();
    const found = driver.table(prefixVisibility).get("198.51.100.0/24");
    expect(found).toMatchObject({ state: "UNKNOWN", reason: "NO_VIEWS", nodeIds: ["FRA"] });
    driver.sendRaw(nodeInventory, "FRA", undefined);
    driver.sendRaw(nodeInventory, "SAO", undefined);
    driver.settle();
    expect(driver.table(prefixVisibility).size).toBe(0);
  });
});
