import { connect, type Socket } from "node:net";

/** What a load run saw. */
export interface LoadResult {
  readonly answers: number;
  readonly warmUpAnswers: number;
  readonly seconds: number;
  /** Answers that were no 302. */
  readonly failures: number;
  /** Sorted, ms; empty for a closed loop. */
  readonly latencies: Float64Array;
}

export interface LoadOptions {
  readonly port: number;
  readonly requests: readonly Buffer[];
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second on a timetable; without it each connection sends on as soon as it was answered. */
  readonly rate?: number;
  /** Before the clock starts: connections and both sides' code are new. */
  readonly warmUpSeconds?: number;
}

interface Line {
  socket: Socket;
  /** When the request under way was due; -1: none is. */
  dueMs: number;
  tail: string;
}

const endOfHead = "\r\n\r\n";

/** One request at a time on each kept-alive connection, as browsers and proxies do; raw sockets, no HTTP client. */
export class Load {
  readonly #options: LoadOptions;
  readonly #idle: Line[] = [];
  readonly #waiting: number[] = [];
  readonly #latencies: number[] = [];
  #next = 0;
  #answers = 0;
  #warmUpAnswers = 0;
  #failures = 0;
  #running = true;
  #sockets = new Set<Socket>();

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async run(): Promise<LoadResult> {
    const { connections, seconds, rate, warmUpSeconds = 0 } = this.#options;
    const lines = await Promise.all(Array.from({ length: connections }, () => this.#open()));
    let startedMs = performance.now();
    if (rate === undefined) {
      this.#stayAwake();
      for (const line of lines) this.#send(line, 0);
    } else {
      this.#idle.push(...lines);
      this.#follow(rate, startedMs);
    }
    if (warmUpSeconds > 0) {
      await new Promise((resolve) => setTimeout(resolve, warmUpSeconds * 1_000));
      startedMs = performance.now();
      this.#warmUpAnswers = this.#answers;
      this.#latencies.length = 0;
    }
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    this.#running = false;
    const passed = (performance.now() - startedMs) / 1_000;
    for (const socket of this.#sockets) socket.destroy();
    return {
      answers: this.#answers - this.#warmUpAnswers,
      warmUpAnswers: this.#warmUpAnswers,
      seconds: passed,
      failures: this.#failures,
      latencies: Float64Array.from(this.#latencies).sort(),
    };
  }

  /**
   * Keeps this process running between answers. A client that sleeps is woken by every write of the server, at a
   * cost of the server's CPU that says nothing about the server; and the faster server would be spared it.
   */
  #stayAwake(): void {
    if (this.#running) setImmediate(() => this.#stayAwake());
  }

  /**
   * Sends what is due by the timetable, awake for the same reason; a request that finds no free connection waits, and
   * its time runs.
   */
  #follow(rate: number, startedMs: number): void {
    let sent = 0;
    const step = (): void => {
      if (!this.#running) return;
      const due = Math.floor(((performance.now() - startedMs) / 1_000) * rate);
      for (; sent < due; sent++) {
        const dueMs = startedMs + (sent / rate) * 1_000;
        const line = this.#idle.pop();
        if (line === undefined) this.#waiting.push(dueMs);
        else this.#send(line, dueMs);
      }
      setImmediate(step);
    };
    step();
  }

  async #open(): Promise<Line> {
    const socket = await this.#connect();
    const line: Line = { socket, dueMs: -1, tail: "" };
    this.#attach(line, socket);
    return line;
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.#options.port, host: "127.0.0.1", noDelay: true });
      socket.once("connect", () => resolve(socket));
      socket.once("error", reject);
    });
  }

  #attach(line: Line, socket: Socket): void {
    line.socket = socket;
    line.tail = "";
    this.#sockets.add(socket);
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => this.#take(line, part));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (this.#running) void this.#renew(line);
    });
  }

  /** A server ends a connection after so many requests; the one under way is sent again. */
  async #renew(line: Line): Promise<void> {
    const socket = await this.#connect();
    this.#attach(line, socket);
    if (line.dueMs >= 0) this.#write(line);
    else this.#free(line);
  }

  #send(line: Line, dueMs: number): void {
    line.dueMs = dueMs;
    this.#write(line);
  }

  #write(line: Line): void {
    const { requests } = this.#options;
    this.#next = (this.#next + 1) % requests.length;
    line.socket.write(requests[this.#next] as Buffer);
  }

  #take(line: Line, part: string): void {
    line.tail = line.tail === "" ? part : line.tail + part;
    if (!line.tail.endsWith(endOfHead) || line.dueMs < 0) return;
    this.#answers += 1;
    if (!line.tail.startsWith("HTTP/1.1 302")) this.#failures += 1;
    const isLast = line.tail.includes("Connection: close");
    line.tail = "";
    const { rate } = this.#options;
    if (rate !== undefined) this.#latencies.push(performance.now() - line.dueMs);
    line.dueMs = -1;
    if (!this.#running) return;
    // A connection that the server ends is free again once there is a new one.
    if (!isLast) this.#free(line);
  }

  #free(line: Line): void {
    const next = this.#options.rate === undefined ? 0 : this.#waiting.shift();
    if (next === undefined) this.#idle.push(line);
    else this.#send(line, next);
  }
}

/** The value below which this share of sorted values lies. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
