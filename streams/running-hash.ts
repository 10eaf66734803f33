import { hashRange, type Lanes, lanesToBytes, newLanes, tailWord } from "./hash.ts";

const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const tombstone = -1;
const summary = new DataView(new ArrayBuffer(20));

/**
 * Hash of a sequence of records that goes on from one to the next: the four accumulators of xxHash32 (Yann Collet, BSD)
 * take a word each, and MurmurHash3 mixes them at the end. Half the cost of a hash for each record and one over these,
 * which counts because every record that a task takes goes through here. It notices damage and divergence, not an
 * adversary.
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
    const folded = Math.imul(a ^ (b << 7) ^ (b >>> 25) ^ (c << 14) ^ (c >>> 18) ^ d, prime2);
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

function round(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, prime2)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), prime1);
}

/** The bytes of [start, end), the last ones filled with zeros: the caller has mixed the length in. */
function mix(lanes: Lanes, view: DataView, start: number, end: number): void {
  let a = lanes[0] as number;
  let b = lanes[1] as number;
  let c = lanes[2] as number;
  let d = lanes[3] as number;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    a = round(a, view.getInt32(at, true));
    b = round(b, view.getInt32(at + 4, true));
    c = round(c, view.getInt32(at + 8, true));
    d = round(d, view.getInt32(at + 12, true));
  }
  if (at < end) {
    a = round(a, tailWord(view, at, end));
    b = round(b, tailWord(view, at + 4, end));
    c = round(c, tailWord(view, at + 8, end));
    d = round(d, tailWord(view, at + 12, end));
  }
  lanes[0] = a;
  lanes[1] = b;
  lanes[2] = c;
  lanes[3] = d;
}
