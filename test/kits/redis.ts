import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { pause } from "../../streams/backoff.ts";
import { redisSchema } from "../../streams/redis/redis-config.ts";
import {
  openRedis,
  type RedisConnection,
  type RedisScript,
} from "../../streams/redis/redis-connection.ts";

/** A fresh Redis answers within this. */
const startMs = 10_000;

/** Whether `redis-server` can be started here. */
export const hasRedis: boolean =
  spawnSync("redis-server", ["--version"], { stdio: "ignore" }).error === undefined;

/** A real redis-server on a Unix socket in a temporary folder, without a TCP port. */
export class RedisServer {
  readonly folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(args: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await mkdtemp(join(tmpdir(), "ocdn-redis-")));
    await server.start(args);
    return server;
  }

  get socket(): string {
    return join(this.folder, "redis.sock");
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("no redis-server");
    return pid;
  }

  /** Starts it, and resolves when it answers. Memory alone is kept unless `args` say otherwise. */
  async start(args: readonly string[] = []): Promise<void> {
    const place = ["--port", "0", "--unixsocket", this.socket, "--dir", this.folder];
    const child = spawn("redis-server", [...place, "--save", "", "--daemonize", "no", ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
    let output = "";
    child.stdout.on("data", (piece) => {
      output = `${output}${String(piece)}`.slice(-4_096);
    });
    const endMs = performance.now() + startMs;
    while (!(await this.#answers())) {
      const isOver = child.exitCode !== null || performance.now() > endMs;
      if (isOver) throw new Error(`redis-server did not start: ${output}`);
      await pause(20);
    }
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** A connection of ours; other `options` than the defaults where given. */
  connect(
    scripts: readonly RedisScript[] = [],
    options: { readonly keyPrefix?: string; readonly commandTimeoutMs?: number } = {},
  ): Promise<RedisConnection> {
    const config = redisSchema.parse({ socket: this.socket, ...options });
    return new Promise((resolve, reject) => {
      const opened = openRedis({
        config,
        scripts,
        onState: ({ kind }) => {
          if (kind === "ready") void opened.then(resolve);
        },
      });
      opened.catch(reject);
    });
  }

  /** A plain client, for what the test does behind our back. */
  plain(): Redis {
    const client = new Redis(this.socket, { retryStrategy: () => 50 });
    client.on("error", () => undefined);
    return client;
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const probe = new Redis(this.socket, { lazyConnect: true, retryStrategy: () => null });
    probe.on("error", () => undefined);
    try {
      await probe.connect();
      return (await probe.ping()) === "PONG";
    } catch {
      return false;
    } finally {
      probe.disconnect();
    }
  }
}
