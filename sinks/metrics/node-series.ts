import { Counter, Gauge, type Registry } from "prom-client";
import type { EdgeAction, NodeMetrics } from "../../schemas/generated/events.ts";
import { type SinkInput, sinkInput } from "../../streams/sink.ts";
import {
  edgeEvents,
  nodeInventory,
  nodeMetrics,
  nodeOverlay,
  nodePrices,
  nodeScores,
} from "../../streams/topics.ts";
import { type LabelSpace, otherLabel } from "./label-space.ts";
import {
  hostReadings,
  NodeGauges,
  overlayReadings,
  priceReadings,
  scoreReadings,
} from "./node-gauges.ts";

/** Counters that a node's reports, each about one interval, add up to. */
const reportCounters: readonly (readonly [string, string, (report: NodeMetrics) => number])[] = [
  ["opencdn_node_requests_total", "Requests that the node served.", (of) => of.requests],
  ["opencdn_node_sent_bytes_total", "Bytes that the node sent.", (of) => of.bytesSent],
  ["opencdn_node_connects_total", "Sessions that began anew.", (of) => of.connects],
  ["opencdn_node_reconnects_total", "Sessions that followed a lost one.", (of) => of.reconnects],
];

/** Everything that is shown by node. A node that leaves the inventory takes its series with it. */
export function nodeSeries(registry: Registry, nodes: LabelSpace): SinkInput<never>[] {
  const scores = new NodeGauges(registry, nodes, scoreReadings);
  const prices = new NodeGauges(registry, nodes, priceReadings);
  const overlay = new NodeGauges(registry, nodes, overlayReadings);
  return [
    sinkInput(nodeScores, ({ key, value }) => scores.show(key, value)),
    sinkInput(nodePrices, ({ key, value }) => prices.show(key, value)),
    sinkInput(nodeOverlay, ({ key, value }) => overlay.show(key, value)),
    inventoryInput(registry, nodes),
    reportInput(registry, nodes),
    edgeInput(registry, nodes),
  ];
}

function inventoryInput(registry: Registry, nodes: LabelSpace): SinkInput<never> {
  const gauge = new Gauge({
    name: "opencdn_node_info",
    help: "Facts about a node; always 1.",
    labelNames: ["node", "place", "country", "synthetic"],
    registers: [registry],
  });
  const shown = new Map<string, Record<string, string>>();
  nodes.onReleased((node) => {
    const facts = shown.get(node);
    if (facts !== undefined) gauge.remove(facts);
    shown.delete(node);
  });
  return sinkInput(nodeInventory, ({ key, value }) => {
    if (value === null) {
      nodes.release(key);
      return;
    }
    const node = nodes.of(key);
    if (node === otherLabel) return;
    const before = shown.get(node);
    if (before !== undefined) gauge.remove(before);
    const { place, country, synthetic } = value;
    const facts = { node, place, country, synthetic: String(synthetic) };
    shown.set(node, facts);
    gauge.set(facts, 1);
  });
}

function reportInput(registry: Registry, nodes: LabelSpace): SinkInput<never> {
  const hosts = new NodeGauges(registry, nodes, hostReadings);
  const counters = reportCounters.map(([name, help, read]) => {
    const counter = new Counter({ name, help, labelNames: ["node"], registers: [registry] });
    nodes.onReleased((node) => counter.remove({ node }));
    return { counter, read };
  });
  return sinkInput(nodeMetrics, ({ key, value }) => {
    if (value === null) return;
    hosts.show(key, value);
    const node = nodes.of(key);
    for (const { counter, read } of counters) counter.inc({ node }, Math.max(0, read(value)));
  });
}

function edgeInput(registry: Registry, nodes: LabelSpace): SinkInput<never> {
  const events = new Counter({
    name: "opencdn_edge_events_total",
    help: "What happened to clients, by node and action; node none where there was none.",
    labelNames: ["node", "action"],
    registers: [registry],
  });
  const stale = new Counter({
    name: "opencdn_edge_events_stale_total",
    help: "Events of gateways whose tables were stale.",
    registers: [registry],
  });
  const actions = new Set<EdgeAction>();
  nodes.onReleased((node) => {
    for (const action of actions) events.remove({ node, action });
  });
  return sinkInput(edgeEvents, ({ value }) => {
    if (value === null) return;
    const { action } = value;
    actions.add(action);
    events.inc({ node: nodes.of(value.nodeId), action });
    if (value.stale) stale.inc();
  });
}
