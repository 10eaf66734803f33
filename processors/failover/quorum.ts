import type { FailoverOptions } from "./config.ts";

/** Latest verdict of one vantage point on one node. */
export interface VantageVerdict {
  readonly vantage: string;
  readonly healthy: boolean;
  /** When the verdict was appended to the log: one clock for all vantage points. */
  readonly receivedMs: number;
  /** Healthy verdicts in a row, without a gap longer than a verdict is fresh. */
  readonly goodChecks: number;
}

/** Most vantage points remembered a node; the one silent for longest makes room. */
export const maxVantages = 64;

/** `dead` or `alive` where a quorum says so, `unknown` otherwise: then nothing changes. */
export type Judgement = "dead" | "alive" | "unknown";

/** The verdicts with this one in place of the vantage point's last; sorted by vantage. */
export function withVerdict(
  verdicts: readonly VantageVerdict[],
  verdict: Pick<VantageVerdict, "vantage" | "healthy" | "receivedMs">,
  options: FailoverOptions,
): readonly VantageVerdict[] {
  const last = verdicts.find((known) => known.vantage === verdict.vantage);
  const unbroken =
    last !== undefined && verdict.receivedMs - last.receivedMs <= options.verdictFreshMs;
  const before = unbroken ? last.goodChecks : 0;
  const others = verdicts.filter((known) => known !== last);
  if (others.length >= maxVantages) others.splice(oldest(others), 1);
  others.push({ ...verdict, goodChecks: verdict.healthy ? before + 1 : 0 });
  return others.sort((a, b) => (a.vantage < b.vantage ? -1 : 1));
}

function oldest(verdicts: readonly VantageVerdict[]): number {
  let found = 0;
  verdicts.forEach((verdict, index) => {
    if (verdict.receivedMs < (verdicts[found] as VantageVerdict).receivedMs) found = index;
  });
  return found;
}

/**
 * What the fresh verdicts say together. A side wins when it has the quorum and more votes than the other;
 * a single vantage point never decides, and silence is no vote.
 */
export function judge(
  verdicts: readonly VantageVerdict[],
  nowMs: number,
  options: FailoverOptions,
): Judgement {
  let healthy = 0;
  let unhealthy = 0;
  for (const verdict of verdicts) {
    if (nowMs - verdict.receivedMs > options.verdictFreshMs) continue;
    if (verdict.healthy) healthy += 1;
    else unhealthy += 1;
  }
  if (unhealthy >= options.quorum && unhealthy > healthy) return "dead";
  if (healthy >= options.quorum && healthy > unhealthy) return "alive";
  return "unknown";
}

/** Whether a quorum of fresh vantage points has seen enough good checks in a row for a dead node to return. */
export function mayReturn(
  verdicts: readonly VantageVerdict[],
  nowMs: number,
  options: FailoverOptions,
): boolean {
  const sure = verdicts.filter(
    (verdict) =>
      nowMs - verdict.receivedMs <= options.verdictFreshMs &&
      verdict.goodChecks >= options.goodChecks,
  );
  return sure.length >= options.quorum && judge(verdicts, nowMs, options) === "alive";
}
