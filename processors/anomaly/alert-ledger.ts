import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import type { Context } from "../../streams/processor.ts";
import { type RecordStoreSpec, recordStoreSpec } from "../../streams/store.ts";
import { alerts } from "../../streams/topics.ts";
import type { AlertRule } from "./alert-rules.ts";
import type { AnomalyOptions } from "./config.ts";
import type { Finding } from "./cpu-rule.ts";

interface OpenAlert {
  readonly startedMs: number;
}

const openAlertSchema: EventSchema<OpenAlert> = defineSchema<OpenAlert>(
  JSON.stringify({
    type: "record",
    name: "OpenAlert",
    namespace: "opencdn.anomaly",
    fields: [{ name: "startedMs", type: "long" }],
  }),
);

/** The alerts that fire now, by rule and subject. */
export const openAlerts: RecordStoreSpec<OpenAlert> = recordStoreSpec("alerts", openAlertSchema);

/** Key of an alert in its topic and in the ledger. */
export function alertKey(rule: AlertRule, subject: string): string {
  return `${rule.rule}|${subject}`;
}

export function isFiring(context: Context, rule: AlertRule, subject: string): boolean {
  return context.records(openAlerts).has(alertKey(rule, subject));
}

/** Fires or resolves as the finding says; a subject that fires already fires no second time. */
export function settle(
  context: Context,
  rule: AlertRule,
  subject: string,
  finding: Finding,
  atMs: number,
  options: AnomalyOptions,
): void {
  if (finding.verdict === "keep") return;
  const ledger = context.records(openAlerts);
  const key = alertKey(rule, subject);
  const open = ledger.get(key);
  const firing = finding.verdict === "fire";
  if (firing === (open !== undefined)) return;
  const startedMs = open?.startedMs ?? atMs;
  context.emit(
    alerts,
    key,
    {
      rule: rule.rule,
      subject,
      state: firing ? "FIRING" : "RESOLVED",
      severity: rule.severity,
      startedMs,
      resolvedMs: firing ? 0 : atMs,
      value: finding.value,
      threshold: rule.threshold(options),
      unit: rule.unit,
      samples: finding.samples,
      summary: rule.sentence(subject, finding.value, firing),
    },
    atMs,
  );
  if (firing) ledger.put(key, { startedMs });
  else ledger.delete(key);
}
