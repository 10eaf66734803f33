import { Backoff, pause } from "../backoff.ts";
import type { Chunk } from "../chunk.ts";
import { codeOf, type ErrorCode, OpenCdnError } from "../errors.ts";
import type {
  AppendRequest,
  AppendResult,
  Follower,
  FollowRequest,
  Log,
  TopicStatus,
} from "../log.ts";
import { checkAppend, checkOffset, sourceConflict } from "./append-checks.ts";
import { openConnection } from "./client-connection.ts";
import { LogView } from "./log-view.ts";
import { ownerSocketPath } from "./owner.ts";
import type { Answer } from "./protocol-answers.ts";
import { encodeAppend, encodeRequest } from "./protocol-requests.ts";
import { RequestChannel } from "./request-channel.ts";
import { SocketFollower } from "./socket-follower.ts";
import { firstReconnectMs, longestReconnectMs, maxReadBytes } from "./socket-limits.ts";

/** Bound of every wait unless the caller gives another. */
const defaultTimeoutMs = 10_000;
/** A connection that lasted this long was a good one: the next attempt follows at once. */
const steadyMs = 1_000;
/** Failures to connect that the next attempt may not meet. */
const passingCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "OCDN_DISCONNECTED",
  "OCDN_TIMEOUT",
]);

export interface ConnectLogOptions {
  /** Data folder of the log; its owner is asked on the folder's socket. */
  readonly folder: string;
  /** Who connects, for the owner's messages, e.g. `edge`. */
  readonly name: string;
  /** Bound of the first connection, and of every request unless `requestMs` is given; 10 s by default. */
  readonly timeoutMs?: number;
  readonly requestMs?: number;
  /** Give up after the first attempt instead of waiting for an owner to come. */
  readonly once?: boolean;
  readonly socketPath?: string;
}

/**
 * The log of a folder through its owner. Waits up to `timeoutMs` for an owner; throws OCDN_DISCONNECTED when none
 * came. The client connects again by itself: followers resume, and calls meanwhile fail with OCDN_DISCONNECTED.
 * When the folder was replaced by another log, `logId` and `schemas` change and followers begin anew.
 */
export async function connectLog(options: ConnectLogOptions): Promise<Log> {
  const socketPath = options.socketPath ?? ownerSocketPath(options.folder);
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const { name } = options;
  const backoff = new Backoff(firstReconnectMs, longestReconnectMs);
  const until = performance.now() + timeoutMs;
  for (;;) {
    try {
      const leftMs = Math.max(1, until - performance.now());
      const connection = await openConnection({ socketPath, name, timeoutMs: leftMs });
      const view = new LogView(connection.welcome);
      const channel = new RequestChannel(connection, view);
      const requestMs = options.requestMs ?? timeoutMs;
      return new SocketLog({ socketPath, name, requestMs, view, channel });
    } catch (error) {
      const waitMs = backoff.next();
      const late = performance.now() + waitMs > until;
      if (options.once === true || late || !passingCodes.has(codeOf(error))) throw error;
      await pause(waitMs);
    }
  }
}

interface SocketLogOptions {
  readonly socketPath: string;
  readonly name: string;
  readonly requestMs: number;
  readonly view: LogView;
  readonly channel: RequestChannel;
}

class SocketLog implements Log {
  readonly #options: SocketLogOptions;
  readonly #view: LogView;
  readonly #stop = new AbortController();
  readonly #followers = new Set<SocketFollower>();
  readonly #backoff = new Backoff(firstReconnectMs, longestReconnectMs);
  #channel: RequestChannel | undefined;
  #keeping: Promise<void>;

  constructor(options: SocketLogOptions) {
    this.#options = options;
    this.#view = options.view;
    this.#keeping = this.#keepConnected(options.channel);
  }

  get logId(): string {
    return this.#view.logId;
  }

  get slots(): number {
    return this.#view.slots;
  }

  get historical(): boolean {
    return this.#view.historical;
  }

  get schemas(): Log["schemas"] {
    return this.#view.schemas;
  }

  async append(request: AppendRequest): Promise<AppendResult> {
    const { source, previous, position, batch } = request;
    const doing = `appending records of ${source}`;
    const sections = batch.sections();
    checkAppend(doing, request, sections);
    for (const { topic, slot } of sections) {
      this.#view.requireTopic(doing, topic);
      this.#view.requireSlot(doing, slot);
    }
    const answer = await this.#ask(doing, "appended", (id, channel) => {
      const { topics } = channel.connection.welcome;
      return encodeAppend(id, topics, { source, previous, position, sections });
    });
    if (answer.outcome !== "conflict") return { duplicate: answer.outcome === "duplicate" };
    throw sourceConflict(request, answer.position);
  }

  async sourcePosition(source: string): Promise<string | undefined> {
    const answer = await this.#ask(
      `asking for the position of ${source}`,
      "position",
      (id, { connection }) =>
        encodeRequest(id, connection.welcome.topics, { kind: "sourcePosition", source }),
    );
    return answer.position;
  }

  async read(topic: string, slot: number, offset: number, maxBytes: number): Promise<Chunk[]> {
    const doing = `reading ${topic}`;
    this.#view.requireTopic(doing, topic);
    this.#view.requireSlot(doing, slot);
    checkOffset(doing, offset);
    const most = Math.max(1, Math.min(Math.floor(maxBytes), maxReadBytes));
    const answer = await this.#ask(doing, "chunks", (id, { connection }) =>
      encodeRequest(id, connection.welcome.topics, {
        kind: "read",
        topic,
        slot,
        offset,
        maxBytes: most,
      }),
    );
    return [...answer.chunks];
  }

  follow(request: FollowRequest): Follower {
    for (const topic of request.topics) this.#view.requireTopic("following", topic);
    if (request.topics.length === 0) {
      throw new OpenCdnError("OCDN_BAD_INPUT", "following: no topic is given");
    }
    if (this.#stop.signal.aborted) throw this.#closedError("following");
    const { socketPath, name } = this.#options;
    const follower = new SocketFollower({
      socketPath,
      name,
      view: this.#view,
      request,
      onClosed: (closed) => this.#followers.delete(closed),
    });
    this.#followers.add(follower);
    return follower;
  }

  async status(): Promise<TopicStatus[]> {
    const answer = await this.#ask("asking for the topics", "topics", (id, { connection }) =>
      encodeRequest(id, connection.welcome.topics, { kind: "status" }),
    );
    return [...answer.topics];
  }

  async close(): Promise<void> {
    for (const follower of [...this.#followers]) follower.close();
    this.#stop.abort();
    this.#channel?.connection.close("the log was closed");
    await this.#keeping;
  }

  #closedError(doing: string): OpenCdnError {
    return new OpenCdnError("OCDN_DISCONNECTED", `${doing}: the log was closed`);
  }

  async #ask<K extends Answer["kind"]>(
    doing: string,
    kind: K,
    encode: (id: number, channel: RequestChannel) => Buffer,
  ): Promise<Extract<Answer, { readonly kind: K }>> {
    if (this.#stop.signal.aborted) throw this.#closedError(doing);
    const channel = this.#channel;
    if (channel === undefined) {
      throw new OpenCdnError("OCDN_DISCONNECTED", `${doing}: the engine cannot be reached`);
    }
    const answer = await channel.ask(doing, this.#options.requestMs, (id) => encode(id, channel));
    if (answer.kind === kind) return answer as Extract<Answer, { readonly kind: K }>;
    const reason = `the engine answered ${answer.kind} to a request for ${kind}`;
    channel.connection.close(reason);
    throw new OpenCdnError("OCDN_DISCONNECTED", `${doing}: ${reason}`);
  }

  async #keepConnected(first: RequestChannel): Promise<void> {
    const { signal } = this.#stop;
    let channel: RequestChannel | undefined = first;
    while (!signal.aborted) {
      if (channel !== undefined) await this.#use(channel);
      if (signal.aborted) return;
      await pause(this.#backoff.next(), signal);
      channel = await this.#reconnect();
    }
    channel?.connection.close("the log was closed");
  }

  /** Resolves when the connection is gone. */
  async #use(channel: RequestChannel): Promise<void> {
    const began = performance.now();
    this.#channel = channel;
    await new Promise<void>((resolve) => channel.start(resolve));
    this.#channel = undefined;
    if (performance.now() - began > steadyMs) this.#backoff.reset();
  }

  async #reconnect(): Promise<RequestChannel | undefined> {
    const { socketPath, name } = this.#options;
    const { signal } = this.#stop;
    try {
      const connection = await openConnection({ socketPath, name, signal });
      this.#view.adopt(connection.welcome);
      return new RequestChannel(connection, this.#view);
    } catch {
      return undefined;
    }
  }
}
