import { createConnection, type Socket } from "node:net";
import { type ErrorCode, OpenCdnError } from "../errors.ts";
import { type Frame, FrameReader } from "./frame.ts";
import { parseWelcome, type Welcome } from "./protocol-answers.ts";
import { encodeHello } from "./protocol-requests.ts";
import { connectTimeoutMs, maxFrameBytes } from "./socket-limits.ts";

export interface ConnectionHandlers {
  /** Bytes came, or reading went on: take frames until there is none. */
  readonly onReadable: () => void;
  /** The connection is gone; called once, also when this side closed it. */
  readonly onClose: (reason: string) => void;
}

/**
 * A connection that the owner has welcomed. Frames wait in it until they are taken; nothing is read from the
 * socket while it is paused.
 */
export class ClientConnection {
  readonly welcome: Welcome;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #handlers: ConnectionHandlers | undefined;
  #closed: string | undefined;
  #reason = "the engine closed the connection";

  constructor(socket: Socket, reader: FrameReader, welcome: Welcome) {
    this.#socket = socket;
    this.#reader = reader;
    this.welcome = welcome;
    socket.on("data", (piece: Buffer) => {
      reader.push(piece);
      this.#handlers?.onReadable();
    });
    socket.on("error", (error) => {
      this.#reason = error.message;
    });
    socket.on("close", () => {
      this.#closed ??= this.#reason;
      const handlers = this.#handlers;
      this.#handlers = undefined;
      handlers?.onClose(this.#closed);
    });
  }

  /** Bytes written that the socket has not taken. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Begins to hand over; what came before is handed over at once. */
  start(handlers: ConnectionHandlers): void {
    if (this.#closed !== undefined) {
      handlers.onClose(this.#closed);
      return;
    }
    this.#handlers = handlers;
    handlers.onReadable();
    this.#socket.resume();
  }

  /** The next frame; a stream that cannot be cut closes the connection and gives nothing. */
  next(): Frame | undefined {
    if (this.#closed !== undefined) return undefined;
    const frame = this.#reader.next();
    if (frame === undefined || !("kind" in frame)) return frame;
    this.close(`the engine sent ${frame.message}`);
    return undefined;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
    this.#handlers?.onReadable();
  }

  close(reason: string): void {
    this.#reason = reason;
    this.#closed ??= reason;
    this.#socket.destroy();
  }
}

/**
 * Connects once and says hello. Throws OCDN_DISCONNECTED when nobody listens, OCDN_TIMEOUT when the owner does not
 * answer, and the owner's own code when it refuses (another version, say).
 */
export function openConnection(options: {
  readonly socketPath: string;
  readonly name: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}): Promise<ClientConnection> {
  const { socketPath, name, signal } = options;
  const timeoutMs = Math.min(options.timeoutMs ?? connectTimeoutMs, connectTimeoutMs);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path: socketPath });
    const reader = new FrameReader(() => maxFrameBytes);
    const fail = (error: OpenCdnError): void => {
      settle();
      socket.on("error", () => undefined);
      socket.destroy();
      reject(error);
    };
    const lost = (reason: string, code: ErrorCode = "OCDN_DISCONNECTED"): void =>
      fail(new OpenCdnError(code, `connecting to the engine: ${reason}`));
    const onError = (error: Error): void => lost(error.message);
    const onClose = (): void => lost("it closed the connection");
    const onAbort = (): void => lost("given up");
    const onData = (piece: Buffer): void => {
      reader.push(piece);
      const frame = reader.next();
      if (frame === undefined) return;
      const welcome = "kind" in frame ? frame : parseWelcome(frame);
      if ("kind" in welcome) {
        lost(welcome.message, welcome.kind === "error" ? welcome.code : "OCDN_DISCONNECTED");
        return;
      }
      settle();
      socket.pause();
      resolve(new ClientConnection(socket, reader, welcome));
    };
    const timer = setTimeout(
      () =>
        fail(
          new OpenCdnError("OCDN_TIMEOUT", `connecting to the engine: silent for ${timeoutMs} ms`),
        ),
      timeoutMs,
    );
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off("error", onError).off("close", onClose).off("data", onData);
    };
    socket.on("error", onError).on("close", onClose).on("data", onData);
    socket.once("connect", () => socket.write(encodeHello(name)));
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}
