import { type ChildProcess, spawn } from "node:child_process";
import readline from "node:readline";

/** A TypeScript file running as a process of its own, spoken to in lines. */
export class Child {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<void>;

  constructor(url: URL, ...args: string[]) {
    const command = ["--import", "tsx", url.pathname, ...args];
    this.process = spawn(process.execPath, command, { stdio: ["pipe", "pipe", "inherit"] });
    const input = this.process.stdout as NodeJS.ReadableStream;
    this.#lines = readline.createInterface({ input })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => this.process.once("exit", () => resolve()));
  }

  /** The next line, undefined at the end. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : value;
  }

  /** Sends one line and gives the answer. */
  async ask(line: string): Promise<string | undefined> {
    this.process.stdin?.write(`${line}\n`);
    return await this.line();
  }

  /** Ends it with a signal and waits until it is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.process.kill(signal);
    await this.#ended;
  }
}
