import { Gauge, type Registry } from "prom-client";
import type {
  NodeMetrics,
  NodeOverlay,
  NodePrice,
  NodeScore,
} from "../../schemas/generated/events.ts";
import { type LabelSpace, otherLabel } from "./label-space.ts";

/** One gauge of a node, read from the latest event about it. */
interface Reading<T> {
  readonly name: string;
  readonly help: string;
  readonly read: (event: T) => number;
}

export const scoreReadings: readonly Reading<NodeScore>[] = [
  {
    name: "opencdn_node_static_score",
    help: "Static score of the node, 0 to 1.",
    read: ({ staticScore }) => staticScore,
  },
  {
    name: "opencdn_node_load_ratio",
    help: "Predicted load or CPU over capacity; above 1 when overloaded.",
    read: ({ loadRatio }) => loadRatio,
  },
  {
    name: "opencdn_node_live_cost_seconds",
    help: "Queueing time and price of the node.",
    read: ({ liveCostMs }) => liveCostMs / 1_000,
  },
  {
    name: "opencdn_node_rtt_seconds",
    help: "Mean round-trip time of the clients sent to the node; 0 when unknown.",
    read: ({ latencyMs }) => latencyMs / 1_000,
  },
  {
    name: "opencdn_node_loss_ratio",
    help: "Mean packet loss of the clients sent to the node, 0 to 1.",
    read: ({ lossRatio }) => lossRatio,
  },
];

export const priceReadings: readonly Reading<NodePrice>[] = [
  {
    name: "opencdn_node_price_seconds",
    help: "What a unit of the node's capacity costs now.",
    read: ({ priceMs }) => priceMs / 1_000,
  },
  {
    name: "opencdn_node_predicted_requests_per_second",
    help: "Load predicted for the node.",
    read: ({ predictedRps }) => predictedRps,
  },
  {
    name: "opencdn_node_capacity_requests_per_second",
    help: "Load that the node can serve.",
    read: ({ capacityRps }) => capacityRps,
  },
];

export const overlayReadings: readonly Reading<NodeOverlay>[] = [
  {
    name: "opencdn_node_alive",
    help: "1 while the vantage points agree that the node serves.",
    read: ({ alive }) => Number(alive),
  },
  {
    name: "opencdn_node_draining",
    help: "1 while the node gets no new clients.",
    read: ({ draining }) => Number(draining),
  },
  {
    name: "opencdn_node_multiplier",
    help: "Part of its share that the node gets; below 1 while it returns.",
    read: ({ multiplier }) => multiplier,
  },
];

export const hostReadings: readonly Reading<NodeMetrics>[] = [
  {
    name: "opencdn_node_cpu_ratio",
    help: "CPU in use, 0 to 1 of all cores.",
    read: ({ cpuRatio }) => cpuRatio,
  },
  {
    name: "opencdn_node_memory_ratio",
    help: "Memory in use, 0 to 1.",
    read: ({ memoryRatio }) => memoryRatio,
  },
  {
    name: "opencdn_node_event_loop_delay_seconds",
    help: "Mean delay of the event loop.",
    read: ({ eventLoopDelayMs }) => eventLoopDelayMs / 1_000,
  },
  {
    name: "opencdn_node_sessions",
    help: "Sessions that are open.",
    read: ({ connections }) => connections,
  },
];

/** Gauges of nodes that one topic feeds. A node that finds no room for its label is not shown. */
export class NodeGauges<T> {
  readonly #gauges: readonly {
    readonly gauge: Gauge<"node">;
    readonly read: (event: T) => number;
  }[];
  readonly #nodes: LabelSpace;

  constructor(registry: Registry, nodes: LabelSpace, readings: readonly Reading<T>[]) {
    this.#nodes = nodes;
    this.#gauges = readings.map(({ name, help, read }) => ({
      gauge: new Gauge({ name, help, labelNames: ["node"], registers: [registry] }),
      read,
    }));
    nodes.onReleased((node) => this.#remove(node));
  }

  /** Shows what the event says of the node; null takes the node away. */
  show(nodeId: string, event: T | null): void {
    const node = this.#nodes.of(nodeId);
    if (node === otherLabel) return;
    if (event === null) this.#remove(node);
    else for (const { gauge, read } of this.#gauges) gauge.set({ node }, read(event));
  }

  #remove(node: string): void {
    for (const { gauge } of this.#gauges) gauge.remove({ node });
  }
}
