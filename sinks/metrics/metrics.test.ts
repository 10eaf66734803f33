import { beforeEach, describe, expect, it } from "vitest";
import type { Recorded } from "../../streams/processor.ts";
import type { SinkInput } from "../../streams/sink.ts";
import type { Topic } from "../../streams/topic.ts";
import {
  alerts,
  deadLetters,
  edgeEvents,
  nodeInventory,
  nodeMetrics,
  nodeOverlay,
  nodePrices,
  nodeScores,
  routeDecisions,
  taskCommits,
} from "../../streams/topics.ts";
import { Metrics } from "./metrics.ts";

let metrics: Metrics;
const nowMs = 1_700_000_000_000;

beforeEach(() => {
  metrics = new Metrics({
    info: { geo_attribution: "by X" },
    nowMs: () => nowMs,
    maxLabelValues: 3,
  });
});

/** Hands an event with the fields that matter to the input of its topic. */
function take<T>(topic: Topic<T>, key: string, value: Partial<T> | null, ageMs = 0): void {
  const inputs = metrics.sink.inputs as unknown as readonly SinkInput<T>[];
  const event = { topic: topic.name, key, value, timestampMs: nowMs - ageMs } as Recorded<T>;
  const input = inputs.find((each) => each.topic.name === topic.name);
  expect(input?.on(event)).toBeUndefined();
}

/** Samples by series, as a Prometheus server reads them. */
async function scrape(): Promise<Map<string, number>> {
  const text = await metrics.registry.metrics();
  return new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
  );
}

const score = {
  staticScore: 0.75,
  loadRatio: 0.5,
  liveCostMs: 20,
  latencyMs: 40,
  lossRatio: 0.01,
};
const report = { cpuRatio: 0.25, memoryRatio: 0.5, eventLoopDelayMs: 2, connections: 7 };
const counts = { requests: 10, bytesSent: 1_000, connects: 3, reconnects: 1 };

describe("metrics", () => {
  it("show nodes in base units", async () => {
    take(nodeInventory, "FRA", { place: "Frankfurt", country: "DE", synthetic: true });
    take(nodeScores, "FRA", score);
    take(nodePrices, "FRA", { priceMs: 5, predictedRps: 90, capacityRps: 100 });
    take(nodeOverlay, "FRA", { alive: true, draining: false, multiplier: 0.5 });
    take(nodeMetrics, "FRA", { ...report, ...counts });
    take(nodeMetrics, "FRA", { ...report, ...counts, connections: 8 });
    expect(Object.fromEntries(await scrape())).toMatchObject({
      'opencdn_node_info{node="FRA",place="Frankfurt",country="DE",synthetic="true"}': 1,
      'opencdn_node_static_score{node="FRA"}': 0.75,
      'opencdn_node_live_cost_seconds{node="FRA"}': 0.02,
      'opencdn_node_rtt_seconds{node="FRA"}': 0.04,
      'opencdn_node_price_seconds{node="FRA"}': 0.005,
      'opencdn_node_predicted_requests_per_second{node="FRA"}': 90,
      'opencdn_node_alive{node="FRA"}': 1,
      'opencdn_node_draining{node="FRA"}': 0,
      'opencdn_node_multiplier{node="FRA"}': 0.5,
      'opencdn_node_event_loop_delay_seconds{node="FRA"}': 0.002,
      'opencdn_node_sessions{node="FRA"}': 8,
      'opencdn_node_requests_total{node="FRA"}': 20,
      'opencdn_node_sent_bytes_total{node="FRA"}': 2_000,
      'opencdn_node_reconnects_total{node="FRA"}': 2,
    });
  });

  it("take away what left, and all of a node that left the inventory", async () => {
    take(nodeInventory, "FRA", { place: "Frankfurt", country: "DE", synthetic: false });
    take(nodeScores, "FRA", score);
    take(nodeMetrics, "FRA", { ...report, ...counts });
    take(edgeEvents, "s", { nodeId: "FRA", action: "REDIRECTED", stale: false });
    take(nodeScores, "FRA", null);
    let shown = [...(await scrape()).keys()].filter((series) => series.includes("FRA"));
    expect(shown.some((series) => series.startsWith("opencdn_node_static_score"))).toBe(false);
    expect(shown.length).toBeGreaterThan(5);
    take(nodeInventory, "FRA", null);
    shown = [...(await scrape()).keys()].filter((series) => series.includes("FRA"));
    expect(shown).toEqual([]);
  });

  it("shows a node once whose place changed", async () => {
    for (const place of ["Frankfurt", "Offenbach"]) {
      take(nodeInventory, "FRA", { place, country: "DE", synthetic: false });
    }
    const shown = [...(await scrape()).keys()].filter((series) => series.includes("node_info"));
    expect(shown).toEqual([
      'opencdn_node_info{node="FRA",place="Offenbach",country="DE",synthetic="false"}',
    ]);
  });

  it("count what happened to clients, decisions, alerts, commits and dead letters", async () => {
    for (const action of ["REDIRECTED", "REDIRECTED", "REFUSED"] as const) {
      const nodeId = action === "REFUSED" ? "" : "FRA";
      take(edgeEvents, "s", { nodeId, action, stale: action === "REFUSED" });
    }
    for (const key of ["DE|www", "JP|www"])
      take(routeDecisions, key, { flagged: key === "DE|www" });
    take(routeDecisions, "JP|www", { flagged: false });
    take(routeDecisions, "FR|www", { flagged: false });
    take(routeDecisions, "FR|www", null);
    const firing = { rule: "cpu", state: "FIRING", severity: "WARNING" } as const;
    take(alerts, "cpu|FRA", firing);
    take(alerts, "cpu|TYO", firing);
    take(alerts, "cpu|TYO", { ...firing, state: "RESOLVED" });
    take(taskCommits, "rib|0", { processor: "rib", inputCount: 5 });
    take(taskCommits, "rib|1", { processor: "rib", inputCount: 7 }, 1_000);
    take(deadLetters, "t", { processor: "sink/alerts", code: "OCDN_TIMEOUT" });
    expect(Object.fromEntries(await scrape())).toMatchObject({
      'opencdn_edge_events_total{node="FRA",action="REDIRECTED"}': 2,
      'opencdn_edge_events_total{node="none",action="REFUSED"}': 1,
      opencdn_edge_events_stale_total: 1,
      opencdn_decisions: 2,
      opencdn_decisions_flagged: 1,
      'opencdn_alerts_firing{rule="cpu",severity="WARNING"}': 1,
      'opencdn_task_commits_total{processor="rib"}': 2,
      'opencdn_task_records_total{processor="rib"}': 12,
      'opencdn_task_last_commit_timestamp_seconds{processor="rib"}': nowMs / 1_000 - 1,
      'opencdn_dead_letters_total{processor="sink/alerts",code="OCDN_TIMEOUT"}': 1,
    });
  });

  it("tell how old the records of streams were, and whether the engine is there", async () => {
    take(nodeMetrics, "FRA", { ...report, ...counts }, 2_500);
    take(nodeScores, "FRA", score, 86_400_000);
    metrics.connected = true;
    expect(Object.fromEntries(await scrape())).toMatchObject({
      opencdn_metrics_lag_seconds: 2.5,
      opencdn_log_connected: 1,
      'opencdn_info{geo_attribution="by X"}': 1,
    });
  });

  it("stay bounded whatever names come, and say that some found no room", async () => {
    for (let i = 0; i < 10; i++) {
      take(nodeScores, `node-${i}`, { ...score, staticScore: i / 10 });
      take(nodeMetrics, `node-${i}`, { ...report, ...counts });
      take(deadLetters, "t", { processor: `p-${i}`, code: `c-${i}` });
      take(alerts, `r-${i}`, { rule: `r-${i}`, state: "FIRING", severity: "INFO" });
    }
    const series = await scrape();
    const ofScore = [...series.keys()].filter((name) => name.includes("static_score"));
    expect(ofScore).toHaveLength(3);
    expect(series.get('opencdn_node_requests_total{node="other"}')).toBe(70);
    expect(series.get('opencdn_dead_letters_total{processor="other",code="other"}')).toBe(7);
    expect(series.get('opencdn_alerts_firing{rule="other",severity="INFO"}')).toBe(7);
    expect(series.get('opencdn_metrics_label_overflows_total{label="rules"}')).toBe(7);
  });

  it("have names, help texts and units as Prometheus wants them", async () => {
    const text = await metrics.registry.metrics();
    const help = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name, words]) => [
      name,
      words,
    ]);
    const types = new Map(
      [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((found) => [found[1], found[2]]),
    );
    expect(help.length).toBeGreaterThan(20);
    for (const [name, words] of help) {
      expect(name).toMatch(/^opencdn_[a-z_]+$/);
      expect(name).not.toMatch(/milli|_ms|percent/);
      expect(words).toMatch(/[.]$/);
      expect(name?.endsWith("_total")).toBe(types.get(name) === "counter");
    }
  });
});
