import { OpenCdnError } from "../errors.ts";
import type { Scratch } from "./scratch.ts";

export interface QuantileOptions {
  /** Largest relative error of a quantile; 0.01 by default, 0.001 to 0.2. */
  readonly relativeError?: number;
  /** A value at which the answer is exact: a quantile is greater than it exactly when the sample's is. */
  readonly exactAt?: number;
  /** Most buckets, 6 bytes each; 512 by default. Beyond it the lowest ones are joined. */
  readonly maxBuckets?: number;
}

const pairBytes = 6;
const zeroBucket = -32_768;
const highestBucket = 32_767;

/**
 * Counts in buckets whose bounds grow by one ratio (DDSketch: Masson, Rim, Lee, VLDB 2019), packed as pairs of
 * i16 bucket and u32 count, sorted, only those that are not empty. Bucket i holds (ratio^(i-1), ratio^i] times
 * the exact value. The same samples in any order or grouping give the same bytes. Values of 0 and below count as 0.
 *
 * Error: at most `relativeError` of the value at that rank, as long as no more than `maxBuckets` buckets are in use
 * (with the defaults: values from 1 to 27,000 times the smallest); then low quantiles become too high first.
 */
export class QuantileSketch {
  readonly #ratio: number;
  readonly #logRatio: number;
  readonly #unit: number;
  readonly #maxBuckets: number;

  constructor(options: QuantileOptions = {}) {
    const { relativeError = 0.01, exactAt = 1, maxBuckets = 512 } = options;
    if (!(relativeError >= 0.001 && relativeError <= 0.2)) {
      throw new OpenCdnError("OCDN_CONFIG", `quantiles: a relative error of ${relativeError}`);
    }
    if (!(exactAt > 0 && exactAt < Number.MAX_VALUE) || !(maxBuckets >= 2 && maxBuckets <= 8_192)) {
      throw new OpenCdnError("OCDN_CONFIG", `quantiles: ${maxBuckets} buckets around ${exactAt}`);
    }
    this.#ratio = (1 + relativeError) / (1 - relativeError);
    this.#logRatio = Math.log(this.#ratio);
    this.#unit = exactAt;
    this.#maxBuckets = Math.floor(maxBuckets);
  }

  /** Counts `value` in the sketch that lies in `scratch[start..length)`. */
  add(scratch: Scratch, start: number, value: number): void {
    this.#count(scratch, start, this.#bucketOf(value), 1);
  }

  /** Adds the counts of another sketch, `view[from..to)`. */
  merge(scratch: Scratch, start: number, view: DataView, from: number, to: number): void {
    for (let at = from; at < to; at += pairBytes) {
      this.#count(scratch, start, view.getInt16(at, true), view.getUint32(at + 2, true));
    }
  }

  /** The value at rank ceil(q x count) among `count` samples, 0 < q <= 1; 0 for none. */
  quantile(view: DataView, start: number, end: number, q: number, count: number): number {
    // 0.95 x 60 may come out a trifle above 57, which must not become 58.
    let rank = Math.max(1, Math.ceil(q * count - 1e-9));
    for (let at = start; at < end; at += pairBytes) {
      rank -= view.getUint32(at + 2, true);
      if (rank <= 0 || at + pairBytes >= end) return this.#middleOf(view.getInt16(at, true));
    }
    return 0;
  }

  #bucketOf(value: number): number {
    if (value <= 0) return zeroBucket;
    const bucket = Math.ceil(Math.log(value / this.#unit) / this.#logRatio);
    if (value > this.#unit) return Math.min(Math.max(bucket, 1), highestBucket);
    return Math.max(Math.min(bucket, 0), zeroBucket + 1);
  }

  /** The value in a bucket that is equally far, in proportion, from both bounds. */
  #middleOf(bucket: number): number {
    if (bucket === zeroBucket) return 0;
    return ((2 * this.#ratio ** bucket) / (this.#ratio + 1)) * this.#unit;
  }

  #count(scratch: Scratch, start: number, bucket: number, count: number): void {
    let low = 0;
    let high = (scratch.length - start) / pairBytes;
    const size = high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (scratch.view.getInt16(start + middle * pairBytes, true) < bucket) low = middle + 1;
      else high = middle;
    }
    const at = start + low * pairBytes;
    if (low < size && scratch.view.getInt16(at, true) === bucket) {
      addCount(scratch.view, at, count);
    } else if (size < this.#maxBuckets) {
      insert(scratch, at, bucket, count);
    } else if (low === 0) {
      addCount(scratch.view, start, count);
    } else {
      const lowest = scratch.view.getUint32(start + 2, true);
      scratch.bytes.copyWithin(start, start + pairBytes, at);
      write(scratch.view, at - pairBytes, bucket, count);
      addCount(scratch.view, start, lowest);
    }
  }
}

function addCount(view: DataView, at: number, count: number): void {
  view.setUint32(at + 2, Math.min(view.getUint32(at + 2, true) + count, 0xffffffff), true);
}

function write(view: DataView, at: number, bucket: number, count: number): void {
  view.setInt16(at, bucket, true);
  view.setUint32(at + 2, count, true);
}

function insert(scratch: Scratch, at: number, bucket: number, count: number): void {
  scratch.reserve(scratch.length + pairBytes);
  scratch.bytes.copyWithin(at + pairBytes, at, scratch.length);
  write(scratch.view, at, bucket, count);
  scratch.length += pairBytes;
}
