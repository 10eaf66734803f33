import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Place } from "../../domain/geo-table.ts";
import { DelayLine } from "./delay-line.ts";
import { type PathModel, pathModel } from "./latency-model.ts";
import { maxTunnels, retransmissionMs, tunnelTimeoutMs } from "./limits.ts";

/** A node as the proxy reaches it: a loopback port, and where on earth it is said to be. */
export interface ProxyTarget extends Place {
  readonly host: string;
  readonly port: number;
}

export interface LatencyProxyOptions {
  readonly seed: number;
  /** Where a cell's clients are; undefined: no such cell. */
  readonly placeOf: (cell: string) => Place | undefined;
  readonly targetOf: (nodeId: string) => ProxyTarget | undefined;
}

/** Header of a CONNECT that names the cell it comes from. */
export const fromHeader = "x-opencdn-from";
/** Header of a CONNECT that says how losses show; see `Carry`. */
export const carryHeader = "x-opencdn-carry";

/**
 * `datagram`: a lost piece never arrives, as a packet of its own would not. `stream`: it arrives late, as TCP
 * sends it again.
 */
export type Carry = "datagram" | "stream";

/**
 * A delay-and-loss proxy on loopback: `CONNECT <node>:80` opens a tunnel to that node whose bytes take as long
 * as the latency model says for the path from the named cell. Only for nodes of the inventory; no open proxy.
 */
export class LatencyProxy {
  readonly #options: LatencyProxyOptions;
  readonly #server: Server;
  readonly #paths = new Map<string, PathModel>();
  #tunnels = 0;

  constructor(options: LatencyProxyOptions) {
    this.#options = options;
    this.#server = createServer({ maxHeaderSize: 2_048, headersTimeout: tunnelTimeoutMs });
    this.#server.on("request", (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(405, { connection: "close" }).end();
    });
    this.#server.on("connect", (request, socket) => this.#open(request, socket as Socket));
    this.#server.on("clientError", (_, socket) => socket.destroy());
  }

  /** Listens on a free port of 127.0.0.1 and gives it. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => resolve());
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #open(request: IncomingMessage, client: Socket): void {
    client.on("error", () => client.destroy());
    const nodeId = (request.url ?? "").split(":")[0] ?? "";
    const cell = String(request.headers[fromHeader] ?? "");
    const carry = request.headers[carryHeader] === "datagram" ? "datagram" : "stream";
    const target = this.#options.targetOf(nodeId);
    const place = this.#options.placeOf(cell);
    if (target === undefined || place === undefined) {
      refuse(client, "404 Not Found");
      return;
    }
    if (this.#tunnels >= maxTunnels) {
      refuse(client, "503 Service Unavailable");
      return;
    }
    this.#tunnels += 1;
    client.once("close", () => {
      this.#tunnels -= 1;
    });
    const path = this.#pathOf(cell, nodeId, place, target);
    this.#join(
      client,
      connect({ host: target.host, port: target.port, noDelay: true }),
      path,
      carry,
    );
  }

  #join(client: Socket, node: Socket, path: PathModel, carry: Carry): void {
    client.setNoDelay(true);
    let isOpen = false;
    const late = setTimeout(() => node.destroy(new Error("no answer")), tunnelTimeoutMs);
    node.once("connect", () => {
      clearTimeout(late);
      isOpen = true;
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      new DelayLine(client, node, () => fateOf(path, carry));
      new DelayLine(node, client, () => fateOf(path, carry));
    });
    node.once("error", () => {
      clearTimeout(late);
      if (isOpen) client.destroy();
      else refuse(client, "502 Bad Gateway");
    });
    client.once("close", () => node.destroy());
  }

  #pathOf(cell: string, nodeId: string, from: Place, to: Place): PathModel {
    const name = `${cell}>${nodeId}>${to.latitude},${to.longitude}`;
    let path = this.#paths.get(name);
    if (path === undefined) {
      if (this.#paths.size >= maxTunnels) this.#paths.clear();
      path = pathModel(this.#options.seed, { cell, nodeId }, from, to);
      this.#paths.set(name, path);
    }
    return path;
  }
}

function fateOf(path: PathModel, carry: Carry): number | undefined {
  const oneWayMs = path.nextOneWayMs();
  if (!path.nextIsLost()) return oneWayMs;
  if (carry === "datagram") return undefined;
  return oneWayMs + Math.max(retransmissionMs, 2 * path.fixedRttMs);
}

function refuse(client: Socket, status: string): void {
  client.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
