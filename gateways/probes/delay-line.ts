import type { Socket } from "node:net";
import { maxDelayedBytes } from "./limits.ts";

interface Waiting {
  readonly part: Buffer;
  readonly dueMs: number;
}

/** What becomes of a piece: given over after `delayMs`, or never when that is undefined. */
export type Fate = () => number | undefined;

/** Early enough to make up for timers that count whole milliseconds. */
const earlyMs = 0.5;

/**
 * Carries the bytes of one direction from one socket to another, each piece after its delay and never before an
 * earlier one. Holds at most `maxDelayedBytes` and one piece, then stops reading.
 */
export class DelayLine {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #fate: Fate;
  readonly #waiting: Waiting[] = [];
  #heldBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(from: Socket, to: Socket, fate: Fate) {
    this.#from = from;
    this.#to = to;
    this.#fate = fate;
    from.on("data", (part: Buffer) => this.#take(part));
    from.on("end", () => {
      this.#ended = true;
      this.#deliver();
    });
    from.on("close", () => this.#finish());
    to.on("drain", () => from.resume());
  }

  #take(part: Buffer): void {
    const delayMs = this.#fate();
    if (delayMs === undefined) return;
    const dueMs = Math.max(this.#lastDueMs, performance.now() + delayMs);
    this.#lastDueMs = dueMs;
    this.#waiting.push({ part, dueMs });
    this.#heldBytes += part.length;
    if (this.#heldBytes >= maxDelayedBytes) this.#from.pause();
    this.#arm();
  }

  #arm(): void {
    const first = this.#waiting[0];
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#deliver();
      },
      Math.max(0, first.dueMs - performance.now()),
    );
  }

  #deliver(): void {
    const nowMs = performance.now() + earlyMs;
    let room = true;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.dueMs > nowMs) break;
      this.#waiting.shift();
      this.#heldBytes -= first.part.length;
      if (!this.#to.destroyed) room = this.#to.write(first.part);
    }
    if (room && this.#heldBytes < maxDelayedBytes) this.#from.resume();
    if (this.#ended && this.#waiting.length === 0) this.#to.end();
    this.#arm();
  }

  /** A reset of one side is passed on when what came before it was delivered. */
  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#waiting.length === 0) this.#to.destroy();
  }
}
