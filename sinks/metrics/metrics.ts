import { Counter, Gauge, Registry } from "prom-client";
import type { Alert, NodeMetrics, NodeOverlay } from "../../schemas/generated/events.ts";
import { type Sink, type SinkInput, sinkInput } from "../../streams/sink.ts";
import {
  alerts,
  deadLetters,
  edgeEvents,
  nodeMetrics,
  nodeOverlay,
  nodePrices,
  nodeScores,
  routeDecisions,
  taskCommits,
} from "../../streams/topics.ts";
import { maxLabelCharacters, maxLabelValues } from "./limits.ts";

/** Bounds the values of one label. */
class LabelSpace {
  readonly #known = new Set<string>();

  of(value: string): string {
    const text = value === "" ? "none" : value.slice(0, maxLabelCharacters);
    if (this.#known.has(text)) return text;
    if (this.#known.size >= maxLabelValues) return "other";
    this.#known.add(text);
    return text;
  }
}

type NodeGauge = Gauge<"node">;

/**
 * Prometheus metrics of a running system, made from what is on the log: tables from their latest values, streams from
 * the moment of the start on. Names follow Prometheus' conventions: base units, `_total` for counters.
 */
export class Metrics {
  readonly registry: Registry = new Registry();
  readonly #nodes = new LabelSpace();
  readonly #processors = new LabelSpace();
  readonly #gauges = new Map<string, NodeGauge>();
  readonly #decisions = new Set<string>();
  readonly #firing = new Map<string, Alert>();
  readonly #edge: Counter<"node" | "action">;
  readonly #edgeStale: Counter;
  readonly #commits: Counter<"processor">;
  readonly #records: Counter<"processor">;
  readonly #letters: Counter<"processor" | "code">;
  readonly #lagMs: Gauge;
  readonly #flagged = new Set<string>();

  constructor(info: Readonly<Record<string, string>> = {}) {
    const registers = [this.registry];
    const names = Object.keys(info);
    new Gauge({
      name: "opencdn_info",
      help: "Facts about this system; always 1.",
      labelNames: names,
      registers,
    }).set(info, 1);
    new Gauge({
      name: "opencdn_decisions",
      help: "Decisions that stand.",
      registers,
      collect: this.#collector(() => this.#decisions.size),
    });
    new Gauge({
      name: "opencdn_decisions_flagged",
      help: "Decisions that are a kept last good one.",
      registers,
      collect: this.#collector(() => this.#flagged.size),
    });
    new Gauge({
      name: "opencdn_alerts_firing",
      help: "Alerts that fire, by rule and severity.",
      labelNames: ["rule", "severity"],
      registers,
      collect: this.#collectFiring(),
    });
    this.#edge = new Counter({
      name: "opencdn_edge_events_total",
      help: "What happened to clients, by node and action.",
      labelNames: ["node", "action"],
      registers,
    });
    this.#edgeStale = new Counter({
      name: "opencdn_edge_events_stale_total",
      help: "Events of gateways that used stale tables.",
      registers,
    });
    this.#commits = new Counter({
      name: "opencdn_task_commits_total",
      help: "Commits, by processor.",
      labelNames: ["processor"],
      registers,
    });
    this.#records = new Counter({
      name: "opencdn_task_records_total",
      help: "Records taken, by processor.",
      labelNames: ["processor"],
      registers,
    });
    this.#letters = new Counter({
      name: "opencdn_dead_letters_total",
      help: "Records that could not be processed, by who refused them and why.",
      labelNames: ["processor", "code"],
      registers,
    });
    this.#lagMs = new Gauge({
      name: "opencdn_metrics_lag_seconds",
      help: "Age of the last record when these metrics took it.",
      registers,
    });
  }

  /** The sink that feeds them. `nowMs` is the wall clock. */
  sink(nowMs: () => number): Sink {
    const heard = (timestampMs: number): void =>
      this.#lagMs.set(Math.max(0, nowMs() - timestampMs) / 1_000);
    return {
      name: "metrics",
      from: "snapshot",
      inputs: [...this.#tables(), ...this.#streams(heard)],
      flush: async () => {},
    };
  }

  #tables(): SinkInput<never>[] {
    return [
      sinkInput(nodeScores, ({ key, value }) => {
        this.#set(
          "opencdn_node_static_score",
          "The seed's static score, 0..1.",
          key,
          value?.staticScore,
        );
        this.#set(
          "opencdn_node_load_ratio",
          "Predicted load or CPU over capacity, 0..1 and more.",
          key,
          value?.loadRatio,
        );
        this.#set(
          "opencdn_node_live_cost_seconds",
          "Queueing time and price.",
          key,
          value === null ? undefined : value.liveCostMs / 1_000,
        );
        this.#set(
          "opencdn_node_rtt_seconds",
          "Mean RTT of the clients sent there; 0 when unknown.",
          key,
          value === null ? undefined : value.latencyMs / 1_000,
        );
        this.#set(
          "opencdn_node_loss_ratio",
          "Mean loss of the clients sent there, 0..1.",
          key,
          value?.lossRatio,
        );
      }),
      sinkInput(nodePrices, ({ key, value }) => {
        this.#set(
          "opencdn_node_price_seconds",
          "What a unit of the node's capacity costs.",
          key,
          value === null ? undefined : value.priceMs / 1_000,
        );
        this.#set(
          "opencdn_node_predicted_requests_per_second",
          "Predicted load.",
          key,
          value?.predictedRps,
        );
        this.#set(
          "opencdn_node_capacity_requests_per_second",
          "Capacity.",
          key,
          value?.capacityRps,
        );
      }),
      sinkInput(nodeOverlay, ({ key, value }) => this.#overlay(key, value)),
      sinkInput(routeDecisions, ({ key, value }) => {
        if (value === null) this.#decisions.delete(key);
        else this.#decisions.add(key);
        if (value?.flagged === true) this.#flagged.add(key);
        else this.#flagged.delete(key);
      }),
      sinkInput(alerts, ({ key, value }) => {
        if (value === null || value.state === "RESOLVED") this.#firing.delete(key);
        else this.#firing.set(key, value);
      }),
    ];
  }

  #streams(heard: (timestampMs: number) => void): SinkInput<never>[] {
    return [
      sinkInput(nodeMetrics, ({ key, value, timestampMs }) => {
        heard(timestampMs);
        if (value !== null) this.#host(key, value);
      }),
      sinkInput(edgeEvents, ({ value, timestampMs }) => {
        heard(timestampMs);
        if (value === null) return;
        this.#edge.inc({ node: this.#nodes.of(value.nodeId), action: value.action });
        if (value.stale) this.#edgeStale.inc();
      }),
      sinkInput(taskCommits, ({ value, timestampMs }) => {
        heard(timestampMs);
        if (value === null) return;
        const processor = this.#processors.of(value.processor);
        this.#commits.inc({ processor });
        this.#records.inc({ processor }, value.inputCount);
      }),
      sinkInput(deadLetters, ({ value, timestampMs }) => {
        heard(timestampMs);
        if (value === null) return;
        this.#letters.inc({
          processor: this.#processors.of(value.processor),
          code: value.code.slice(0, maxLabelCharacters),
        });
      }),
    ];
  }

  #overlay(node: string, overlay: NodeOverlay | null): void {
    this.#set(
      "opencdn_node_alive",
      "1 while the vantage points agree that the node serves.",
      node,
      overlay === null ? undefined : Number(overlay.alive),
    );
    this.#set(
      "opencdn_node_draining",
      "1 while the node gets no new clients.",
      node,
      overlay === null ? undefined : Number(overlay.draining),
    );
    this.#set(
      "opencdn_node_multiplier",
      "Part of its share that the node gets, below 1 on the ramp.",
      node,
      overlay?.multiplier,
    );
  }

  #host(node: string, metrics: NodeMetrics): void {
    this.#set("opencdn_node_cpu_ratio", "CPU, 0..1 of all cores.", node, metrics.cpuRatio);
    this.#set("opencdn_node_memory_ratio", "Memory, 0..1.", node, metrics.memoryRatio);
    this.#set(
      "opencdn_node_event_loop_delay_seconds",
      "Mean event-loop delay.",
      node,
      metrics.eventLoopDelayMs / 1_000,
    );
    this.#set("opencdn_node_sessions", "Open sessions.", node, metrics.connections);
  }

  /** Sets a gauge of one node; undefined removes it. */
  #set(name: string, help: string, node: string, value: number | undefined): void {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({ name, help, labelNames: ["node"], registers: [this.registry] });
      this.#gauges.set(name, gauge);
    }
    const label = this.#nodes.of(node);
    if (value === undefined) gauge.remove({ node: label });
    else gauge.set({ node: label }, value);
  }

  /** A function that prom-client calls with the gauge as `this` when it is scraped. */
  #collector(read: () => number): (this: Gauge) => void {
    return function collect(this: Gauge): void {
      this.set(read());
    };
  }

  #collectFiring(): (this: Gauge<"rule" | "severity">) => void {
    const firing = this.#firing;
    return function collect(this: Gauge<"rule" | "severity">): void {
      this.reset();
      for (const { rule, severity } of firing.values()) this.inc({ rule, severity });
    };
  }
}
