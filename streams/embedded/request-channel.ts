import { OpenCdnError } from "../errors.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { Frame } from "./frame.ts";
import type { LogView } from "./log-view.ts";
import { type Answer, parseAnswer } from "./protocol-answers.ts";
import { maxRequestBytes, maxRequestsInFlight } from "./socket-limits.ts";

interface Waiting {
  readonly doing: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: OpenCdnError) => void;
  readonly timer: NodeJS.Timeout;
}

/** Requests and their answers on one connection: each ends with an answer, a timeout or the connection. */
export class RequestChannel {
  readonly connection: ClientConnection;
  readonly #view: LogView;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(connection: ClientConnection, view: LogView) {
    this.connection = connection;
    this.#view = view;
  }

  /** Begins to take answers; `onClose` is called once, after every waiting request has failed. */
  start(onClose: () => void): void {
    this.connection.start({
      onReadable: () => this.#take(),
      onClose: (reason) => {
        for (const { doing, reject, timer } of this.#waiting.values()) {
          clearTimeout(timer);
          reject(new OpenCdnError("OCDN_DISCONNECTED", `${doing}: ${reason}`));
        }
        this.#waiting.clear();
        onClose();
      },
    });
  }

  /**
   * Sends what `encode` makes for the request's id. Fails with the answer's own code, with OCDN_TIMEOUT,
   * OCDN_DISCONNECTED, or OCDN_OVERLOADED when too much waits already.
   */
  ask(doing: string, timeoutMs: number, encode: (id: number) => Buffer): Promise<Answer> {
    const { connection } = this;
    if (this.#waiting.size >= maxRequestsInFlight || connection.waitingBytes > maxRequestBytes) {
      const text = `${doing}: ${this.#waiting.size} requests wait for the engine already`;
      return Promise.reject(new OpenCdnError("OCDN_OVERLOADED", text));
    }
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new OpenCdnError("OCDN_TIMEOUT", `${doing}: no answer in ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(id, { doing, resolve, reject, timer });
      connection.write(encode(id));
    });
  }

  #take(): void {
    for (let frame = this.connection.next(); frame !== undefined; frame = this.connection.next()) {
      this.#handle(frame);
    }
  }

  #handle(frame: Frame): void {
    const { topics, slots } = this.connection.welcome;
    const answer = parseAnswer(frame, { topics, slots });
    if (answer.kind === "badFrame") {
      this.connection.close(`the engine sent a bad frame: ${answer.message}`);
      return;
    }
    if (answer.kind === "schemas") {
      this.#view.learn(answer.schemas);
      return;
    }
    if (frame.request === 0) {
      this.connection.close(answer.kind === "error" ? answer.message : `an odd ${answer.kind}`);
      return;
    }
    const waiting = this.#waiting.get(frame.request);
    // An answer that came after its request had timed out is of no use to anybody.
    if (waiting === undefined) return;
    this.#waiting.delete(frame.request);
    clearTimeout(waiting.timer);
    if (answer.kind === "error") {
      waiting.reject(new OpenCdnError(answer.code, answer.message));
    } else {
      waiting.resolve(answer);
    }
  }
}
