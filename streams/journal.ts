import { OpenCdnError } from "./errors.ts";

/**
 * What a task took between two commits, in the order in which it took it: runs of one input's records, and
 * ticks. Contiguous records of one input and slot are one run, so a busy commit costs a few bytes.
 */
export type JournalStep =
  | {
      readonly kind: "run";
      readonly input: number;
      readonly slot: number;
      readonly offset: number;
      readonly count: number;
    }
  | { readonly kind: "tick"; readonly tickMs: number };

const maxSteps = 1_000_000;
const runMark = 0;
const tickMark = 1;

/** Packs steps as LEB128 numbers: 0, input, slot, offset, count; or 1, tickMs. */
export class JournalWriter {
  #bytes = new Uint8Array(256);
  #length = 0;
  #input = -1;
  #slot = 0;
  #offset = 0;
  #count = 0;

  get empty(): boolean {
    return this.#length === 0 && this.#input < 0;
  }

  record(input: number, slot: number, offset: number): void {
    if (input === this.#input && slot === this.#slot && offset === this.#offset + this.#count) {
      this.#count += 1;
      return;
    }
    this.#endRun();
    this.#input = input;
    this.#slot = slot;
    this.#offset = offset;
    this.#count = 1;
  }

  tick(tickMs: number): void {
    this.#endRun();
    this.#number(tickMark);
    this.#number(tickMs);
  }

  /** The packed steps; the writer begins anew. */
  take(): Buffer {
    this.#endRun();
    const steps = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return steps;
  }

  #endRun(): void {
    if (this.#input < 0) return;
    this.#number(runMark);
    this.#number(this.#input);
    this.#number(this.#slot);
    this.#number(this.#offset);
    this.#number(this.#count);
    this.#input = -1;
  }

  #number(value: number): void {
    if (this.#length + 8 > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length] = (rest % 128) | 0x80;
      this.#length += 1;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length] = rest;
    this.#length += 1;
  }
}

/** The steps in `bytes`. Throws OCDN_BAD_INPUT when they are malformed. */
export function readJournal(bytes: Uint8Array): JournalStep[] {
  const steps: JournalStep[] = [];
  let at = 0;
  const number = (): number => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = bytes[at];
      if (byte === undefined) break;
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80 && Number.isSafeInteger(value)) return value;
      scale *= 128;
    }
    throw new OpenCdnError("OCDN_BAD_INPUT", `reading journal steps: byte ${at} is not a number`);
  };
  while (at < bytes.length) {
    const mark = number();
    if (mark === tickMark) {
      steps.push({ kind: "tick", tickMs: number() });
    } else if (mark === runMark) {
      const [input, slot, offset, count] = [number(), number(), number(), number()];
      steps.push({ kind: "run", input, slot, offset, count });
    } else {
      throw new OpenCdnError("OCDN_BAD_INPUT", `reading journal steps: unknown step ${mark}`);
    }
    if (steps.length > maxSteps) {
      throw new OpenCdnError("OCDN_LIMIT", `reading journal steps: more than ${maxSteps}`);
    }
  }
  return steps;
}
