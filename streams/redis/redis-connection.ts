import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { Redis, type RedisOptions } from "ioredis";
import { Backoff, within } from "../backoff.ts";
import { messageOf, OpenCdnError } from "../errors.ts";
import type { RedisConfig } from "./redis-config.ts";
import { isEndOfConnection, redisFault } from "./redis-fault.ts";

const firstReconnectMs = 50;
const longestReconnectMs = 2_000;
/** Commands without an answer at once; more are refused. One may be a batch. */
const maxInFlight = 1_024;

/** A Lua script, called by its name. */
export interface RedisScript {
  readonly name: string;
  readonly lua: string;
}

export type RedisState =
  | { readonly kind: "ready" }
  /** `reason` never holds the password. */
  | { readonly kind: "away"; readonly reason: string };

export interface OpenRedisOptions {
  readonly config: RedisConfig;
  readonly password?: string | undefined;
  readonly scripts?: readonly RedisScript[];
  /** Called at each change. A connection begins without a state. */
  readonly onState?: (state: RedisState) => void;
}

/**
 * A connection to Redis that connects again by itself, for ever. Nothing is queued while Redis is away: a command then
 * fails at once with OCDN_DISCONNECTED. One that is not answered in time fails with OCDN_TIMEOUT and ends the
 * connection, so that unanswered commands do not pile up; it may still take effect.
 */
export class RedisConnection {
  /** For pipelines inside `run`; commands begin every key with the prefix. */
  readonly client: Redis;
  readonly #timeoutMs: number;
  readonly #onState: (state: RedisState) => void;
  #isReady = false;
  #isClosed = false;
  #reason = "not connected";
  /** The reason that was told; nothing while Redis is there. */
  #told: string | undefined;
  #inFlight = 0;
  #handshake: NodeJS.Timeout | undefined;

  constructor(client: Redis, { config, scripts = [], onState }: OpenRedisOptions) {
    this.client = client;
    this.#timeoutMs = config.commandTimeoutMs;
    this.#onState = onState ?? (() => undefined);
    for (const { name, lua } of scripts) client.defineCommand(name, { lua });
    this.#watch(config.connectTimeoutMs);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Begins every key; scripts that make keys themselves need it. */
  get keyPrefix(): string {
    return this.client.options.keyPrefix ?? "";
  }

  /** Calls a script by its digest; it is sent whole only where this Redis does not know it. */
  script(
    name: string,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const commands = this.client as unknown as Record<string, ScriptCommand>;
    return this.run(name, () => (commands[name] as ScriptCommand)(keys.length, ...keys, ...args));
  }

  /**
   * What `work` gives, within the time of one command. Throws OCDN_DISCONNECTED, OCDN_TIMEOUT, OCDN_OVERLOADED when
   * too many are under way, OCDN_CONFIG when Redis refuses the user, otherwise OCDN_STORAGE.
   */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const doing = `asking Redis (${name})`;
    if (!this.#isReady) {
      const text = `${doing}: Redis cannot be reached (${this.#reason})`;
      throw new OpenCdnError("OCDN_DISCONNECTED", text);
    }
    if (this.#inFlight >= maxInFlight) {
      const text = `${doing}: ${maxInFlight} commands wait for an answer`;
      throw new OpenCdnError("OCDN_OVERLOADED", text);
    }
    const { stream } = this.client;
    this.#inFlight += 1;
    try {
      return await within(work(), this.#timeoutMs, () => {
        stream.destroy();
        return new OpenCdnError("OCDN_TIMEOUT", `${doing}: no answer in ${this.#timeoutMs} ms`);
      });
    } catch (error) {
      throw redisFault(doing, error);
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Ends the connection for good; commands under way fail. */
  close(): void {
    this.#isClosed = true;
    this.#isReady = false;
    clearTimeout(this.#handshake);
    const { stream } = this.client;
    this.client.disconnect();
    stream?.destroy();
  }

  #watch(handshakeMs: number): void {
    const { client } = this;
    client.on("error", (error: unknown) => {
      const reason = reasonOf(error);
      if (!isEndOfConnection(reason)) this.#reason = reason;
    });
    client.on("connect", () => {
      // A Redis that takes connections and says nothing.
      const { stream } = client;
      this.#handshake = setTimeout(() => stream.destroy(), handshakeMs);
    });
    client.on("ready", () => {
      clearTimeout(this.#handshake);
      if (this.#isClosed) return;
      this.#isReady = true;
      this.#told = undefined;
      this.#onState({ kind: "ready" });
    });
    client.on("close", () => {
      clearTimeout(this.#handshake);
      const wasReady = this.#isReady;
      this.#isReady = false;
      if (wasReady) this.#reason = "the connection ended";
      if (!this.#isClosed) this.#tellAway();
    });
  }

  /** Tells each reason once. */
  #tellAway(): void {
    const reason = this.#reason;
    if (this.#told === reason) return;
    this.#told = reason;
    this.#onState({ kind: "away", reason });
  }
}

type ScriptCommand = (...args: (string | number)[]) => Promise<unknown>;

/** Opens a connection that is made in the background. Throws OCDN_CONFIG when the CA file cannot be read. */
export async function openRedis(options: OpenRedisOptions): Promise<RedisConnection> {
  const { config, password } = options;
  const settings: Omit<RedisOptions, "replyMapping"> = {
    ...(await placeOf(config)),
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(password === undefined ? {} : { password }),
    keyPrefix: config.keyPrefix,
    connectTimeout: config.connectTimeoutMs,
    connectionName: "opencdn",
    retryStrategy: reconnects(),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
  };
  const client = new Redis(settings);
  const connection = new RedisConnection(client, options);
  client.connect().catch(() => undefined);
  return connection;
}

function reconnects(): (times: number) => number {
  const backoff = new Backoff(firstReconnectMs, longestReconnectMs);
  return (times) => {
    if (times === 1) backoff.reset();
    return backoff.next();
  };
}

async function placeOf(config: RedisConfig): Promise<RedisOptions> {
  const { database: db, socket } = config;
  if (socket !== undefined) return { path: socket, db };
  const url = config.url === undefined ? undefined : new URL(config.url);
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? config.host;
  const port = url === undefined ? config.port : Number(url.port || 6_379);
  const path = url?.pathname.slice(1) ?? "";
  const place = { host, port, db: path === "" ? db : Number(path) };
  if (!config.tls && url?.protocol !== "rediss:") return place;
  const name = isIP(host) === 0 ? { servername: host } : {};
  if (config.caFile === undefined) return { ...place, tls: name };
  const ca = await readFile(config.caFile).catch((error: unknown) => {
    const text = `reading the certificates of Redis ${config.caFile}: ${messageOf(error)}`;
    throw new OpenCdnError("OCDN_CONFIG", text, { cause: error });
  });
  return { ...place, tls: { ...name, ca } };
}

/** Node gives several errors for a name with several addresses, and no text. */
function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  return messageOf(first).slice(0, 200);
}
