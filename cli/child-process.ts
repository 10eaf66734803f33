import { type ChildProcess, fork } from "node:child_process";

/** First and longest wait before a process that died is started again. */
const firstRestartMs = 100;
const longestRestartMs = 5_000;
/** A process that lived this long is started again at once when it dies. */
const healthyMs = 10_000;
const stopMs = 10_000;

export interface ChildOptions {
  readonly name: string;
  /** Module that the process runs. */
  readonly module: string;
  readonly configFile: string;
  /** How long a process that died stays down; undefined: it is restarted at once, with back-off when it keeps dying. */
  readonly stayDownMs?: number;
  readonly onReady: (child: Child, ready: Readonly<Record<string, unknown>>) => void;
  readonly onExit: (child: Child, how: string, backInMs: number | undefined) => void;
}

export type ChildState = "starting" | "ready" | "down" | "stopped";

/** One supervised process: started, watched, started again. */
export class Child {
  readonly name: string;
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #state: ChildState = "stopped";
  #startedMs = 0;
  #restartMs = firstRestartMs;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  restarts: number = 0;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get state(): ChildState {
    return this.#state;
  }

  /** Starts the process unless it runs. */
  start(): void {
    if (this.#process !== undefined || this.#stopping) return;
    clearTimeout(this.#timer);
    this.#state = "starting";
    this.#startedMs = Date.now();
    const { module, configFile } = this.#options;
    const child = fork(module, ["--config", configFile], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: process.execArgv,
    });
    this.#process = child;
    child.on("message", (message) => {
      const ready = message as Readonly<Record<string, unknown>>;
      if (ready["event"] !== "ready") return;
      this.#state = "ready";
      this.#options.onReady(this, ready);
    });
    child.on("error", () => {
      // An exit follows, or the process never started and `exit` is not told.
      if (child.pid === undefined) this.#ended("it could not be started");
    });
    child.on("exit", (code, signal) => this.#ended(signal ?? `exit code ${code}`));
  }

  /** From now on the process is not started again when it ends. */
  retire(): void {
    this.#stopping = true;
    clearTimeout(this.#timer);
  }

  /** Ends the process for good: SIGTERM, and SIGKILL when it does not go. */
  async stop(): Promise<void> {
    this.retire();
    const child = this.#process;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
      child.once("exit", () => {
        clearTimeout(timer);
        resolve();
      });
      child.kill("SIGTERM");
    });
  }

  #ended(how: string): void {
    if (this.#process === undefined) return;
    this.#process = undefined;
    if (this.#stopping) {
      this.#state = "stopped";
      return;
    }
    this.#state = "down";
    this.restarts += 1;
    const lived = Date.now() - this.#startedMs;
    const keepsDying = lived < healthyMs;
    const waitMs = this.#options.stayDownMs ?? (keepsDying ? this.#restartMs : 0);
    this.#restartMs = keepsDying ? Math.min(this.#restartMs * 2, longestRestartMs) : firstRestartMs;
    this.#timer = setTimeout(() => this.start(), waitMs);
    this.#options.onExit(this, how, waitMs);
  }
}
