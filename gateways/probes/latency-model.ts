import {
  demonstrationLatency,
  distanceKm,
  fibreRttMs,
  sampleRttMs,
  seededRandom,
} from "../../domain/distance.ts";
import type { Place } from "../../domain/geo-table.ts";

/**
 * The demonstration's latency model, published here and in `domain/distance.ts`: the round trip is the great
 * circle times 1.4 through fibre (199,862 km/s) plus 4 ms of access networks, with exponential jitter of 5 % of
 * that on average; a packet is lost with probability 0.05 % plus 0.02 % per 1,000 km. Each path draws from a
 * stream of its own, seeded with (seed, cell, node), so a run can be repeated.
 */
export interface PathModel {
  readonly km: number;
  /** Round trip without jitter. */
  readonly fixedRttMs: number;
  /** Probability that a packet is lost, 0..1. */
  readonly lossRatio: number;
  /** Time of the next packet in one direction: half of a round trip with jitter. */
  nextOneWayMs(): number;
  /** Whether the next packet is lost. */
  nextIsLost(): boolean;
}

const baseLossRatio = 0.0005;
const lossRatioPer1000Km = 0.0002;

/** The model of the path between a cell's place and a node's. */
export function pathModel(
  seed: number,
  name: { readonly cell: string; readonly nodeId: string },
  from: Place,
  to: Place,
): PathModel {
  const km = distanceKm(from, to);
  const lossRatio = baseLossRatio + (km / 1_000) * lossRatioPer1000Km;
  const random = seededRandom(seedOf(seed, `${name.cell}>${name.nodeId}`));
  return {
    km,
    fixedRttMs: fibreRttMs(km, demonstrationLatency),
    lossRatio,
    nextOneWayMs: () => sampleRttMs(km, random(), demonstrationLatency) / 2,
    nextIsLost: () => random() < lossRatio,
  };
}

/** FNV-1a of the text, begun with the seed. */
function seedOf(seed: number, text: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
