import { Backoff, pause } from "../backoff.ts";
import type { Chunk } from "../chunk.ts";
import { OpenCdnError } from "../errors.ts";
import type { Follower, FollowRequest, Position } from "../log.ts";
import { type ClientConnection, openConnection } from "./client-connection.ts";
import type { Frame } from "./frame.ts";
import type { LogView } from "./log-view.ts";
import type { Vocabulary } from "./protocol.ts";
import { type Answer, parseAnswer } from "./protocol-answers.ts";
import { encodeRequest, type FollowMessage } from "./protocol-requests.ts";
import { firstReconnectMs, longestReconnectMs } from "./socket-limits.ts";

const followId = 1;

export interface SocketFollowerOptions {
  readonly socketPath: string;
  readonly name: string;
  readonly view: LogView;
  readonly request: FollowRequest;
  readonly onClosed: (follower: SocketFollower) => void;
}

/**
 * A follower over a connection of its own, so that a reader who takes its time holds back nothing else. It
 * connects again by itself and goes on at its offsets; on a log that was replaced it begins anew.
 */
export class SocketFollower implements Follower {
  readonly #options: SocketFollowerOptions;
  readonly #stop = new AbortController();
  /** Next offsets by slot; undefined where a snapshot is due or under way. */
  readonly #offsets = new Map<string, (number | undefined)[]>();
  readonly #backoff = new Backoff(firstReconnectMs, longestReconnectMs);
  #logId: string | undefined;
  #connection: ClientConnection | undefined;
  #vocabulary: Vocabulary | undefined;
  #reading: Promise<void> | undefined;
  #connected = false;

  constructor(options: SocketFollowerOptions) {
    this.#options = options;
    void this.#run();
  }

  positions(): Position[] {
    const positions: Position[] = [];
    for (const [topic, offsets] of this.#offsets) {
      for (const [slot, offset] of offsets.entries()) {
        if (offset !== undefined) positions.push({ topic, slot, offset });
      }
    }
    return positions;
  }

  close(): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#connection?.close("the follower was closed");
    this.#options.onClosed(this);
  }

  get #closed(): boolean {
    return this.#stop.signal.aborted;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!this.#closed) {
      const { socketPath, name } = this.#options;
      const connection = await openConnection({ socketPath, name, signal }).catch(() => undefined);
      if (connection !== undefined) await this.#followOn(connection);
      this.#tellState(false);
      // What the reader has in hand is its own to finish before the log goes on.
      await this.#reading;
      await pause(this.#backoff.next(), signal);
    }
  }

  /** Resolves when the connection is gone. */
  #followOn(connection: ClientConnection): Promise<void> {
    const { view } = this.#options;
    view.adopt(connection.welcome);
    const { topics, slots, logId } = connection.welcome;
    this.#vocabulary = { topics, slots };
    this.#connection = connection;
    const message = this.#message(logId);
    const known = message.topics.filter((topic) => topics.idOf(topic) !== undefined);
    connection.write(encodeRequest(followId, topics, { ...message, topics: known }));
    return new Promise((resolve) => {
      connection.start({
        onReadable: () => this.#take(connection),
        onClose: () => {
          this.#connection = undefined;
          resolve();
        },
      });
      if (this.#closed) connection.close("the follower was closed");
    });
  }

  /** The first time what was asked for, later what is missing, and everything when the log is another. */
  #message(logId: string): FollowMessage {
    const { topics, from } = this.#options.request;
    const replaced = this.#logId !== undefined && this.#logId !== logId;
    this.#logId = logId;
    if (replaced) {
      this.#offsets.clear();
      this.#options.request.onDropped?.(0);
      return { kind: "follow", topics, start: "positions", positions: [] };
    }
    if (this.#offsets.size > 0) {
      return { kind: "follow", topics, start: "positions", positions: this.positions() };
    }
    return typeof from === "string"
      ? { kind: "follow", topics, start: from, positions: [] }
      : { kind: "follow", topics, start: "positions", positions: from };
  }

  #take(connection: ClientConnection): void {
    while (this.#reading === undefined && !this.#closed) {
      const frame = connection.next();
      if (frame === undefined) return;
      const problem = this.#handle(frame, connection);
      if (problem !== undefined) {
        connection.close(problem);
        return;
      }
    }
  }

  /** Gives a reason to end the connection, or nothing. */
  #handle(frame: Frame, connection: ClientConnection): string | undefined {
    const answer = parseAnswer(frame, this.#vocabulary as Vocabulary);
    if (answer.kind === "badFrame") return `the engine sent a bad frame: ${answer.message}`;
    const { request, view } = this.#options;
    switch (answer.kind) {
      case "chunk":
        this.#deliver(answer.chunk, answer.snapshot, connection);
        return undefined;
      case "snapshot":
        this.#turnSnapshot(answer);
        return undefined;
      case "following":
        this.#begin(answer.positions);
        return undefined;
      case "caughtUp":
        this.#backoff.reset();
        request.onCaughtUp?.();
        return undefined;
      case "dropped":
        request.onDropped?.(answer.count);
        return undefined;
      case "schemas":
        view.learn(answer.schemas);
        return undefined;
      case "error":
        request.onError?.(new OpenCdnError(answer.code, answer.message));
        return answer.message;
      default:
        return `the engine sent ${answer.kind} to a follower`;
    }
  }

  #begin(positions: readonly Position[]): void {
    for (const topic of this.#options.request.topics) {
      this.#offsets.set(topic, new Array(this.#vocabulary?.slots ?? 0).fill(undefined));
    }
    for (const { topic, slot, offset } of positions) this.#setOffset(topic, slot, offset);
    this.#tellState(true);
  }

  #turnSnapshot({ phase, position }: Extract<Answer, { readonly kind: "snapshot" }>): void {
    const { topic, slot, offset } = position;
    this.#setOffset(topic, slot, phase === "complete" ? offset : undefined);
    this.#options.request.onSnapshot?.(topic, slot, phase, offset);
  }

  #deliver(chunk: Chunk, snapshot: boolean, connection: ClientConnection): void {
    const reading = this.#options.request.onChunk(chunk, snapshot);
    const next = chunk.baseOffset + chunk.count;
    if (!(reading instanceof Promise)) {
      if (!snapshot) this.#setOffset(chunk.topic, chunk.slot, next);
      return;
    }
    connection.pause();
    this.#reading = reading.then(() => {
      this.#reading = undefined;
      if (!snapshot) this.#setOffset(chunk.topic, chunk.slot, next);
      connection.resume();
    });
  }

  #setOffset(topic: string, slot: number, offset: number | undefined): void {
    const offsets = this.#offsets.get(topic);
    if (offsets !== undefined) offsets[slot] = offset;
  }

  #tellState(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#options.request.onState?.(connected);
  }
}
