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

  /** Records and numbers since the beginning or the last reset. */
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
    let a = round(lanes[0] as number, keyEnd - keyStart);
    let b = round(lanes[1] as number, valueStart < 0 ? tombstone : valueEnd - valueStart);
    let c = lanes[2] as number;
    let d = lanes[3] as number;
    let at = keyStart;
    let end = keyEnd;
    for (let more = valueStart >= 0; ; more = false) {
      // Blocks of 16 bytes: the last one overlaps the one before, and a shorter range is filled with zeros, which is no
      // less exact since the lengths are in.
      const last = end - 16;
      if (last >= at) {
        for (; at < last; at += 16) {
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
        a = round(a, tailWord(view, at, end));
        b = round(b, tailWord(view, at + 4, end));
        c = round(c, tailWord(view, at + 8, end));
        d = round(d, tailWord(view, at + 12, end));
      }
      if (!more) break;
      at = valueStart;
      end = valueEnd;
    }
    lanes[0] = a;
    lanes[1] = b;
    lanes[2] = c;
    lanes[3] = d;
    this.#count += 1;
  }

  /** Adds a number of 32 bits. */
  addNumber(value: number): void {
    this.#lanes[0] = round(this.#lanes[0] as number, value);
    this.#count += 1;
  }

  /** 16 bits that depend on all records so far, in their order. */
  check(): number {
    const lanes = this.#lanes;
    let folded = lanes[0] as number;
    for (let i = 1; i < 4; i++) folded = round(folded, lanes[i] as number);
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
