import type { AnomalyOptions } from "./config.ts";
import type { Finding } from "./cpu-rule.ts";

/** Sessions of a node in one interval that ended at `atMs`. */
export interface SessionCounts {
  readonly atMs: number;
  readonly connects: number;
  readonly reconnects: number;
}

/** Most intervals kept: a node that reports more often than once a second is cut to its newest. */
const maxIntervals = 600;

/** The counts of the last window; a second record of the same time replaces the first. */
export function withSessions(
  history: readonly SessionCounts[],
  counts: SessionCounts,
  options: AnomalyOptions,
): readonly SessionCounts[] {
  const newest = Math.max(counts.atMs, history.at(-1)?.atMs ?? counts.atMs);
  const all = [...history.filter((known) => known.atMs !== counts.atMs), counts];
  all.sort((a, b) => a.atMs - b.atMs);
  return sessionsAt(all, newest, options).slice(-maxIntervals);
}

/** What is left of the window when its end is `atMs`. */
export function sessionsAt(
  history: readonly SessionCounts[],
  atMs: number,
  options: AnomalyOptions,
): readonly SessionCounts[] {
  return history.filter((known) => known.atMs > atMs - options.reconnectWindowMs);
}

/** Reconnects over all attempts above 5 % in 30 s with at least 20 attempts fires; everything else resolves. */
export function judgeReconnects(
  history: readonly SessionCounts[],
  options: AnomalyOptions,
): Finding {
  let connects = 0;
  let reconnects = 0;
  for (const counts of history) {
    connects += counts.connects;
    reconnects += counts.reconnects;
  }
  const attempts = connects + reconnects;
  const value = attempts === 0 ? 0 : reconnects / attempts;
  const fires = attempts >= options.reconnectMinAttempts && value > options.reconnectRatio;
  return { verdict: fires ? "fire" : "resolve", value, samples: attempts };
}
