import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { TokenKey } from "../../domain/token.ts";
import { maxMessageBytes, maxMessageRate, maxSessions, maxSocketBacklogBytes } from "./limits.ts";
import { SessionHistory } from "./session-history.ts";
import { isSessionId, newSessionId } from "./session-ids.ts";

/** A session that began or ended. */
export interface SessionChange<Client> {
  readonly action: "CONNECTED" | "RECONNECTED" | "CLOSED";
  readonly sessionId: string;
  readonly client: Client;
  /** 101 at the beginning, the close code at the end; 1006: lost. */
  readonly status: number;
  readonly bytesSent: number;
  readonly durationMs: number;
}

export interface NodeSessionsOptions<Client> {
  readonly nodeId: string;
  readonly heartbeatMs: number;
  readonly keys: () => readonly TokenKey[];
  readonly onChange: (change: SessionChange<Client>) => void;
}

interface Session<Client> {
  readonly id: string;
  readonly socket: WebSocket;
  readonly client: Client;
  readonly startedMs: number;
  bytesSent: number;
  messages: number;
  /** Pings without an answer. */
  unanswered: number;
}

const normalCodes: ReadonlySet<number> = new Set([1000, 1001]);
const deadAfterPings = 2;

/**
 * The WebSocket sessions of a node: a welcome with the session id, an echo, a heartbeat that drops dead peers. A
 * client that names a session which it lost, here or anywhere in the fleet, is a reconnect.
 */
export class NodeSessions<Client> {
  readonly #options: NodeSessionsOptions<Client>;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  readonly #open = new Map<string, Session<Client>>();
  readonly #history = new SessionHistory();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #second: NodeJS.Timeout;

  constructor(options: NodeSessionsOptions<Client>) {
    this.#options = options;
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs);
    this.#second = setInterval(() => {
      for (const session of this.#open.values()) session.messages = 0;
    }, 1_000);
  }

  /** Open sessions now. */
  get count(): number {
    return this.#open.size;
  }

  get full(): boolean {
    return this.#open.size >= maxSessions;
  }

  /**
   * Takes an upgrade that was admitted. `previousId` is what the client says it had before; `key` tags the new id.
   */
  accept(
    upgrade: { readonly request: IncomingMessage; readonly socket: Socket; readonly head: Buffer },
    client: Client,
    previousId: string | undefined,
    key: TokenKey,
  ): void {
    this.#server.handleUpgrade(upgrade.request, upgrade.socket, upgrade.head, (socket) => {
      const reconnected = this.#isReconnect(previousId);
      this.#begin({ socket, client, reconnected, id: newSessionId(key) });
    });
  }

  /** Ends all sessions: the node goes away, and its clients may go on elsewhere. */
  close(): void {
    clearInterval(this.#heartbeat);
    clearInterval(this.#second);
    for (const { socket } of this.#open.values()) {
      socket.close(1001, "the node stops");
      // A peer that does not answer the close is not waited for.
      setTimeout(() => socket.terminate(), 500).unref();
    }
  }

  #isReconnect(previousId: string | undefined): boolean {
    if (previousId === undefined || !isSessionId(previousId, this.#options.keys())) return false;
    // Its own loss may not have been noticed here yet.
    this.#open.get(previousId)?.socket.terminate();
    return this.#history.followsLost(previousId);
  }

  #begin(begun: {
    readonly socket: WebSocket;
    readonly client: Client;
    readonly reconnected: boolean;
    readonly id: string;
  }): void {
    const { socket, client, reconnected, id } = begun;
    const session: Session<Client> = {
      id,
      socket,
      client,
      startedMs: performance.now(),
      bytesSent: 0,
      messages: 0,
      unanswered: 0,
    };
    this.#open.set(id, session);
    socket.on("pong", () => {
      session.unanswered = 0;
    });
    socket.on("message", (data, isBinary) => this.#take(session, data, isBinary));
    socket.on("close", (code) => this.#end(session, code));
    socket.on("error", () => socket.terminate());
    const { nodeId, heartbeatMs, onChange } = this.#options;
    const action = reconnected ? "RECONNECTED" : "CONNECTED";
    onChange({ action, sessionId: id, client, status: 101, bytesSent: 0, durationMs: 0 });
    const welcome = { type: "welcome", sessionId: id, nodeId, heartbeatMs, reconnected };
    this.#send(session, JSON.stringify(welcome), false);
  }

  /** Sends a message back as it came. */
  #take(session: Session<Client>, data: RawData, isBinary: boolean): void {
    session.messages += 1;
    if (session.messages > maxMessageRate) {
      session.socket.close(1008, "too many messages");
      return;
    }
    this.#send(session, data as Buffer, isBinary);
  }

  #send(session: Session<Client>, data: Buffer | string, binary: boolean): void {
    const { socket } = session;
    if (socket.bufferedAmount > maxSocketBacklogBytes) {
      socket.terminate();
      return;
    }
    session.bytesSent += typeof data === "string" ? Buffer.byteLength(data) : data.length;
    socket.send(data, { binary }, () => undefined);
  }

  #end(session: Session<Client>, code: number): void {
    this.#open.delete(session.id);
    if (normalCodes.has(code)) this.#history.closed(session.id);
    this.#options.onChange({
      action: "CLOSED",
      sessionId: session.id,
      client: session.client,
      status: code,
      bytesSent: session.bytesSent,
      durationMs: performance.now() - session.startedMs,
    });
  }

  #beat(): void {
    for (const session of this.#open.values()) {
      if (session.unanswered >= deadAfterPings) {
        session.socket.terminate();
        continue;
      }
      session.unanswered += 1;
      session.socket.ping(() => undefined);
    }
  }
}
