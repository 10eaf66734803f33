import type { Alert, Severity } from "../../schemas/generated/events.ts";
import type { Context, Emitted } from "../../streams/processor.ts";
import { type RecordStoreSpec, recordStoreSpec } from "../../streams/store.ts";
import { alerts } from "../../streams/topics.ts";
import type { Verdict } from "./rules.ts";

/** Alerts that fire now, by `rule|subject`. */
export const firingAlerts: RecordStoreSpec<Alert> = recordStoreSpec("firing", alerts.schema);

export interface Rule {
  readonly name: string;
  readonly severity: Severity;
  readonly unit: string;
  readonly threshold: number;
  /** One sentence about the subject with its value. */
  readonly summary: (subject: string, value: number) => string;
}

/** Writes one alert a subject: once when it fires and once when it ends, whatever comes between. */
export function report(
  context: Context,
  rule: Rule,
  subject: string,
  atMs: number,
  verdict: Verdict,
): void {
  const key = `${rule.name}|${subject}`;
  const store = context.records(firingAlerts);
  const firing = store.get(key);
  if (firing === undefined) {
    if (!verdict.fires) return;
    const alert = alertOf(rule, subject, verdict, {
      state: "FIRING",
      startedMs: atMs,
      resolvedMs: 0,
    });
    store.put(key, { ...alert, eventId: noId, eventMs: atMs, logicVersion: 0 });
    context.emit(alerts, key, alert, atMs);
    return;
  }
  if (!verdict.ends || verdict.fires) return;
  store.delete(key);
  const { startedMs } = firing;
  context.emit(
    alerts,
    key,
    alertOf(rule, subject, verdict, { state: "RESOLVED", startedMs, resolvedMs: atMs }),
    atMs,
  );
}

const noId = new Uint8Array(16);

function alertOf(
  rule: Rule,
  subject: string,
  verdict: Verdict,
  times: Pick<Alert, "state" | "startedMs" | "resolvedMs">,
): Emitted<Alert> {
  const { name, severity, threshold, unit } = rule;
  const { value, samples } = verdict;
  const summary = rule.summary(subject, value);
  return { rule: name, subject, severity, threshold, unit, value, samples, summary, ...times };
}
