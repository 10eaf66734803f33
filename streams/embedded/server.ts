import { chmodSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { isMainThread } from "node:worker_threads";
import { OpenCdnError } from "../errors.ts";
import { allTopics } from "../topics.ts";
import type { Owner } from "./log-owner.ts";
import { type TopicName, TopicNames } from "./protocol.ts";
import { ServerConnection, type ServerNotice } from "./server-connection.ts";
import { maxConnections, stalledFollowerMs } from "./socket-limits.ts";
import { Turns } from "./turns.ts";

export interface ServeLogOptions {
  readonly owner: Owner;
  /** Path of the Unix socket; a file left there by an owner that died is replaced. */
  readonly socketPath: string;
  /** The topics that clients may name; all of ours by default. */
  readonly topics?: readonly TopicName[];
  readonly onNotice?: (notice: ServerNotice) => void;
  readonly stalledMs?: number;
  readonly maxConnections?: number;
}

export interface LogServer {
  /** Connections at this moment. */
  readonly connections: number;
  /** Stops listening and ends every connection; resolves when all are closed. */
  close(): Promise<void>;
}

/**
 * Serves the log port on a Unix socket that only this user can open. The caller owns the folder: nobody else may
 * listen at the path. Throws OCDN_STORAGE when the socket cannot be made.
 */
export async function serveLog(options: ServeLogOptions): Promise<LogServer> {
  const topics = new TopicNames(options.topics ?? allTopics);
  const onNotice = options.onNotice ?? (() => undefined);
  const connections = new Set<ServerConnection>();
  const turns = new Turns();
  const most = options.maxConnections ?? maxConnections;
  const server = createServer({ noDelay: false }, (socket: Socket) => {
    if (connections.size >= most) {
      onNotice({ kind: "socket.refused", peer: "", message: `${most} connections are open` });
      socket.destroy();
      return;
    }
    const { owner } = options;
    const connection = new ServerConnection({ socket, owner, topics, turns, onNotice });
    connections.add(connection);
    socket.on("close", () => connections.delete(connection));
  });
  await listen(server, options.socketPath);
  server.on("error", (error) => {
    onNotice({
      kind: "socket.refused",
      peer: "",
      message: `accepting a connection: ${error.message}`,
    });
  });
  const stalledMs = options.stalledMs ?? stalledFollowerMs;
  const watch = setInterval(
    () => {
      for (const connection of connections) connection.closeStalled(stalledMs);
    },
    Math.max(50, stalledMs / 4),
  );
  watch.unref();
  return {
    get connections(): number {
      return connections.size;
    },
    close: async () => {
      clearInterval(watch);
      for (const connection of connections) connection.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Listens at the path with mode 0600 from the first moment on. */
async function listen(server: Server, socketPath: string): Promise<void> {
  try {
    unlinkSync(socketPath);
  } catch {
    // There was none.
  }
  const listening = new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", resolve);
  });
  // The socket file is made inside `listen`; a worker thread cannot set the mask and corrects the mode after it.
  const mask = isMainThread ? process.umask(0o177) : undefined;
  try {
    server.listen(socketPath);
  } finally {
    if (mask !== undefined) process.umask(mask);
  }
  try {
    await listening;
    chmodSync(socketPath, 0o600);
  } catch (error) {
    server.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new OpenCdnError("OCDN_STORAGE", `listening at ${socketPath}: ${reason}`, {
      cause: error,
    });
  }
}
