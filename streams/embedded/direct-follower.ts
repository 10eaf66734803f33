import type { Chunk } from "../chunk.ts";
import { messageOf, OpenCdnError } from "../errors.ts";
import type { Follower, FollowRequest, Position } from "../log.ts";
import { Feed, type FeedOutput } from "./feed.ts";
import type { OwnedLog } from "./log-owner.ts";
import type { Turns } from "./turns.ts";

/** A follower in the owner's own process: chunks are handed over in place, without a socket between. */
export class DirectFollower implements Follower {
  readonly #request: FollowRequest;
  readonly #feed: Feed;
  readonly #onClosed: (follower: DirectFollower) => void;
  readonly #begin: NodeJS.Immediate;
  /** False until the caller holds the follower, and while its reader is busy. */
  #ready = false;
  /** What a busy reader has in hand. */
  #inHand: Chunk | undefined;
  #closed = false;

  constructor(options: {
    readonly log: OwnedLog;
    readonly request: FollowRequest;
    readonly isTable: (topic: string) => boolean;
    readonly turns: Turns;
    readonly onClosed: (follower: DirectFollower) => void;
  }) {
    const { request } = options;
    const { from, topics } = request;
    this.#request = request;
    this.#onClosed = options.onClosed;
    const named = typeof from === "string";
    this.#feed = new Feed({
      log: options.log,
      output: this.#output(),
      isTable: options.isTable,
      turns: options.turns,
      request: {
        topics: [...new Set(topics)],
        start: named ? from : "positions",
        positions: named ? [] : from,
      },
    });
    // Nothing is handed over before the caller holds the follower.
    this.#begin = setImmediate(() => {
      request.onState?.(true);
      this.#ready = true;
      this.#feed.pump();
    });
  }

  positions(): Position[] {
    const { topic, slot, baseOffset } = this.#inHand ?? { topic: "", slot: 0, baseOffset: 0 };
    return this.#feed
      .positions()
      .map((at) =>
        at.topic === topic && at.slot === slot ? { topic, slot, offset: baseOffset } : at,
      );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearImmediate(this.#begin);
    this.#feed.close();
    this.#onClosed(this);
  }

  #output(): FeedOutput {
    const request = this.#request;
    const isReady = (): boolean => this.#ready;
    return {
      get waitingBytes(): number {
        return isReady() ? 0 : Number.POSITIVE_INFINITY;
      },
      chunk: (chunk, snapshot) => this.#hand(chunk, snapshot),
      snapshot: (phase, { topic, slot, offset }) =>
        request.onSnapshot?.(topic, slot, phase, offset),
      caughtUp: () => request.onCaughtUp?.(),
      dropped: (count) => request.onDropped?.(count),
      failed: (error) => {
        this.close();
        request.onState?.(false);
        request.onError?.(readError(error));
      },
      hold: () => undefined,
      flush: () => undefined,
    };
  }

  #hand(chunk: Chunk, snapshot: boolean): void {
    const reading = this.#request.onChunk(chunk, snapshot);
    if (!(reading instanceof Promise)) return;
    this.#ready = false;
    this.#inHand = snapshot ? undefined : chunk;
    void reading.then(() => {
      this.#ready = true;
      this.#inHand = undefined;
      this.#feed.pump();
    });
  }
}

function readError(error: unknown): OpenCdnError {
  if (error instanceof OpenCdnError) return error;
  return new OpenCdnError("OCDN_STORAGE", `reading the log: ${messageOf(error)}`, { cause: error });
}
