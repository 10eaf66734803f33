import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Alert } from "../../schemas/generated/events.ts";
import { TestDriver } from "../../streams/testing/test-driver.ts";
import {
  alerts,
  bgpFlaps,
  nodeInventory,
  nodeMetrics,
  pathSamples,
  taskCommits,
} from "../../streams/topics.ts";
import { anomalyProcessor } from "./processor.ts";

const startMs = 1_800_000_000_000;

interface Metrics {
  readonly cpuRatio?: number;
  readonly connects?: number;
  readonly reconnects?: number;
}

function metrics(driver: TestDriver, atMs: number, given: Metrics, nodeId = "SAO"): void {
  const value = {
    nodeId,
    cpuRatio: 0.2,
    memoryRatio: 0.5,
    eventLoopDelayMs: 1,
    connections: 10,
    connects: 0,
    reconnects: 0,
    requests: 5,
    bytesSent: 100,
    intervalMs: 10_000,
    synthetic: false,
    ...given,
  };
  driver.send(nodeMetrics, nodeId, value, { eventMs: startMs + atMs });
}

function node(driver: TestDriver, nodeId: string, country: string): void {
  const value = {
    nodeId,
    place: "",
    country,
    region: "",
    latitude: 0,
    longitude: 0,
    baseUrl: "",
    capacityRps: 1,
    serviceTimeMs: 1,
    prefixes: [],
    originAsns: [],
    protocols: [],
    jurisdiction: country,
    synthetic: true,
  };
  driver.send(nodeInventory, nodeId, value, { eventMs: startMs });
}

function sample(driver: TestDriver, cell: string, atMs: number, rttMs: number | null): void {
  const value = {
    cell,
    nodeId: "TYO",
    rttMs,
    lossRatio: 0,
    jitterMs: 0,
    sampleCount: 1,
    origin: "PROBE" as const,
    vantage: "v",
    synthetic: false,
  };
  driver.send(pathSamples, cell, value, { eventMs: startMs + atMs });
}

function flap(driver: TestDriver, atMs: number): void {
  const value = {
    peer: "rrc/1/a",
    prefix: "192.0.2.0/24",
    change: "REANNOUNCED" as const,
    originAsn: 1,
    previousOriginAsn: 1,
    withdrawnMs: 0,
  };
  driver.send(bgpFlaps, "rrc/1/a|192.0.2.0/24", value, { eventMs: startMs + atMs });
}

function said(driver: TestDriver): [string, string, number][] {
  return driver
    .outputs(alerts)
    .map(({ value }) => value as Alert)
    .map((alert) => [alert.rule, alert.state, (alert.resolvedMs || alert.startedMs) - startMs]);
}

/** Entries of the stores that the last commit changed, from the journal. */
function entries(driver: TestDriver): Record<string, number> {
  const stores = driver.outputs(taskCommits).at(-1)?.value?.stores ?? [];
  return Object.fromEntries(
    stores
      .filter(({ store }) => !store.startsWith("~"))
      .map(({ store, entries: count }) => [store, count]),
  );
}

describe("the anomaly processor", () => {
  it("fires once and resolves once for a hot node", () => {
    const driver = new TestDriver(anomalyProcessor());
    for (let i = 0; i < 40; i++) metrics(driver, i * 10_000, { cpuRatio: 0.85 });
    expect(said(driver)).toEqual([["node-cpu", "FIRING", 290_000]]);
    for (let i = 40; i < 50; i++) metrics(driver, i * 10_000, { cpuRatio: 0.3 });
    expect(said(driver)).toEqual([["node-cpu", "RESOLVED", 450_000]]);
  });

  it("judges reconnects over 30 s from at least 20 attempts", () => {
    const driver = new TestDriver(anomalyProcessor());
    metrics(driver, 0, { connects: 17, reconnects: 2 });
    expect(said(driver)).toEqual([]);
    metrics(driver, 10_000, { connects: 1, reconnects: 0 });
    expect(said(driver)).toEqual([["reconnect-ratio", "FIRING", 10_000]]);
    metrics(driver, 20_000, { connects: 20, reconnects: 0 });
    expect(said(driver)).toEqual([["reconnect-ratio", "RESOLVED", 20_000]]);
    metrics(driver, 60_000, { connects: 19, reconnects: 1 });
    expect(said(driver)).toEqual([]);
  });

  it("fires when a node's metrics stay away, by other nodes' time and by ticks", () => {
    const driver = new TestDriver(anomalyProcessor());
    metrics(driver, 0, {}, "TYO");
    for (let i = 0; i <= 7; i++) metrics(driver, i * 10_000, {}, "SAO");
    expect(said(driver)).toEqual([["metric-silence", "FIRING", 60_000]]);
    metrics(driver, 71_000, {}, "TYO");
    expect(said(driver)).toEqual([["metric-silence", "RESOLVED", 71_000]]);
    for (let second = 72; second < 160; second++) driver.tick(startMs + second * 1_000);
    const silent = said(driver);
    expect(silent.map(([rule, state]) => `${rule} ${state}`)).toEqual([
      "metric-silence FIRING",
      "metric-silence FIRING",
    ]);
  });

  it("fires on slow paths across a border, and resolves when the window has passed", () => {
    const driver = new TestDriver(anomalyProcessor());
    node(driver, "TYO", "JP");
    for (let i = 0; i < 30; i++) sample(driver, "JP/tokyo", i * 1_000, 900);
    for (let i = 0; i < 19; i++) sample(driver, "BR/sp", i * 1_000, 900);
    sample(driver, "BR/sp", 19_000, null);
    expect(said(driver)).toEqual([]);
    sample(driver, "BR/rj", 19_500, 900);
    expect(said(driver)).toEqual([["cross-border-delay", "FIRING", 19_500]]);
    for (let i = 20; i < 90; i++) sample(driver, "JP", i * 1_000, 5);
    expect(said(driver)).toEqual([["cross-border-delay", "RESOLVED", 61_000]]);
  });

  it("fires on the 11th flap of a minute at once, and resolves when fewer are left", () => {
    const driver = new TestDriver(anomalyProcessor());
    for (let i = 0; i < 10; i++) flap(driver, i * 1_000);
    expect(said(driver)).toEqual([]);
    flap(driver, 10_000);
    expect(said(driver)).toEqual([["bgp-flaps", "FIRING", 10_000]]);
    flap(driver, 11_000);
    expect(said(driver)).toEqual([]);
    flap(driver, 62_500);
    expect(said(driver)).toEqual([["bgp-flaps", "RESOLVED", 61_000]]);
  });

  it("keeps nothing of routes and pairs whose windows are empty", () => {
    const driver = new TestDriver(anomalyProcessor());
    node(driver, "TYO", "JP");
    flap(driver, 0);
    sample(driver, "BR", 0, 900);
    expect(entries(driver)).toEqual({ countries: 1, flaps: 1, pairs: 1 });
    for (let second = 0; second < 200; second++) driver.tick(startMs + second * 1_000);
    expect(entries(driver)).toEqual({ flaps: 0, pairs: 0 });
  });

  it("resolves what it said of a node that left the inventory", () => {
    const driver = new TestDriver(anomalyProcessor());
    node(driver, "SAO", "BR");
    metrics(driver, 0, { connects: 10, reconnects: 30 });
    expect(said(driver)).toEqual([["reconnect-ratio", "FIRING", 0]]);
    driver.remove(nodeInventory, "SAO", { timestampMs: startMs + 5_000 });
    expect(said(driver)).toEqual([["reconnect-ratio", "RESOLVED", 5_000]]);
  });
});

describe("the anomaly processor on random events", () => {
  const steps = fc.array(
    fc.record({
      what: fc.constantFrom("metrics", "flap", "sample", "tick"),
      gapMs: fc.integer({ min: 0, max: 12_000 }),
      many: fc.integer({ min: 1, max: 12 }),
      bad: fc.boolean(),
    }),
    { minLength: 60, maxLength: 80 },
  );

  /** Short windows, so that random events reach every rule. */
  const quickRules = {
    cpuWindowSamples: 10,
    cpuMinSamples: 1,
    cpuResolveSamples: 1,
    silenceMs: 15_000,
  };

  it("never fires twice, and never resolves what does not fire", () => {
    const firings = new Map<string, number>();
    fc.assert(
      fc.property(steps, (sent) => {
        const driver = new TestDriver(anomalyProcessor(quickRules));
        node(driver, "TYO", "JP");
        let atMs = 0;
        for (const { what, gapMs, many, bad } of sent) {
          atMs += gapMs;
          if (what === "metrics") {
            const cpuRatio = bad ? 0.95 : 0.3;
            metrics(driver, atMs, { cpuRatio, connects: 20, reconnects: bad ? many : 0 });
          } else if (what === "flap") {
            for (let i = 0; i < many; i++) flap(driver, atMs);
          } else if (what === "sample") {
            for (let i = 0; i < many; i++) sample(driver, "BR", atMs, bad ? 900 : 20);
          } else {
            driver.tick(startMs + atMs);
          }
        }
        const open = new Set<string>();
        for (const { key, value } of driver.outputs(alerts)) {
          expect(open.has(key)).toBe(value?.state === "RESOLVED");
          if (value?.state === "FIRING") {
            open.add(key);
            firings.set(value.rule, (firings.get(value.rule) ?? 0) + 1);
          } else {
            open.delete(key);
          }
        }
      }),
      { seed: 7, numRuns: 12 },
    );
    expect([...firings.keys()].sort()).toEqual([
      "bgp-flaps",
      "cross-border-delay",
      "metric-silence",
      "node-cpu",
      "reconnect-ratio",
    ]);
  });
});
