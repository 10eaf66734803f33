import type { Place } from "./geo-table.ts";

/** Mean radius of the earth, km (IUGG). */
const EARTH_RADIUS_KM = 6_371.0088;
/** Light in fibre: 2/3 of 299,792.458 km/s, in km per ms. */
export const FIBRE_KM_PER_MS: number = (2 / 3) * 299.792458;

/** Great-circle distance in km (haversine formula). */
export function distanceKm(from: Place, to: Place): number {
  const fromLatitude = radians(from.latitude);
  const toLatitude = radians(to.latitude);
  const sinLatitude = Math.sin((toLatitude - fromLatitude) / 2);
  const sinLongitude = Math.sin(radians(to.longitude - from.longitude) / 2);
  const square =
    sinLatitude * sinLatitude +
    Math.cos(fromLatitude) * Math.cos(toLatitude) * sinLongitude * sinLongitude;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(square)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/**
 * The published model of a path's latency: light goes there and back through fibre that is
 * `detourRatio` times as long as the great circle, both ends add `lastMileMs`, and queues add
 * jitter that is exponential with a mean of `jitterRatio` times the rest.
 */
export interface LatencyModel {
  /** Cable length over great-circle distance. */
  readonly detourRatio: number;
  /** Round-trip time of the access networks at both ends, ms. */
  readonly lastMileMs: number;
  /** Mean of the jitter over the fixed part, 0..1. */
  readonly jitterRatio: number;
}

/** The model of the demonstration. */
export const demonstrationLatency: LatencyModel = {
  detourRatio: 1.4,
  lastMileMs: 4,
  jitterRatio: 0.05,
};

/** Round-trip time in ms without jitter: what an idle path of this length takes. */
export function fibreRttMs(km: number, model: LatencyModel = demonstrationLatency): number {
  return model.lastMileMs + (2 * km * model.detourRatio) / FIBRE_KM_PER_MS;
}

/**
 * Round-trip time in ms with jitter. `random` is a number from 0 up to, not including, 1: the same
 * number gives the same time.
 */
export function sampleRttMs(
  km: number,
  random: number,
  model: LatencyModel = demonstrationLatency,
): number {
  const fixedMs = fibreRttMs(km, model);
  return fixedMs - Math.log(1 - random) * model.jitterRatio * fixedMs;
}

/**
 * A stream of numbers from 0 up to, not including, 1 (mulberry32): the same seed gives the same
 * stream.
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
