import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { OpenCdnError } from "../streams/errors.ts";

const maxAnswerBytes = 1_048_576;
const timeoutMs = 10_000;

/** One process as `up` sees it. */
export interface ProcessStatus {
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly ready: Readonly<Record<string, unknown>>;
}

export interface UpStatus {
  readonly pid: number;
  readonly data: string;
  readonly edgePort: number;
  readonly adminPort: number;
  readonly processes: readonly ProcessStatus[];
}

export interface ControlHandlers {
  readonly status: () => UpStatus;
  /** False when there is no such node. */
  readonly startNode: (name: string) => boolean;
}

/** Serves the control socket of a running `up`: status, and starting a node that is down. Mode 0600. */
export async function serveControl(socketPath: string, handlers: ControlHandlers): Promise<Server> {
  await rm(socketPath, { force: true });
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000 },
    (message, response) => {
      const [status, body] = answer(message, handlers);
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    },
  );
  server.maxConnections = 16;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  return server;
}

function answer(message: IncomingMessage, handlers: ControlHandlers): [number, unknown] {
  const url = message.url ?? "";
  if (message.method === "GET" && url === "/status") return [200, handlers.status()];
  const start = /^\/nodes\/([A-Za-z0-9._-]{1,63})\/start$/.exec(url);
  if (message.method === "POST" && start !== null) {
    const name = start[1] as string;
    return handlers.startNode(name)
      ? [200, { started: name }]
      : [404, { error: `no node is called ${name}` }];
  }
  return [404, { error: "not found" }];
}

/** Asks the running `up` of a data folder. Throws OCDN_DISCONNECTED when none runs. */
export async function askControl(
  socketPath: string,
  method: "GET" | "POST",
  path: string,
): Promise<{ readonly status: number; readonly body: unknown }> {
  return await new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        new OpenCdnError(
          "OCDN_DISCONNECTED",
          "asking `opencdn up`: it does not run on this data folder",
          { cause: error },
        ),
      );
    const asked = request({ socketPath, method, path, timeout: timeoutMs }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => {
        text += piece;
        if (text.length > maxAnswerBytes) asked.destroy(new Error("the answer is too large"));
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
      );
      response.on("error", fail);
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer in time")));
    asked.on("error", fail);
    asked.end();
  });
}
