import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { ConnectionGate } from "./connection-gate.ts";
import {
  connectionsCheckMs,
  headersTimeoutMs,
  keepAliveTimeoutMs,
  maxBodyBytes,
  maxConnections,
  maxConnectionsPerAddress,
  maxHeaderBytes,
  maxHeaderFields,
  maxRequestRatePerSocket,
  maxRequestsPerSocket,
  requestTimeoutMs,
  stopTimeoutMs,
} from "./limits.ts";
import { isNamed } from "./request-head.ts";
import { socketState } from "./socket-state.ts";

export interface BoundedServerOptions {
  readonly host: string;
  readonly port: number;
  /** Whether connections from this address are a configured proxy's: not bounded per address. */
  readonly isTrusted: (address: string) => boolean;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onUpgrade?: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
  readonly maxConnectionsPerAddress?: number;
  /** A handler threw: the client got 500, the server goes on. */
  readonly onFault?: (error: unknown) => void;
}

/**
 * An HTTP/1.1 server with every bound of limits.ts: strict parser (both Transfer-Encoding and Content-Length is
 * 400), size and number of headers, time for them, connections and requests per address and socket.
 */
export class BoundedServer {
  readonly #server: Server;
  readonly #options: BoundedServerOptions;
  readonly #gate: ConnectionGate;
  #second = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(options: BoundedServerOptions) {
    this.#options = options;
    this.#gate = new ConnectionGate({
      isTrusted: options.isTrusted,
      maxOpen: options.maxConnectionsPerAddress ?? maxConnectionsPerAddress,
    });
    this.#server = createServer({
      insecureHTTPParser: false,
      requireHostHeader: true,
      noDelay: true,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: connectionsCheckMs,
    });
    this.#server.maxConnections = maxConnections;
    this.#server.maxRequestsPerSocket = maxRequestsPerSocket;
    this.#server.maxHeadersCount = maxHeaderFields + 1;
    this.#server.on("connection", (socket) => {
      if (this.#gate.admit(socket)) socketState(socket);
    });
    this.#server.on("request", (request, response) => this.#take(request, response));
    this.#server.on("checkContinue", (request, response) => refuse(request, response, 417));
    const { onUpgrade } = options;
    if (onUpgrade !== undefined) {
      this.#server.on("upgrade", (request, socket, head) =>
        this.#upgrade(request, socket as Socket, head, onUpgrade),
      );
    }
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) =>
      answerClientError(error, socket as Socket),
    );
    this.#timer = setInterval(() => {
      this.#second += 1;
      this.#gate.nextSecond();
    }, 1_000);
    this.#timer.unref();
  }

  /** Connections that were refused because their address had too many. */
  get refusedConnections(): number {
    return this.#gate.refused;
  }

  /** Resolves with the port when it listens; OCDN_CONFIG when the address is taken or not ours. */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const why = error.code === "EADDRINUSE" ? "the port is in use" : messageOf(error);
        const text = `listening on ${host}:${port}: ${why}`;
        reject(new OpenCdnError("OCDN_CONFIG", text, { cause: error }));
      });
      this.#server.listen(port, host, () => resolve());
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Stops listening, ends idle connections, waits `stopTimeoutMs` for requests under way, cuts the rest. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (!this.#server.listening) return;
    const cut = setTimeout(() => this.#server.closeAllConnections(), stopTimeoutMs);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
    clearTimeout(cut);
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const status = this.#refusalOf(request);
    if (status !== undefined) {
      refuse(request, response, status);
      return;
    }
    try {
      this.#options.onRequest(request, response);
    } catch (error) {
      this.#options.onFault?.(error);
      if (response.headersSent) response.destroy();
      else refuse(request, response, 500);
    }
  }

  /** The status with which a request is refused before anybody looks at it. */
  #refusalOf(request: IncomingMessage): number | undefined {
    const { rawHeaders } = request;
    if (rawHeaders.length > 2 * maxHeaderFields) return 431;
    if (!this.#underRate(request.socket)) return 429;
    const framing = framingOf(rawHeaders);
    if (framing === plain) return undefined;
    return framing === bodied ? refusalOfBody(request) : framing;
  }

  #upgrade(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    onUpgrade: NonNullable<BoundedServerOptions["onUpgrade"]>,
  ): void {
    socket.on("error", () => socket.destroy());
    if (request.rawHeaders.length > 2 * maxHeaderFields) {
      refuseUpgrade(socket, "431 Request Header Fields Too Large");
      return;
    }
    try {
      onUpgrade(request, socket, head);
    } catch (error) {
      this.#options.onFault?.(error);
      socket.destroy();
    }
  }

  #underRate(socket: Socket): boolean {
    const state = socketState(socket);
    if (state.second !== this.#second) {
      state.second = this.#second;
      state.count = 1;
      return true;
    }
    state.count += 1;
    if (state.count <= maxRequestRatePerSocket) return true;
    return this.#options.isTrusted(socket.remoteAddress ?? "");
  }
}

/** Ends an upgrade with an HTTP status, e.g. `401 Unauthorized`, and a reason where one is given. */
export function refuseUpgrade(socket: Socket, status: string, reason?: string): void {
  const why = reason === undefined ? "" : `X-OpenCDN-Reason: ${reason}\r\n`;
  socket.end(`HTTP/1.1 ${status}\r\n${why}Connection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
}

/** No body is announced, or one by its length. */
const plain = 0;
const bodied = 1;

/**
 * What the header fields say about where the request ends: `plain`, `bodied`, or the status that refuses it. Only
 * `POST /session` may have a body, so a Transfer-Encoding, about which parsers differ, is never needed (411), and
 * a second Host is refused (RFC 9112 section 3.2). Looks at the raw fields: `headers` costs an object a request.
 */
function framingOf(rawHeaders: readonly string[]): number {
  let framing = plain;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && isNamed(name, "Host")) hosts += 1;
    else if (name.length === 14 && isNamed(name, "Content-Length")) framing = bodied;
    else if (name.length === 17 && isNamed(name, "Transfer-Encoding")) return 411;
  }
  return hosts > 1 ? 400 : framing;
}

/** Reads and drops the body of a POST of at most `maxBodyBytes`; gives the status that refuses any other. */
function refusalOfBody(request: IncomingMessage): number | undefined {
  const announced = Number(request.headers["content-length"]);
  if (!(announced <= maxBodyBytes)) return 413;
  if (announced > 0 && request.method !== "POST") return 400;
  request.on("error", () => undefined);
  request.resume();
  return undefined;
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number): void {
  response.writeHead(status, [
    "Connection",
    "close",
    "Content-Length",
    "0",
    "Cache-Control",
    "no-store",
  ]);
  response.end(() => request.socket.destroySoon());
}

const clientErrors: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
};

function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status = clientErrors[error.code ?? ""] ?? "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
}
