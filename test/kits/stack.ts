import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { cacheFolder } from "../../cli/commands/stack.ts";
import { packageFolder } from "../../cli/settings.ts";
import { type RunRecord, readRun } from "../../cli/stack/run-file.ts";
import { type ServerName, type StackPorts, stackPlaces } from "../../cli/stack/server-plan.ts";
import {
  downStack,
  type ServerStatus,
  type StackEvent,
  stackStatus,
  upStack,
} from "../../cli/stack/stack.ts";
import { messageOf } from "../../streams/errors.ts";
import { isAlive } from "../../streams/process-identity.ts";

const free = { kafka: 0, controller: 0, registry: 0, connect: 0, redis: 0 } as const;

export interface StackKitOptions {
  /** What is to run; what it needs runs too. */
  readonly only: readonly ServerName[];
  /** Folder of an earlier stack, to go on with its data and ports; by default a new one in the system's temporary folder. */
  readonly folder?: string;
}

/** Real servers on free ports of 127.0.0.1, with a data folder of their own. */
export class TestStack {
  readonly folder: string;
  readonly #only: readonly ServerName[];
  readonly #records = new Map<ServerName, RunRecord>();
  #ports: StackPorts | undefined;

  constructor(folder: string, only: readonly ServerName[]) {
    this.folder = folder;
    this.#only = only;
    process.once("exit", this.#atExit);
  }

  get ports(): StackPorts {
    if (this.#ports === undefined) throw new Error("the stack was not started");
    return this.#ports;
  }

  /** `host:port` of the broker. */
  get bootstrap(): string {
    return `127.0.0.1:${this.ports.kafka}`;
  }

  /** The registry's Confluent API. */
  get registryUrl(): string {
    return `http://127.0.0.1:${this.ports.registry}/apis/ccompat/v7`;
  }

  get connectUrl(): string {
    return `http://127.0.0.1:${this.ports.connect}`;
  }

  get redisUrl(): string {
    return `redis://127.0.0.1:${this.ports.redis}`;
  }

  /** Pid of a server that runs, for signals. */
  async pid(server: ServerName): Promise<number> {
    const run = await readRun(stackPlaces(this.folder).run, server);
    if (run?.alive !== true) throw new Error(`${server} does not run`);
    return run.record.pid;
  }

  status(): Promise<ServerStatus[]> {
    return stackStatus({ docker: dockerFolder(), data: this.folder });
  }

  /** Starts what does not run, on the same data and ports, and waits until it is well. */
  async up(): Promise<void> {
    const lines: string[] = [];
    const tell = (event: StackEvent): void => {
      if (event.kind === "running") this.#records.set(event.server, event);
      if (event.kind === "failed") lines.push(...event.lines);
    };
    try {
      this.#ports = await upStack({
        docker: dockerFolder(),
        data: this.folder,
        cache: cacheFolder(undefined),
        servers: this.#only,
        ports: free,
        tell,
      });
    } catch (error) {
      const said = [messageOf(error), ...lines].join("\n");
      throw new Error(`starting ${this.#only.join(", ")}: ${said}`, { cause: error });
    }
  }

  /** Stops all of it and says how each ended; the data stays until `stop`. */
  async down(): Promise<Map<ServerName, string>> {
    const how = new Map<ServerName, string>();
    const tell = (event: StackEvent): void => {
      if (event.kind === "stopped") how.set(event.server, event.how);
    };
    await downStack({ docker: dockerFolder(), data: this.folder, tell });
    return how;
  }

  /** Stops all of it and removes its data. */
  async stop(): Promise<void> {
    await this.down();
    process.removeListener("exit", this.#atExit);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  // A test process that ends without `stop` leaves no process behind.
  readonly #atExit = (): void => {
    for (const record of this.#records.values()) {
      if (isAlive(record)) process.kill(-record.pid, "SIGKILL");
    }
  };
}

/** Starts real servers and resolves when they are well. Throws with the end of the log of what failed. */
export async function startStack(options: StackKitOptions): Promise<TestStack> {
  const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), "ocdn-stack-")));
  const stack = new TestStack(folder, options.only);
  try {
    await stack.up();
  } catch (error) {
    await stack.down();
    throw error;
  }
  return stack;
}

const dockerFolder = (): string => path.join(packageFolder(), "docker");
