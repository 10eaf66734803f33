import type { EventSchema } from "../../schemas/event-schema.ts";
import { Backoff, pause } from "../backoff.ts";
import type { Chunk } from "../chunk.ts";
import { codeOf, OpenCdnError } from "../errors.ts";
import type {
  AppendRequest,
  AppendResult,
  Follower,
  FollowRequest,
  Log,
  TopicStatus,
} from "../log.ts";
import type { Topic } from "../topic.ts";
import { allTopics, nearestName } from "../topics.ts";
import { checkAppend, checkOffset, sourceConflict } from "./append-checks.ts";
import { AppendQueue } from "./append-queue.ts";
import { connectLog } from "./client.ts";
import { DirectFollower } from "./direct-follower.ts";
import { EmbeddedLog, type EmbeddedLogOptions, type SourceAppend } from "./embedded-log.ts";
import { ownerSocketPath } from "./owner.ts";
import { type LogServer, serveLog } from "./server.ts";
import { firstReconnectMs, longestReconnectMs, maxReadBytes } from "./socket-limits.ts";
import { trimChunk } from "./trim-chunk.ts";
import { Turns } from "./turns.ts";

const defaultTimeoutMs = 10_000;

export interface DirectLogOptions extends Omit<EmbeddedLogOptions, "tables"> {
  /** What may be read and written; all topics of ours by default. Their schemas are registered. */
  readonly topics?: readonly Topic<unknown>[];
  /** Other processes may use the log through the owner's socket meanwhile; false by default. */
  readonly serve?: boolean;
}

export interface OpenLogOptions extends DirectLogOptions {
  /** Who connects, for the owner's messages. */
  readonly name: string;
  /** Bound of every wait, 10 s by default. */
  readonly timeoutMs?: number;
}

/**
 * Opens a data folder in this process, which owns it until `close`. Throws what `EmbeddedLog.open` throws, among
 * it OCDN_FOLDER_OWNED when another process owns the folder.
 */
export async function openDirectLog(options: DirectLogOptions): Promise<Log> {
  const { topics: given, serve, ...rest } = options;
  const topics = given ?? allTopics;
  const tables = new Set(topics.filter(({ kind }) => kind === "table").map(({ name }) => name));
  const log = await EmbeddedLog.open({ ...rest, tables });
  const queue = new AppendQueue(log);
  try {
    await log.registerSchemas(topics.map(({ schema }) => schema as EventSchema<never>));
    const owner = { log, submit: (append: SourceAppend) => queue.submit(append) };
    const socketPath = ownerSocketPath(options.folder);
    const server = serve === true ? await serveLog({ owner, socketPath, topics }) : undefined;
    return new DirectLog({ log, topics, queue, server });
  } catch (error) {
    await log.close();
    throw error;
  }
}

/**
 * The log of a folder through its owner, or opened directly (and served to others) when no owner lives. Throws
 * OCDN_FOLDER_OWNED when an owner lives but could not be reached within `timeoutMs`.
 */
export async function openLog(options: OpenLogOptions): Promise<Log> {
  const { name, timeoutMs, ...direct } = options;
  const backoff = new Backoff(firstReconnectMs, longestReconnectMs);
  const until = performance.now() + (timeoutMs ?? defaultTimeoutMs);
  const { folder } = options;
  for (;;) {
    try {
      const connect = { folder, name, once: true } as const;
      return await connectLog(timeoutMs === undefined ? connect : { ...connect, timeoutMs });
    } catch (error) {
      if (codeOf(error) !== "OCDN_DISCONNECTED") throw error;
    }
    try {
      return await openDirectLog({ serve: true, ...direct });
    } catch (error) {
      // An owner that is just starting or stopping: it will listen, or be gone, in a moment.
      if (codeOf(error) !== "OCDN_FOLDER_OWNED" || performance.now() > until) throw error;
    }
    await pause(backoff.next());
  }
}

class DirectLog implements Log {
  readonly #log: EmbeddedLog;
  readonly #kinds: ReadonlyMap<string, Topic<unknown>["kind"]>;
  readonly #queue: AppendQueue;
  readonly #server: LogServer | undefined;
  readonly #followers = new Set<DirectFollower>();
  readonly #turns = new Turns();
  #closing: Promise<void> | undefined;

  constructor(options: {
    readonly log: EmbeddedLog;
    readonly topics: readonly Topic<unknown>[];
    readonly queue: AppendQueue;
    readonly server: LogServer | undefined;
  }) {
    this.#log = options.log;
    this.#kinds = new Map(options.topics.map(({ name, kind }) => [name, kind]));
    this.#queue = options.queue;
    this.#server = options.server;
  }

  get logId(): string {
    return this.#log.logId;
  }

  get slots(): number {
    return this.#log.slots;
  }

  get historical(): boolean {
    return this.#log.historical;
  }

  get schemas(): Log["schemas"] {
    return this.#log.schemas;
  }

  async append(request: AppendRequest): Promise<AppendResult> {
    const { source, previous, position, batch } = request;
    const doing = `appending records of ${source}`;
    const sections = batch.sections();
    checkAppend(doing, request, sections);
    for (const { topic, slot } of sections) this.#require(doing, topic, slot);
    const outcome = await this.#queue.submit({ source, previous, position, sections });
    if (outcome.kind === "conflict") throw sourceConflict(request, outcome.position);
    return { duplicate: outcome.kind === "duplicate" };
  }

  async sourcePosition(source: string): Promise<string | undefined> {
    this.#requireOpen(`asking for the position of ${source}`);
    return this.#log.sourcePosition(source);
  }

  async read(topic: string, slot: number, offset: number, maxBytes: number): Promise<Chunk[]> {
    const doing = `reading ${topic}`;
    this.#require(doing, topic, slot);
    checkOffset(doing, offset);
    this.#requireOpen(doing);
    const most = Math.max(1, Math.min(Math.floor(maxBytes), maxReadBytes));
    const chunks = this.#log.read(topic, slot, offset, most);
    return chunks.map((chunk) => trimChunk(chunk, offset));
  }

  follow(request: FollowRequest): Follower {
    this.#requireOpen("following");
    for (const topic of request.topics) this.#require("following", topic, 0);
    if (request.topics.length === 0) {
      throw new OpenCdnError("OCDN_BAD_INPUT", "following: no topic is given");
    }
    const follower = new DirectFollower({
      log: this.#log,
      request,
      turns: this.#turns,
      isTable: (topic) => this.#kinds.get(topic) === "table",
      onClosed: (closed) => this.#followers.delete(closed),
    });
    this.#followers.add(follower);
    return follower;
  }

  async status(): Promise<TopicStatus[]> {
    this.#requireOpen("asking for the topics");
    return this.#log.topics();
  }

  /** Commits what waits and gives the folder back. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const follower of [...this.#followers]) follower.close();
    await this.#queue.close();
    await this.#server?.close();
    await this.#log.close();
  }

  #requireOpen(doing: string): void {
    if (this.#closing === undefined) return;
    throw new OpenCdnError("OCDN_DISCONNECTED", `${doing}: the log was closed`);
  }

  #require(doing: string, topic: string, slot: number): void {
    if (!this.#kinds.has(topic)) {
      const names = [...this.#kinds.keys()];
      const hint = names.length === 0 ? "" : `; did you mean ${nearestName(topic, names)}?`;
      const text = `${doing}: no topic ${topic.slice(0, 80)}${hint}`;
      throw new OpenCdnError("OCDN_UNKNOWN_TOPIC", text);
    }
    if (Number.isInteger(slot) && slot >= 0 && slot < this.slots) return;
    throw new OpenCdnError("OCDN_BAD_INPUT", `${doing}: slot ${slot} of a log with ${this.slots}`);
  }
}
