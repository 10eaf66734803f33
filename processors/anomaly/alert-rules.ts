import type { Severity } from "../../schemas/generated/events.ts";
import type { AnomalyOptions } from "./config.ts";

/** What is said of a rule in every alert of it. */
export interface AlertRule {
  readonly rule: string;
  readonly severity: Severity;
  readonly unit: string;
  readonly threshold: (options: AnomalyOptions) => number;
  /** One sentence; `firing` says which end of the alert it describes. */
  readonly sentence: (subject: string, value: number, firing: boolean) => string;
}

export const nodeCpu: AlertRule = {
  rule: "node-cpu",
  severity: "WARNING",
  unit: "ratio",
  threshold: (options) => options.cpuRatio,
  sentence: (subject, value, firing) =>
    firing
      ? `CPU of node ${subject} is ${percent(value)} in the mean of five minutes.`
      : `CPU of node ${subject} is back at ${percent(value)}.`,
};

export const crossBorderDelay: AlertRule = {
  rule: "cross-border-delay",
  severity: "WARNING",
  unit: "ms",
  threshold: (options) => options.delayMs,
  sentence: (subject, value, firing) =>
    firing
      ? `P95 of the delay ${subject.replace(">", " to ")} is ${value.toFixed(0)} ms.`
      : `P95 of the delay ${subject.replace(">", " to ")} is no longer over the threshold.`,
};

export const reconnectRatio: AlertRule = {
  rule: "reconnect-ratio",
  severity: "CRITICAL",
  unit: "ratio",
  threshold: (options) => options.reconnectRatio,
  sentence: (subject, value, firing) =>
    firing
      ? `${percent(value)} of the sessions that node ${subject} took were reconnects.`
      : `Reconnects to node ${subject} are at ${percent(value)}.`,
};

export const bgpFlapping: AlertRule = {
  rule: "bgp-flaps",
  severity: "WARNING",
  unit: "flaps/min",
  threshold: (options) => options.flapsPerWindow,
  sentence: (subject, value, firing) =>
    firing
      ? `The route ${subject.replace("|", " ")} flapped ${value} times in a minute.`
      : `The route ${subject.replace("|", " ")} flapped ${value} times in the last minute.`,
};

export const metricSilence: AlertRule = {
  rule: "metric-silence",
  severity: "CRITICAL",
  unit: "ms",
  threshold: (options) => options.silenceMs,
  sentence: (subject, value, firing) =>
    firing
      ? `Node ${subject} has sent no metrics for ${(value / 1_000).toFixed(0)} s.`
      : `Node ${subject} sends metrics again.`,
};

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
