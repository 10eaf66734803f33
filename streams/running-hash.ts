import { hashRange, type Lanes, lanesToBytes, newLanes, tailWord } from "./hash.ts";

const golden = 0x9e3779b9;
const tombstone = -1;
const summary = new DataView(new ArrayBuffer(20));

/**
 * Hash of a sequence of records that goes on from one to the next: four lanes of FxHash (the one of Firefox and of
 * rustc's tables) take a word each, and MurmurHash3 mixes them at the end. A third of the cost of a hash for each record
 * and one over these, which counts because every record that a task takes goes through here. It notices damage and
 * divergence, not an adversary.
 */
export class RunningHash {
  readonly #lanes: Lanes = newLanes();
  #count = 0;

  /** Records since the beginning or the last reset. */
  get count(): number {
    return this.#count;
  }

  /** Adds a key and its value; `valueStart` -1 is a tombstone, which differs from an empty value. */
  add(
    view: DataView,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const lanes = this.#lanes;
    lanes[0] = round(lanes[0] as number, keyEnd - keyStart);
    lanes[1] = round(lanes[1] as number, valueStart < 0 ? tombstone : valueEnd - valueStart);
    mix(lanes, view, keyStart, keyEnd);
    if (valueStart >= 0) mix(lanes, view, valueStart, valueEnd);
    this.#count += 1;
  }

  /** 16 bits that depend on all records so far, in their order. */
  check(): number {
    const [a, b, c, d] = this.#lanes as unknown as readonly [number, number, number, number];
    const folded = round(round(round(a, b), c), d);
    return folded >>> 16;
  }

  /** 16 bytes; adding may go on. */
  digest(): Uint8Array {
    const lanes = newLanes();
    for (let i = 0; i < 4; i++) summary.setInt32(i * 4, this.#lanes[i] as number, true);
    summary.setInt32(16, this.#count, true);
    hashRange(summary, 0, 20, 0, lanes);
    return lanesToBytes(lanes);
  }

  reset(): void {
    this.#lanes.fill(0);
    this.#count = 0;
  }
}

/** A change of the word, or of the lane, always changes the result. */
function round(lane: number, word: number): number {
  return Math.imul(((lane << 5) | (lane >>> 27)) ^ word, golden);
}

/**
 * The bytes of [start, end) in blocks of 16; the last block overlaps the one before, and a shorter range is filled with
 * zeros, which is no less exact as the caller has mixed the length in.
 */
function mix(lanes: Lanes, view: DataView, start: number, end: number): void {
  let a = lanes[0] as number;
  let b = lanes[1] as number;
  let c = lanes[2] as number;
  let d = lanes[3] as number;
  const last = end - 16;
  if (last >= start) {
    for (let at = start; at < last; at += 16) {
      a = round(a, view.getInt32(at, true));
      b = round(b, view.getInt32(at + 4, true));
      c = round(c, view.getInt32(at + 8, true));
      d = round(d, view.getInt32(at + 12, true));
    }
    a = round(a, view.getInt32(last, true));
    b = round(b, view.getInt32(last + 4, true));
    c = round(c, view.getInt32(last + 8, true));
    d = round(d, view.getInt32(last + 12, true));
  } else {
    a = round(a, tailWord(view, start, end));
    b = round(b, tailWord(view, start + 4, end));
    c = round(c, tailWord(view, start + 8, end));
    d = round(d, tailWord(view, start + 12, end));
  }
  lanes[0] = a;
  lanes[1] = b;
  lanes[2] = c;
  lanes[3] = d;
}
