import { OpenCdnError } from "../errors.ts";
import type { Context } from "../processor.ts";
import { Scratch } from "./scratch.ts";
import type { Summary } from "./summary.ts";

/** A window's contents. The object is reused: read it at once. */
export interface Window {
  readonly key: string;
  /** First millisecond; of a session, its first event. */
  readonly startMs: number;
  /** First millisecond after it; of a session, its last event. */
  readonly endMs: number;
  readonly count: number;
  readonly sum: number;
  /** 0 for no values. */
  readonly mean: number;
  readonly min: number | undefined;
  readonly max: number | undefined;
  quantile(q: number): number | undefined;
}

/** A record whose windows were all closed when it came. */
export interface LateRecord {
  readonly key: string;
  readonly eventMs: number;
  readonly value: number;
}

export interface WindowOptions {
  /** Of the store, and of the timers. Lower-case letters, digits, dots and hyphens. */
  readonly name: string;
  /** The input whose records are added, and whose stream time closes the windows. One for each window. */
  readonly input: { readonly name: string };
  /** How long after its end a window stays open for late records; 0 by default. */
  readonly graceMs?: number;
  readonly summary: Summary;
  /** Windows close in the order of (end + grace, key). */
  readonly onClose: (window: Window, context: Context) => void;
  readonly onLate?: (late: LateRecord, context: Context) => void;
}

export class WindowView implements Window {
  key: string = "";
  startMs: number = 0;
  endMs: number = 0;
  readonly scratch: Scratch = new Scratch();
  readonly #summary: Summary;

  constructor(summary: Summary) {
    this.#summary = summary;
  }

  get count(): number {
    return this.#summary.count(this.scratch.view, 0);
  }

  get sum(): number {
    return this.#summary.sum(this.scratch.view, 0);
  }

  get mean(): number {
    const { count } = this;
    return count === 0 ? 0 : this.sum / count;
  }

  get min(): number | undefined {
    return this.#summary.min(this.scratch.view, 0);
  }

  get max(): number | undefined {
    return this.#summary.max(this.scratch.view, 0);
  }

  quantile(q: number): number | undefined {
    return this.#summary.quantile(this.scratch.view, 0, this.scratch.length, q);
  }
}

const namePattern = /^[a-z0-9][a-z0-9.-]{0,63}$/;

/** Throws OCDN_CONFIG for options that mean nothing. `spans` are lengths that must be whole and positive. */
export function checkOptions(
  options: WindowOptions,
  spans: Readonly<Record<string, number>>,
): void {
  if (!namePattern.test(options.name)) {
    throw new OpenCdnError(
      "OCDN_CONFIG",
      `window ${options.name}: the name is not a-z, 0-9, . or -`,
    );
  }
  for (const [name, ms] of Object.entries(spans)) {
    if (!Number.isSafeInteger(ms) || ms <= 0) {
      throw new OpenCdnError("OCDN_CONFIG", `window ${options.name}: ${name} of ${ms}`);
    }
  }
  const { graceMs = 0 } = options;
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) {
    throw new OpenCdnError("OCDN_CONFIG", `window ${options.name}: graceMs of ${graceMs}`);
  }
}
