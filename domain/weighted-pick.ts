import type { AddressFamily } from "./address.ts";

/** A node that the client's policy permits; the fraction (0..1) is its share of the cell's blocks. */
export interface Candidate {
  readonly nodeId: string;
  readonly fraction: number;
}

/** What must act at once about one node. */
export interface OverlayEntry {
  readonly alive: boolean;
  readonly draining: boolean;
  /** 0..1, below 1 while the node returns by the ramp. */
  readonly multiplier: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** Overlay entries by node; a node without one is taken for healthy, for unknown never masks. */
export type Overlay = ReadonlyMap<string, OverlayEntry>;

/**
 * Why a node was picked. `FRACTION` by its share; `STANDBY` no node with a share is left, so the
 * healthy ones without a share stand in; `DRAINING_LIFTED` and `DEAD_LIFTED` too few healthy nodes
 * are left, so draining ones, or all, take part again.
 */
export type PickReason = "FRACTION" | "STANDBY" | "DRAINING_LIFTED" | "DEAD_LIFTED";

/** Why no node was picked: the cell has no node that may serve it. */
export type RefusalReason = "NO_PERMITTED_NODE";

export interface Picked {
  readonly kind: "picked";
  readonly nodeId: string;
  readonly reason: PickReason;
  /** The node's overlay entry, for the event that names what was used. */
  readonly entry: OverlayEntry | undefined;
}

export interface Refused {
  readonly kind: "refused";
  readonly reason: RefusalReason;
}

const refused: Refused = { kind: "refused", reason: "NO_PERMITTED_NODE" };
const nobody: ReadonlySet<string> = new Set();

/** Which nodes take part: the healthy ones, those and draining ones, or all that are permitted. */
type Level = "HEALTHY" | "DRAINING_LIFTED" | "DEAD_LIFTED";

/**
 * Picks the node of a block (`hashBlock`): by fraction times overlay multiplier, with weighted
 * rendezvous hashing, so that one block keeps its node until its own node loses weight or another
 * gains it. Forbidden nodes never take part. Draining nodes are masked unless fewer than half of
 * the permitted candidates are healthy; dead ones unless fewer than half are alive even so.
 */
export function pick(
  candidates: readonly Candidate[],
  overlay: Overlay,
  blockHash: number,
  forbidden: ReadonlySet<string> = nobody,
): Picked | Refused {
  const level = levelOf(candidates, overlay, forbidden);
  if (level === undefined) return refused;
  return (
    best(candidates, overlay, { blockHash, forbidden, level, standby: false }) ??
    best(candidates, overlay, { blockHash, forbidden, level, standby: true }) ??
    refused
  );
}

/** Undefined when nobody is permitted. */
function levelOf(
  candidates: readonly Candidate[],
  overlay: Overlay,
  forbidden: ReadonlySet<string>,
): Level | undefined {
  let permitted = 0;
  let alive = 0;
  let healthy = 0;
  for (const { nodeId } of candidates) {
    if (forbidden.has(nodeId)) continue;
    permitted++;
    const entry = overlay.get(nodeId);
    if (entry !== undefined && !entry.alive) continue;
    alive++;
    if (entry?.draining !== true) healthy++;
  }
  if (permitted === 0) return undefined;
  if (2 * healthy >= permitted) return "HEALTHY";
  return 2 * alive >= permitted ? "DRAINING_LIFTED" : "DEAD_LIFTED";
}

/**
 * The share of the blocks that `pick` gives each candidate, 0..1, in their order: fractions after masks and ramp
 * over their sum. All 0 when nobody is picked.
 */
export function effectiveFractions(
  candidates: readonly Candidate[],
  overlay: Overlay,
  forbidden: ReadonlySet<string> = nobody,
): number[] {
  const level = levelOf(candidates, overlay, forbidden);
  if (level === undefined) return candidates.map(() => 0);
  for (const standby of [false, true]) {
    const weights = candidates.map((candidate) =>
      forbidden.has(candidate.nodeId)
        ? 0
        : Math.max(0, weightOf(candidate, overlay.get(candidate.nodeId), level, standby)),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total > 0) return weights.map((weight) => weight / total);
  }
  return candidates.map(() => 0);
}

interface Round {
  readonly blockHash: number;
  readonly forbidden: ReadonlySet<string>;
  readonly level: Level;
  readonly standby: boolean;
}

/** The candidate with the smallest -ln(u) / weight: each wins with its share of the weights. */
function best(
  candidates: readonly Candidate[],
  overlay: Overlay,
  { blockHash, forbidden, level, standby }: Round,
): Picked | undefined {
  let winner: Candidate | undefined;
  let winnerEntry: OverlayEntry | undefined;
  let winnerScore = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (forbidden.has(candidate.nodeId)) continue;
    const entry = overlay.get(candidate.nodeId);
    const weight = weightOf(candidate, entry, level, standby);
    if (!(weight > 0)) continue;
    const score = -Math.log(unitHash(blockHash, candidate.nodeId)) / weight;
    if (score < winnerScore) {
      winner = candidate;
      winnerEntry = entry;
      winnerScore = score;
    }
  }
  if (winner === undefined) return undefined;
  const reason = level !== "HEALTHY" ? level : standby ? "STANDBY" : "FRACTION";
  return { kind: "picked", nodeId: winner.nodeId, reason, entry: winnerEntry };
}

function weightOf(
  candidate: Candidate,
  entry: OverlayEntry | undefined,
  level: Level,
  standby: boolean,
): number {
  const weight = standby ? 1 : candidate.fraction;
  if (entry === undefined || level === "DEAD_LIFTED") return weight;
  if (!entry.alive) return 0;
  if (level === "DRAINING_LIFTED") return weight;
  if (entry.draining) return 0;
  return standby ? weight : weight * Math.min(1, entry.multiplier);
}

/** Whether `next` replaces `current`: a higher epoch, or the same with a higher sequence. */
export function supersedes(next: OverlayEntry, current: OverlayEntry | undefined): boolean {
  if (current === undefined || next.epoch > current.epoch) return true;
  return next.epoch === current.epoch && next.sequence > current.sequence;
}

/** 32 bits of a block: family, length and the first `length` bits at the start of `bytes`. */
export function hashBlock(family: AddressFamily, bytes: Uint8Array, length: number): number {
  let hash = mix(family * 256 + length);
  const whole = length >> 3;
  for (let at = 0; at < whole; at++) hash = mix((hash ^ (bytes[at] ?? 0)) + 0x9e3779b9);
  const rest = length & 7;
  if (rest !== 0) {
    hash = mix((hash ^ ((bytes[whole] ?? 0) & (0xff00 >> rest))) + 0x9e3779b9);
  }
  return hash >>> 0;
}

/** A number between 0 and 1, never either, that depends on the block and the node. */
function unitHash(blockHash: number, nodeId: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < nodeId.length; at++) {
    hash = Math.imul(hash ^ nodeId.charCodeAt(at), 0x01000193);
  }
  const mixed = mix(mix(hash ^ blockHash) + blockHash);
  return ((mixed >>> 0) + 0.5) / 0x1_0000_0000;
}

/** The finalizer of MurmurHash3 (32 bits). */
function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
