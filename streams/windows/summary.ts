import { OpenCdnError } from "../errors.ts";
import { type QuantileOptions, QuantileSketch } from "./quantile-sketch.ts";
import type { Scratch } from "./scratch.ts";

export interface SummaryOptions {
  readonly min?: boolean;
  readonly max?: boolean;
  readonly quantiles?: QuantileOptions;
}

/**
 * What a window keeps of its values, packed: f64 count, f64 sum, then f64 min, f64 max and a quantile sketch where
 * asked for; 16 bytes when nothing is. Merging in any order or grouping gives the same bytes, but for the rounding
 * of sums of numbers that are not whole.
 */
export class Summary {
  readonly #minAt: number;
  readonly #maxAt: number;
  readonly #fixedBytes: number;
  readonly #sketch: QuantileSketch | undefined;

  constructor(options: SummaryOptions = {}) {
    this.#minAt = options.min === true ? 16 : -1;
    this.#maxAt = options.max === true ? (options.min === true ? 24 : 16) : -1;
    this.#fixedBytes = 16 + (options.min === true ? 8 : 0) + (options.max === true ? 8 : 0);
    this.#sketch =
      options.quantiles === undefined ? undefined : new QuantileSketch(options.quantiles);
  }

  /** Appends the summary of no values. */
  begin(scratch: Scratch): void {
    const at = scratch.length;
    scratch.reserve(at + this.#fixedBytes);
    const { view } = scratch;
    view.setFloat64(at, 0, true);
    view.setFloat64(at + 8, 0, true);
    if (this.#minAt > 0) view.setFloat64(at + this.#minAt, Number.POSITIVE_INFINITY, true);
    if (this.#maxAt > 0) view.setFloat64(at + this.#maxAt, Number.NEGATIVE_INFINITY, true);
    scratch.length = at + this.#fixedBytes;
  }

  /** Whether a summary keeps its size whatever is added. */
  get fixed(): boolean {
    return this.#sketch === undefined;
  }

  /** Adds a value to the summary in `scratch[start..length)`. Throws OCDN_BAD_INPUT when it is not finite. */
  add(scratch: Scratch, start: number, value: number): void {
    this.addFixed(scratch.view, start, value);
    this.#sketch?.add(scratch, start + this.#fixedBytes, value);
  }

  /** The same for a summary that is `fixed`, wherever it lies. */
  addFixed(view: DataView, start: number, value: number): void {
    if (!Number.isFinite(value)) {
      throw new OpenCdnError("OCDN_BAD_INPUT", `adding to a window: ${value} is no finite number`);
    }
    view.setFloat64(start, view.getFloat64(start, true) + 1, true);
    view.setFloat64(start + 8, view.getFloat64(start + 8, true) + value, true);
    if (this.#minAt > 0) lower(view, start + this.#minAt, value);
    if (this.#maxAt > 0) raise(view, start + this.#maxAt, value);
  }

  /** Adds the summary `from[fromStart..fromEnd)` to the one in `scratch[start..length)`. */
  merge(scratch: Scratch, start: number, from: DataView, fromStart: number, fromEnd: number): void {
    const { view } = scratch;
    for (let at = 0; at < 16; at += 8) {
      const sum = view.getFloat64(start + at, true) + from.getFloat64(fromStart + at, true);
      view.setFloat64(start + at, sum, true);
    }
    if (this.#minAt > 0) {
      lower(view, start + this.#minAt, from.getFloat64(fromStart + this.#minAt, true));
    }
    if (this.#maxAt > 0) {
      raise(view, start + this.#maxAt, from.getFloat64(fromStart + this.#maxAt, true));
    }
    const fixed = this.#fixedBytes;
    this.#sketch?.merge(scratch, start + fixed, from, fromStart + fixed, fromEnd);
  }

  count(view: DataView, start: number): number {
    return view.getFloat64(start, true);
  }

  sum(view: DataView, start: number): number {
    return view.getFloat64(start + 8, true);
  }

  /** Undefined where the summary keeps none or has no values. */
  min(view: DataView, start: number): number | undefined {
    if (this.#minAt < 0 || this.count(view, start) === 0) return undefined;
    return view.getFloat64(start + this.#minAt, true);
  }

  max(view: DataView, start: number): number | undefined {
    if (this.#maxAt < 0 || this.count(view, start) === 0) return undefined;
    return view.getFloat64(start + this.#maxAt, true);
  }

  /** The value at rank ceil(q x count) within the sketch's error; undefined as for `min`. */
  quantile(view: DataView, start: number, end: number, q: number): number | undefined {
    const count = this.count(view, start);
    if (this.#sketch === undefined || count === 0) return undefined;
    return this.#sketch.quantile(view, start + this.#fixedBytes, end, q, count);
  }
}

function lower(view: DataView, at: number, value: number): void {
  if (value < view.getFloat64(at, true)) view.setFloat64(at, value, true);
}

function raise(view: DataView, at: number, value: number): void {
  if (value > view.getFloat64(at, true)) view.setFloat64(at, value, true);
}
