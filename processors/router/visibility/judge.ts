import type { PrefixVisibility, Visibility } from "../../../schemas/generated/events.ts";
import type { VisibilityOptions } from "./config.ts";

/** What one peer says of a registered prefix. */
export interface PeerView {
  readonly peer: string;
  readonly visible: boolean;
  /** The route is for this very prefix, not for one that covers it. */
  readonly exact: boolean;
  readonly originAsn: number;
  readonly pathLength: number;
}

/** Whether a peer can say anything about now. */
export interface PeerStanding {
  readonly up: boolean;
  readonly live: boolean;
  /** Its feed is not silent. */
  readonly fresh: boolean;
}

/** Why a prefix is in its state. */
export type VisibilityReason =
  | "SEEN"
  | "NOT_SEEN"
  | "PARTLY_SEEN"
  | "NO_VIEWS"
  | "HISTORICAL_FEED"
  | "FEED_SILENT"
  | "TOO_FEW_PEERS";

/** The judgement on one prefix; what it shares with prefix.visibility.v1. */
export interface PrefixFinding
  extends Pick<
    PrefixVisibility,
    "livePeers" | "seeingPeers" | "origins" | "wrongOrigin" | "minPathLength" | "medianPathLength"
  > {
  readonly state: Visibility;
  readonly reason: VisibilityReason;
}

/**
 * Whether the internet sees a prefix. NO only where it is certain: enough live peers have a view, and nearly none of
 * them a route. A silent feed, history, too few peers or a split opinion are UNKNOWN.
 *
 * A peer has a view when its table is complete or when it spoke of the prefix (the rib decides), so absence counts
 * only where a peer would know.
 */
export function judgePrefix(
  views: readonly PeerView[],
  standingOf: (peer: string) => PeerStanding | undefined,
  allowedOrigins: ReadonlySet<number> | "any",
  options: VisibilityOptions,
): PrefixFinding {
  const standings = views.map((view) => standingOf(view.peer));
  const witnesses = views.filter((_, index) => {
    const standing = standings[index];
    return standing?.up === true && standing.live && standing.fresh;
  });
  const seeing = witnesses.filter((view) => view.visible);
  const lengths = seeing.map((view) => view.pathLength).sort((a, b) => a - b);
  const evidence = {
    livePeers: witnesses.length,
    seeingPeers: seeing.length,
    origins: [...new Set(seeing.map((view) => view.originAsn))]
      .filter((asn) => asn !== 0)
      .sort((a, b) => a - b),
    wrongOrigin: isWrongOrigin(seeing, witnesses.length, allowedOrigins, options),
    minPathLength: lengths[0] ?? 0,
    medianPathLength: lengths[(lengths.length - 1) >> 1] ?? 0,
  };
  if (witnesses.length < options.minLivePeers) {
    return { ...evidence, state: "UNKNOWN", reason: whyFew(standings) };
  }
  const ratio = seeing.length / witnesses.length;
  if (ratio <= options.notSeenRatio) return { ...evidence, state: "NO", reason: "NOT_SEEN" };
  if (ratio >= options.seenRatio) return { ...evidence, state: "YES", reason: "SEEN" };
  return { ...evidence, state: "UNKNOWN", reason: "PARTLY_SEEN" };
}

function whyFew(standings: readonly (PeerStanding | undefined)[]): VisibilityReason {
  const known = standings.filter((standing) => standing !== undefined);
  if (known.length === 0) return "NO_VIEWS";
  if (known.every((standing) => !standing.live)) return "HISTORICAL_FEED";
  return known.every((standing) => !standing.fresh) ? "FEED_SILENT" : "TOO_FEW_PEERS";
}

/** More than half of the peers with a route to this very prefix have it from an AS that may not originate it. */
function isWrongOrigin(
  seeing: readonly PeerView[],
  livePeers: number,
  allowed: ReadonlySet<number> | "any",
  options: VisibilityOptions,
): boolean {
  if (allowed === "any" || livePeers < options.minLivePeers) return false;
  const exact = seeing.filter((view) => view.exact && view.originAsn !== 0);
  const wrong = exact.filter((view) => !allowed.has(view.originAsn));
  return wrong.length * 2 > exact.length;
}
