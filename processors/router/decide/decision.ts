import type { RouteDecision, ServicePolicy } from "../../../schemas/generated/events.ts";
import type { Emitted } from "../../../streams/processor.ts";
import type { DecideOptions } from "./config.ts";
import { type Fraction, largestMove, softMin, stepTowards } from "./fractions.ts";
import type { Judged } from "./judge.ts";

/** Moves below this are rounding. */
const leastMove = 1e-9;

export interface Outcome {
  /** The decision to write, or undefined when the old one stands. */
  readonly decision: Emitted<RouteDecision> | undefined;
  /** More steps are to come. */
  readonly moving: boolean;
}

/**
 * The next decision of a service and cell. Masks act at once and fully; a shift that only scores drive moves by at most
 * the policy's step; small moves are not written. A set that masks emptied is not published unless it is a matter of
 * permission: the last good one stays, flagged, with forbidden nodes taken out of it.
 */
export function nextDecision(
  judged: readonly Judged[],
  policy: ServicePolicy,
  cell: string,
  before: RouteDecision | undefined,
  options: DecideOptions,
): Outcome {
  const base = { serviceId: policy.serviceId, cell, ttlSeconds: policy.ttlSeconds };
  const version = (before?.version ?? 0) + 1;
  const permitted = judged.filter((node) => !node.forbidden);
  if (permitted.length === 0) {
    if (before?.reason === "NO_PERMITTED_NODE") return { decision: undefined, moving: false };
    const decision = {
      ...base,
      version,
      candidates: [],
      flagged: false,
      reason: "NO_PERMITTED_NODE",
    };
    return { decision, moving: false };
  }
  const open = permitted.filter((node) => !node.masked);
  if (open.length === 0)
    return { decision: lastGood(permitted, before, base, version), moving: false };
  const target = targetFractions(judged, options);
  if (before === undefined || before.flagged || before.candidates.length === 0) {
    const reason = before === undefined ? "FIRST" : "RESTORED";
    return {
      decision: { ...base, version, candidates: target, flagged: false, reason },
      moving: false,
    };
  }
  return shifted(target, policy, before, { ...base, version }, options);
}

/**
 * What the costs ask for now, before hysteresis and steps: the soft-min over the nodes that no mask excludes. While
 * nodes return by the ramp it is the mean of that and of what would be without them: a gateway's multiplier takes
 * nothing from a node that has all of the shares, so some must be with those that serve its clients meanwhile. Where it
 * had all, the ramp's multiplier m gives it m / (1 + m) of them.
 */
export function targetFractions(judged: readonly Judged[], options: DecideOptions): Fraction[] {
  const { temperatureMs, leastFraction } = options;
  const open = judged.filter((node) => !node.masked);
  const whole = softMin(open, temperatureMs, leastFraction);
  if (!open.some((node) => node.returning)) return whole;
  const others = open.map((node) => (node.returning ? { ...node, share: 0 } : node));
  if (!others.some((node) => node.share > 0)) return whole;
  const without = softMin(others, temperatureMs, leastFraction);
  return whole.map(({ nodeId, fraction }, index) => ({
    nodeId,
    fraction: (fraction + (without[index] as Fraction).fraction) / 2,
  }));
}

function shifted(
  target: readonly Fraction[],
  policy: ServicePolicy,
  before: RouteDecision,
  base: Pick<RouteDecision, "serviceId" | "cell" | "ttlSeconds" | "version">,
  options: DecideOptions,
): Outcome {
  const masks = maskChanged(before.candidates, target);
  if (!masks && before.ttlSeconds === base.ttlSeconds) {
    if (largestMove(before.candidates, target) < options.hysteresis) {
      return { decision: undefined, moving: false };
    }
  }
  const { fractions, arrived } = stepTowards(before.candidates, target, policy.maxStepRatio);
  if (!masks && largestMove(before.candidates, fractions) < leastMove) {
    // A policy whose step is 0 holds its fractions.
    return { decision: undefined, moving: false };
  }
  const reason = masks ? "MASK" : "SHIFT";
  const decision = { ...base, candidates: fractions, flagged: false, reason };
  return { decision, moving: !arrived };
}

/** Whether the set of candidates is another one. */
function maskChanged(old: readonly Fraction[], target: readonly Fraction[]): boolean {
  return (
    old.length !== target.length ||
    old.some((entry, index) => entry.nodeId !== target[index]?.nodeId)
  );
}

function lastGood(
  permitted: readonly Judged[],
  before: RouteDecision | undefined,
  base: Pick<RouteDecision, "serviceId" | "cell" | "ttlSeconds">,
  version: number,
): Emitted<RouteDecision> | undefined {
  const allowed = new Set(permitted.map((node) => node.nodeId));
  const old = (before?.candidates ?? []).filter((entry) => allowed.has(entry.nodeId));
  const total = old.reduce((sum, entry) => sum + entry.fraction, 0);
  const unchanged = before?.flagged === true && old.length === before.candidates.length;
  if (unchanged) return undefined;
  const candidates =
    total > 0
      ? old.map((entry) => ({ nodeId: entry.nodeId, fraction: entry.fraction / total }))
      : permitted.map((node) => ({ nodeId: node.nodeId, fraction: 1 / permitted.length }));
  return { ...base, version, candidates, flagged: true, reason: "KEPT_LAST_GOOD" };
}
