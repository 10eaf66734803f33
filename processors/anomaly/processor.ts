import { cellCountry, UNKNOWN_CELL } from "../../domain/cell.ts";
import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import { type Context, global, keyed, type Processor } from "../../streams/processor.ts";
import { recordStoreSpec } from "../../streams/store.ts";
import { alerts, bgpFlaps, nodeInventory, nodeMetrics, pathSamples } from "../../streams/topics.ts";
import { CachedRecords } from "../cached-records.ts";
import { isFiring, openAlerts, settle } from "./alert-ledger.ts";
import {
  bgpFlapping,
  crossBorderDelay,
  metricSilence,
  nodeCpu,
  reconnectRatio,
} from "./alert-rules.ts";
import { type AnomalyInput, type AnomalyOptions, anomalyOptions } from "./config.ts";
import { judgeCpu } from "./cpu-rule.ts";
import {
  type DelayHistory,
  delayHistorySchema,
  delaysAt,
  judgeDelay,
  noDelayHistory,
  withDelay,
} from "./delay-rule.ts";
import {
  type FlapHistory,
  flapHistorySchema,
  flapsAt,
  judgeFlaps,
  noFlapHistory,
  withFlap,
} from "./flap-rule.ts";
import { type NodeHistory, nodeHistorySchema, noNodeHistory, withMetrics } from "./node-history.ts";
import { judgeReconnects, sessionsAt } from "./reconnect-rule.ts";

interface NodeCountry {
  readonly country: string;
}

const nodeCountrySchema: EventSchema<NodeCountry> = defineSchema<NodeCountry>(
  JSON.stringify({
    type: "record",
    name: "NodeCountry",
    namespace: "opencdn.anomaly",
    fields: [{ name: "country", type: "string" }],
  }),
);

const nodes = recordStoreSpec("nodes", nodeHistorySchema);
const pairs = recordStoreSpec("pairs", delayHistorySchema);
const flaps = recordStoreSpec("flaps", flapHistorySchema);
const countries = recordStoreSpec("countries", nodeCountrySchema);

class Histories {
  readonly nodes: CachedRecords<NodeHistory>;
  readonly pairs: CachedRecords<DelayHistory>;
  readonly flaps: CachedRecords<FlapHistory>;
  readonly countries: CachedRecords<NodeCountry>;

  constructor(context: Context) {
    this.nodes = new CachedRecords(context.records(nodes));
    this.pairs = new CachedRecords(context.records(pairs));
    this.flaps = new CachedRecords(context.records(flaps));
    this.countries = new CachedRecords(context.records(countries));
  }

  flush(): void {
    this.nodes.flush();
    this.pairs.flush();
    this.flaps.flush();
    this.countries.flush();
  }
}

function historiesOf(context: Context): Histories {
  return context.scratch(() => new Histories(context));
}

const timers = { silence: "silence|", delay: "delay|", flaps: "flaps|" } as const;

/**
 * The alert rules, on event time. A rule judges at every event of its subject, and by a timer when its window
 * empties; an alert fires once and resolves once.
 */
export function anomalyProcessor(options: AnomalyInput = {}): Processor {
  const settings = anomalyOptions.parse(options);
  return {
    name: "anomaly",
    logicVersion: 1,
    inputs: [
      keyed(nodeMetrics, (event, context) => {
        if (event.value === null) return;
        const before = historiesOf(context).nodes.get(event.key) ?? noNodeHistory;
        const history = withMetrics(before, event.eventMs, event.value, settings);
        onMetrics(event.key, before, history, context, settings);
      }),
      keyed(pathSamples, ({ value, eventMs }, context) => {
        const rttMs = value?.rttMs;
        if (value === null || rttMs === null || rttMs === undefined) return;
        if (!Number.isFinite(rttMs) || rttMs < 0) return;
        onDelay(cellCountry(value.cell), value.nodeId, eventMs, rttMs, context, settings);
      }),
      keyed(bgpFlaps, ({ value, eventMs }, context) => {
        if (value !== null) onFlap(`${value.peer}|${value.prefix}`, eventMs, context, settings);
      }),
      global(nodeInventory, ({ value, key, eventMs }, context) => {
        const country = value === null ? undefined : { country: value.country };
        historiesOf(context).countries.set(key, country);
        if (value === null) forgetNode(key, eventMs, context, settings);
      }),
    ],
    outputs: [alerts],
    stores: [nodes, pairs, flaps, countries, openAlerts],
    onTimer: (key, atMs, context) => {
      const subject = key.slice(key.indexOf("|") + 1);
      if (key.startsWith(timers.silence)) onSilenceTimer(subject, atMs, context, settings);
      else if (key.startsWith(timers.delay)) onDelayTimer(subject, atMs, context, settings);
      else onFlapTimer(subject, atMs, context, settings);
    },
    beforeCommit: (context) => historiesOf(context).flush(),
  };
}

function onMetrics(
  nodeId: string,
  before: NodeHistory,
  history: NodeHistory,
  context: Context,
  options: AnomalyOptions,
): void {
  const atMs = history.lastMs;
  if (atMs > before.lastMs) {
    const heard = { verdict: "resolve", value: 0, samples: 1 } as const;
    settle(context, metricSilence, nodeId, heard, atMs, options);
  }
  settle(context, nodeCpu, nodeId, judgeCpu(history, options), atMs, options);
  const sessions = judgeReconnects(history.sessions, options);
  settle(context, reconnectRatio, nodeId, sessions, atMs, options);
  const timerMs = history.timerMs === 0 ? atMs + options.silenceMs : history.timerMs;
  if (timerMs !== history.timerMs) context.schedule(timers.silence + nodeId, timerMs);
  historiesOf(context).nodes.set(nodeId, { ...history, timerMs });
}

function onSilenceTimer(
  nodeId: string,
  atMs: number,
  context: Context,
  options: AnomalyOptions,
): void {
  const histories = historiesOf(context);
  const history = histories.nodes.get(nodeId);
  if (history === undefined) return;
  const dueMs = history.lastMs + options.silenceMs;
  if (dueMs > atMs) {
    context.schedule(timers.silence + nodeId, dueMs);
    histories.nodes.set(nodeId, { ...history, timerMs: dueMs });
    return;
  }
  const silent = { verdict: "fire", value: atMs - history.lastMs, samples: 0 } as const;
  settle(context, metricSilence, nodeId, silent, atMs, options);
  const sessions = sessionsAt(history.sessions, atMs, options);
  const finding = judgeReconnects(sessions, options);
  settle(context, reconnectRatio, nodeId, finding, atMs, options);
  histories.nodes.set(nodeId, { ...history, sessions, timerMs: 0 });
}

/** A node that left the inventory is no longer anybody's alarm. */
function forgetNode(nodeId: string, atMs: number, context: Context, options: AnomalyOptions): void {
  const histories = historiesOf(context);
  if (histories.nodes.get(nodeId) === undefined) return;
  const gone = { verdict: "resolve", value: 0, samples: 0 } as const;
  for (const rule of [nodeCpu, reconnectRatio, metricSilence]) {
    settle(context, rule, nodeId, gone, atMs, options);
  }
  histories.nodes.set(nodeId, undefined);
}

function onDelay(
  clientCountry: string,
  nodeId: string,
  atMs: number,
  rttMs: number,
  context: Context,
  options: AnomalyOptions,
): void {
  const histories = historiesOf(context);
  const nodeCountry = histories.countries.get(nodeId)?.country;
  if (nodeCountry === undefined || nodeCountry === clientCountry) return;
  if (clientCountry === UNKNOWN_CELL) return;
  const pair = `${clientCountry}>${nodeCountry}`;
  const before = histories.pairs.get(pair) ?? noDelayHistory;
  settleDelay(pair, withDelay(before, atMs, rttMs, options), atMs, context, options);
}

function onDelayTimer(pair: string, atMs: number, context: Context, options: AnomalyOptions): void {
  const history = historiesOf(context).pairs.get(pair);
  if (history?.timerMs !== atMs) return;
  settleDelay(pair, { ...delaysAt(history, atMs, options), timerMs: 0 }, atMs, context, options);
}

/**
 * Judges a pair and sets its timer: while it fires, to when its oldest second leaves the window, so that it
 * resolves then; otherwise to when the window is empty, so that it is forgotten.
 */
function settleDelay(
  pair: string,
  history: DelayHistory,
  atMs: number,
  context: Context,
  options: AnomalyOptions,
): void {
  const wasFiring = isFiring(context, crossBorderDelay, pair);
  const finding = judgeDelay(history, options);
  settle(context, crossBorderDelay, pair, finding, atMs, options);
  const firing = finding.verdict === "fire";
  const pane = firing ? history.panes[0] : history.panes.at(-1);
  const { pairs: store } = historiesOf(context);
  if (pane === undefined) {
    store.set(pair, undefined);
    return;
  }
  const { timerMs } = history;
  if (timerMs !== 0 && firing === wasFiring) {
    store.set(pair, history);
    return;
  }
  const nextMs = (pane.second + 1) * 1_000 + options.delayWindowMs;
  context.schedule(timers.delay + pair, nextMs);
  store.set(pair, { ...history, timerMs: nextMs });
}

function onFlap(route: string, atMs: number, context: Context, options: AnomalyOptions): void {
  const before = historiesOf(context).flaps.get(route) ?? noFlapHistory;
  settleFlaps(route, withFlap(before, atMs, options), atMs, context, options);
}

function onFlapTimer(route: string, atMs: number, context: Context, options: AnomalyOptions): void {
  const history = historiesOf(context).flaps.get(route);
  if (history?.timerMs !== atMs) return;
  settleFlaps(route, { ...flapsAt(history, atMs, options), timerMs: 0 }, atMs, context, options);
}

function settleFlaps(
  route: string,
  history: FlapHistory,
  atMs: number,
  context: Context,
  options: AnomalyOptions,
): void {
  settle(context, bgpFlapping, route, judgeFlaps(history, options), atMs, options);
  const { flaps: store } = historiesOf(context);
  const oldestMs = history.timesMs[0];
  if (oldestMs === undefined) {
    store.set(route, undefined);
  } else if (history.timerMs !== 0) {
    store.set(route, history);
  } else {
    const timerMs = oldestMs + options.flapWindowMs;
    context.schedule(timers.flaps + route, timerMs);
    store.set(route, { ...history, timerMs });
  }
}
