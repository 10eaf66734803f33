import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ProcessStatus, UpStatus } from "../../cli/control.ts";
import { connectLog } from "../../streams/embedded/client.ts";
import type { Log } from "../../streams/log.ts";

const program = "dist/cli/main.js";
const readyLine = "OpenCDN is ready";
const readyMs = 60_000;
const commandMs = 60_000;
const requestMs = 5_000;

/** What a command of the command line left behind. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The gateway's answer to one client. */
export interface Redirect {
  readonly status: number;
  readonly location: string;
  /** Name of the node that the Location leads to; empty where there is none. */
  readonly node: string;
  readonly stale: boolean;
  /** Time on this machine's clock at which the request left, ms. */
  readonly sentMs: number;
}

export interface UpOptions {
  /** Folder of an earlier system, to go on with its data. */
  readonly folder?: string;
  /** Settings, written as the file for `--config`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** More arguments of `up`. */
  readonly args?: readonly string[];
}

/** Runs `opencdn` with these arguments to its end. */
export function opencdn(args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { timeout: commandMs, maxBuffer: 64 * 1_048_576 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** Asks until the answer is not undefined and gives it. Throws naming `what` after `withinMs`. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  withinMs: number = 30_000,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > endMs) throw new Error(`${what} did not come in ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** `opencdn up` on free ports and a folder of its own, as the leader of a process group, like under a shell. */
export class UpSystem {
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #nodes = new Map<string, string>();
  readonly #others: ChildProcess[] = [];
  #out = "";
  #err = "";
  #status: UpStatus | undefined;

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder;
    this.#child = child;
    // A test process that ends without `dispose` leaves nothing behind.
    process.once("exit", this.#atExit);
    child.stdout?.setEncoding("utf8").on("data", (part: string) => (this.#out += part));
    child.stderr?.setEncoding("utf8").on("data", (part: string) => (this.#err += part));
  }

  /** A folder for `start`, where something has to lie in it before. */
  static newFolder(): Promise<string> {
    return mkdtemp(path.join(tmpdir(), "ocdn-up-"));
  }

  /** Starts it and waits for the line that says that it is ready. Needs `npm run build`. */
  static async start(options: UpOptions = {}): Promise<UpSystem> {
    if (!existsSync(program)) throw new Error(`${program} is not there: npm run build makes it`);
    const folder = options.folder ?? (await UpSystem.newFolder());
    const settings = path.join(folder, "settings.json");
    if (options.settings !== undefined || !existsSync(settings)) {
      await writeFile(settings, JSON.stringify(options.settings ?? {}));
    }
    const args = ["--data", path.join(folder, "data"), "--config", settings, "up", "--port", "0"];
    const child = spawn(process.execPath, [program, ...args, ...(options.args ?? [])], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const system = new UpSystem(folder, child);
    try {
      await system.#ready();
    } catch (error) {
      await system.dispose();
      throw error;
    }
    return system;
  }

  async #ready(): Promise<void> {
    await until(
      readyLine,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`up ended: ${this.#err}`);
        return this.#out.includes(readyLine) ? true : undefined;
      },
      readyMs,
    ).catch((error: unknown) => {
      throw new Error(`starting up: ${this.#out}${this.#err}`, { cause: error });
    });
    const status = await this.status();
    for (const { name, role, ready } of status.processes) {
      if (role === "node") this.#nodes.set(`http://127.0.0.1:${ready["port"]}`, name);
    }
  }

  get data(): string {
    return path.join(this.folder, "data");
  }

  /** What `up` printed so far: results, and messages. */
  get out(): string {
    return this.#out;
  }

  get err(): string {
    return this.#err;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Ports as they were when `up` became ready. */
  get ports(): { readonly edge: number; readonly admin: number } {
    const { edgePort, adminPort } = this.#status as UpStatus;
    return { edge: edgePort, admin: adminPort };
  }

  /** Runs a command on this system's folder. */
  command(...args: readonly string[]): Promise<CommandResult> {
    const settings = path.join(this.folder, "settings.json");
    return opencdn(["--data", this.data, "--config", settings, ...args]);
  }

  /** The JSON lines that a command prints. Throws where it fails. */
  async json<T>(...args: readonly string[]): Promise<T[]> {
    const { code, stdout, stderr } = await this.command(...args, "--json");
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as T);
  }

  /** `opencdn node list --json` */
  async status(): Promise<UpStatus> {
    const [status] = await this.json<UpStatus>("node", "list");
    this.#status = status;
    return status as UpStatus;
  }

  async process(name: string): Promise<ProcessStatus> {
    const found = (await this.status()).processes.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no process is called ${name}`);
    return found;
  }

  /** Connects to the log of the running engine. */
  log(name: string = "test"): Promise<Log> {
    return connectLog({ folder: path.join(this.data, "log"), name, timeoutMs: 10_000 });
  }

  /** Asks the gateway as a client with this address would, through a proxy that it trusts. */
  redirect(ip: string): Promise<Redirect> {
    const sentMs = Date.now();
    return new Promise((resolve, reject) => {
      const asked = get(
        {
          host: "127.0.0.1",
          port: this.ports.edge,
          path: "/hello.txt",
          agent: this.#agent,
          headers: { "X-Forwarded-For": ip },
          timeout: requestMs,
        },
        (response) => {
          response.resume();
          const location = response.headers.location ?? "";
          const node = location === "" ? "" : (this.#nodes.get(new URL(location).origin) ?? "?");
          const stale = response.headers["x-opencdn-stale"] === "1";
          const status = response.statusCode ?? 0;
          response.on("end", () => resolve({ status, location, node, stale, sentMs }));
        },
      );
      asked.on("timeout", () => asked.destroy(new Error("no answer in time")));
      asked.on("error", reject);
    });
  }

  /** The node of each address, asked eight at a time. */
  async nodesOf(ips: readonly string[]): Promise<Map<string, string>> {
    const nodes = new Map<string, string>();
    const answers = await Promise.all(ips.map((ip) => this.redirect(ip)));
    for (const [index, { node }] of answers.entries()) nodes.set(ips[index] as string, node);
    return nodes;
  }

  /** GET of a path of the gateway's admin port, as JSON. */
  async admin(target: string): Promise<Record<string, unknown>> {
    const response = await fetch(`http://127.0.0.1:${this.ports.admin}${target}`, {
      signal: AbortSignal.timeout(requestMs),
    });
    return (await response.json()) as Record<string, unknown>;
  }

  /** Sends a signal to `up` and all that it started, as a terminal does, and waits for the end of `up`. */
  async signal(signal: NodeJS.Signals): Promise<{ readonly code: number | null }> {
    const ended = this.#child.exitCode === null ? once(this.#child, "exit") : undefined;
    this.#signalGroup(signal);
    await ended;
    return { code: this.#child.exitCode };
  }

  /** Starts the access gateway alone, with the configuration of its last run, and waits until it listens. */
  async startGatewayAlone(): Promise<void> {
    const file = path.join(this.data, "run/edge-1.json");
    const child = spawn(process.execPath, ["dist/gateways/edge/main.js", "--config", file], {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    this.#others.push(child);
    await once(child, "message", { signal: AbortSignal.timeout(readyMs) });
  }

  /** Ends everything that runs, by force, and removes the folder unless it is kept. */
  async dispose(options: { readonly keepFolder?: boolean } = {}): Promise<void> {
    this.#agent.destroy();
    process.removeListener("exit", this.#atExit);
    for (const child of this.#others) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    const runs = this.#child.exitCode === null && this.#child.signalCode === null;
    const ended = runs ? once(this.#child, "exit") : undefined;
    this.#signalGroup("SIGKILL");
    await ended;
    if (options.keepFolder !== true) {
      await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  readonly #atExit = (): void => {
    for (const child of this.#others) child.kill("SIGKILL");
    this.#signalGroup("SIGKILL");
  };

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      // Nobody is left in the group.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
