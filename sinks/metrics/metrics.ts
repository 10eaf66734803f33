import { Counter, Gauge, Registry } from "prom-client";
import type { Recorded } from "../../streams/processor.ts";
import type { Sink, SinkInput } from "../../streams/sink.ts";
import { LabelSpace } from "./label-space.ts";
import { nodeSeries } from "./node-series.ts";
import { tableSeries } from "./table-series.ts";
import { taskSeries } from "./task-series.ts";

export interface MetricsOptions {
  /** Labels of `opencdn_info`: facts about this system. */
  readonly info: Readonly<Record<string, string>>;
  /** Wall clock, ms since the epoch. */
  readonly nowMs: () => number;
  /** Most values of one label, 1,000 by default. */
  readonly maxLabelValues?: number;
}

/**
 * Prometheus metrics of a running system, made from what is on the log: tables from their latest values, streams from
 * the moment of the start on. Names follow the conventions of Prometheus: base units, `_total` for counters. Labels
 * are bounded: beyond the bound counters count under `other`, and gauges of nodes are not shown.
 */
export class Metrics {
  readonly registry: Registry = new Registry();
  /** Feeds the metrics; a view that is rebuilt at every start. */
  readonly sink: Sink;
  readonly #connected: Gauge;

  constructor({ info, nowMs, maxLabelValues }: MetricsOptions) {
    const { registry } = this;
    const registers = [registry];
    const nodes = new LabelSpace(maxLabelValues);
    const processors = new LabelSpace(maxLabelValues);
    const codes = new LabelSpace(maxLabelValues);
    const rules = new LabelSpace(maxLabelValues);
    const names = Object.keys(info);
    new Gauge({
      name: "opencdn_info",
      help: "Facts about this system; always 1.",
      labelNames: names,
      registers,
    }).set(info, 1);
    this.#connected = new Gauge({
      name: "opencdn_log_connected",
      help: "1 while the engine's log is reached; what is shown is old otherwise.",
      registers,
    });
    const lag = new Gauge({
      name: "opencdn_metrics_lag_seconds",
      help: "Age of the last record of a stream when these metrics took it.",
      registers,
    });
    showOverflows(registry, { nodes, processors, codes, rules });
    const inputs = [
      ...nodeSeries(registry, nodes),
      ...tableSeries(registry, rules),
      ...taskSeries(registry, { processors, codes }),
    ];
    const heard = (timestampMs: number): void =>
      lag.set(Math.max(0, nowMs() - timestampMs) / 1_000);
    this.sink = {
      name: "metrics",
      from: "snapshot",
      inputs: inputs.map((input) => withLag(input, heard)),
      flush: () => Promise.resolve(),
    };
  }

  /** Whether the engine is there. */
  set connected(isConnected: boolean) {
    this.#connected.set(Number(isConnected));
  }
}

/** Values of tables are as old as they are; only streams tell a lag. */
function withLag(input: SinkInput<never>, heard: (timestampMs: number) => void): SinkInput<never> {
  if (input.topic.kind === "table") return input;
  const on = (event: Recorded<never>): Promise<void> | void => {
    heard(event.timestampMs);
    return input.on(event);
  };
  return { topic: input.topic, on };
}

function showOverflows(registry: Registry, spaces: Readonly<Record<string, LabelSpace>>): void {
  new Counter({
    name: "opencdn_metrics_label_overflows_total",
    help: "Values that found no room among those of their label.",
    labelNames: ["label"],
    registers: [registry],
    collect(): void {
      this.reset();
      for (const [label, { overflowed }] of Object.entries(spaces)) this.inc({ label }, overflowed);
    },
  });
}
