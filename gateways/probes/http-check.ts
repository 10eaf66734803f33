import { Agent, request } from "node:http";
import { request as secureRequest } from "node:https";
import type { Socket } from "node:net";
import { type Carry, carryHeader, fromHeader } from "./latency-proxy.ts";
import { maxAnswerBytes, tunnelTimeoutMs } from "./limits.ts";

/** Outcome of one request. `rttMs` runs from the request on an open connection to the status line. */
export type CheckResult =
  | { readonly kind: "answered"; readonly status: number; readonly rttMs: number }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "lost" };

export interface CheckOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  readonly agent?: Agent;
}

/**
 * Sends one GET and waits at most `timeoutMs`. `refused`: the connection could not be made or broke; `lost`: no
 * answer came in time, and the connection is gone.
 */
export function check({ url, timeoutMs, agent }: CheckOptions): Promise<CheckResult> {
  return new Promise((resolve) => {
    let sentMs = performance.now();
    const send = url.protocol === "https:" ? secureRequest : request;
    const outgoing = send(url, { agent: agent ?? false, maxHeaderSize: maxAnswerBytes });
    const settle = (result: CheckResult): void => {
      clearTimeout(late);
      resolve(result);
    };
    const late = setTimeout(() => {
      settle({ kind: "lost" });
      outgoing.destroy();
    }, timeoutMs);
    outgoing.on("socket", (socket: Socket) => {
      const connected = url.protocol === "https:" ? "secureConnect" : "connect";
      if (socket.connecting) socket.once(connected, () => (sentMs = performance.now()));
      else sentMs = performance.now();
    });
    outgoing.on("response", (response) => {
      const rttMs = performance.now() - sentMs;
      settle({ kind: "answered", status: response.statusCode ?? 0, rttMs });
      let size = 0;
      response.on("data", (part: Buffer) => {
        size += part.length;
        if (size > maxAnswerBytes) response.destroy();
      });
      response.on("error", () => undefined);
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      settle({ kind: "refused", reason: error.code ?? "BROKEN" });
    });
    outgoing.end();
  });
}

export interface TunnelOptions {
  readonly proxyPort: number;
  readonly nodeId: string;
  /** Cell that the traffic comes from. */
  readonly from: string;
  readonly carry: Carry;
}

/** An agent with one kept-alive connection to a node, through a tunnel of the delay proxy where one is given. */
export function pathAgent(tunnel: TunnelOptions | undefined): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
  if (tunnel !== undefined) {
    Object.assign(agent, {
      createConnection: (_: unknown, done: (error: Error | null, socket?: Socket) => void) => {
        openTunnel(tunnel).then((socket) => done(null, socket), done);
      },
    });
  }
  return agent;
}

function openTunnel({ proxyPort, nodeId, from, carry }: TunnelOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: "127.0.0.1",
      port: proxyPort,
      method: "CONNECT",
      path: `${nodeId}:80`,
      headers: { host: `${nodeId}:80`, [fromHeader]: from, [carryHeader]: carry },
      agent: false,
      timeout: tunnelTimeoutMs,
    });
    asked.on("timeout", () => asked.destroy(new Error("opening a tunnel took too long")));
    asked.on("error", reject);
    asked.on("connect", (response, socket) => {
      if (response.statusCode === 200) return resolve(socket as Socket);
      socket.destroy();
      const error: NodeJS.ErrnoException = new Error(`the tunnel was refused`);
      error.code = response.statusCode === 502 ? "ECONNREFUSED" : `TUNNEL_${response.statusCode}`;
      reject(error);
    });
    asked.end();
  });
}
