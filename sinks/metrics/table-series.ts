import { Gauge, type Registry } from "prom-client";
import type { Alert } from "../../schemas/generated/events.ts";
import { type SinkInput, sinkInput } from "../../streams/sink.ts";
import { alerts, routeDecisions } from "../../streams/topics.ts";
import type { LabelSpace } from "./label-space.ts";

/** Counts over tables: decisions that stand and alerts that fire. */
export function tableSeries(registry: Registry, rules: LabelSpace): SinkInput<never>[] {
  return [decisionInput(registry), alertInput(registry, rules)];
}

function decisionInput(registry: Registry): SinkInput<never> {
  const standing = new Set<string>();
  const flagged = new Set<string>();
  const registers = [registry];
  new Gauge({
    name: "opencdn_decisions",
    help: "Decisions that stand, one a service and cell.",
    registers,
    collect(): void {
      this.set(standing.size);
    },
  });
  new Gauge({
    name: "opencdn_decisions_flagged",
    help: "Decisions that are a last good one, kept because no better could be made.",
    registers,
    collect(): void {
      this.set(flagged.size);
    },
  });
  return sinkInput(routeDecisions, ({ key, value }) => {
    if (value === null) standing.delete(key);
    else standing.add(key);
    if (value?.flagged === true) flagged.add(key);
    else flagged.delete(key);
  });
}

function alertInput(registry: Registry, rules: LabelSpace): SinkInput<never> {
  const firing = new Map<string, Pick<Alert, "rule" | "severity">>();
  new Gauge({
    name: "opencdn_alerts_firing",
    help: "Alerts that fire, by rule and severity.",
    labelNames: ["rule", "severity"],
    registers: [registry],
    collect(): void {
      this.reset();
      for (const labels of firing.values()) this.inc(labels);
    },
  });
  return sinkInput(alerts, ({ key, value }) => {
    if (value === null || value.state === "RESOLVED") firing.delete(key);
    else firing.set(key, { rule: rules.of(value.rule), severity: value.severity });
  });
}
