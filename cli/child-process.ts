import { type ChildProcess, fork } from "node:child_process";

/** First and longest wait before a process that died by itself is started again. */
const firstRestartMs = 100;
const longestRestartMs = 5_000;
/** A process that lived this long is started again at once when it dies by itself. */
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
      if (child.pid === undefined) this.#ended("it could not be started", false);
    });
    child.on("exit", (code, signal) =>
      this.#ended(signal ?? `exit code ${code}`, signal === "SIGKILL"),
    );
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

  #ended(how: string, killed: boolean): void {
    if (this.#process === undefined) return;
    this.#process = undefined;
    const wasReady = this.#state === "ready";
    if (this.#stopping) {
      this.#state = "stopped";
      return;
    }
    this.#state = "down";
    this.restarts += 1;
    const waitMs = this.#options.stayDownMs ?? this.#restartsIn(killed, wasReady);
    this.#timer = setTimeout(() => this.start(), waitMs);
    this.#options.onExit(this, how, waitMs);
  }

  /** At once for one that was well, also when it is killed again and again; later and later for one that keeps dying. */
  #restartsIn(killed: boolean, wasReady: boolean): number {
    if (killed) return wasReady ? 0 : firstRestartMs;
    const lived = Date.now() - this.#startedMs;
    const waitMs = lived < healthyMs ? this.#restartMs : 0;
    this.#restartMs = waitMs === 0 ? firstRestartMs : Math.min(waitMs * 2, longestRestartMs);
    return waitMs;
  }
}
