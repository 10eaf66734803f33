import type { IncomingMessage, ServerResponse } from "node:http";
import { type Address, addressBytes, formatAddress } from "../../domain/address.ts";
import { clearHostBits } from "../../domain/prefix.ts";
import { signToken, type TokenKey } from "../../domain/token.ts";
import type { CellSums } from "./cell-sums.ts";
import type { ClientReader } from "./client-reader.ts";
import type { EdgeRecorder, WritableHappening } from "./edge-recorder.ts";
import { type RequestHead, readHead } from "./request-head.ts";
import {
  isPlainTarget,
  locationOf,
  parameterOf,
  tokenParameter,
  withoutParameter,
} from "./request-target.ts";
import type { Route, Router } from "./router.ts";
import type { ServiceFinder } from "./service-finder.ts";

export interface RedirectorOptions {
  readonly router: Router;
  readonly services: ServiceFinder;
  readonly clients: ClientReader;
  readonly recorder: EdgeRecorder;
  readonly sums: CellSums;
  readonly signingKey: (nowMs: number) => TokenKey | undefined;
  /** Whether a token is one of ours that is still good, for any client. */
  readonly isOurToken: (token: string) => boolean;
  readonly isStale: () => boolean;
  readonly nowMs: () => number;
  readonly tokenLifetimeMs: number;
  readonly debugHeaders: boolean;
}

/** Seconds after which a refused client may ask again. */
const retryAfterSeconds = 5;

/**
 * The answer of the access gateway: 302 to the picked node with path and query kept and a token for the client's
 * block, 503 with a reason where nobody may serve. The Location begins with the origin of the inventory's node;
 * of the request only a checked path and query are in it.
 */
export class Redirector {
  readonly #options: RedirectorOptions;
  readonly #head: RequestHead = { host: undefined, forwarded: undefined, forwardedFor: undefined };
  readonly #block = { family: 4 as 4 | 6, bytes: new Uint8Array(16), length: 0 };
  readonly #happening: WritableHappening = emptyHappening();
  #fullHash = "";
  #shortHash = "";

  constructor(options: RedirectorOptions) {
    this.#options = options;
  }

  /** Answers a GET or HEAD. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const startedMs = performance.now();
    let target = request.url ?? "";
    if (!isPlainTarget(target)) {
      refuse(response, 400, "BAD_TARGET");
      return;
    }
    if (target.indexOf(tokenParameter) >= 0) {
      const token = parameterOf(target, tokenParameter);
      // A node never sends a token here: the URL of a "node" must lead back to a gateway.
      if (token !== undefined && this.#options.isOurToken(token)) {
        refuse(response, 508, "LOOP");
        return;
      }
      target = withoutParameter(target, tokenParameter);
    }
    const head = readHead(request.rawHeaders, this.#head);
    const client = this.#options.clients.read(request.socket, head);
    if (client === undefined) {
      response.destroy();
      return;
    }
    const serviceId = this.#options.services.find(head.host);
    if (serviceId === undefined) {
      refuse(response, 404, "UNKNOWN_SERVICE");
      return;
    }
    this.#answer(response, target, serviceId, client, startedMs);
  }

  #answer(
    response: ServerResponse,
    target: string,
    serviceId: string,
    client: Address,
    startedMs: number,
  ): void {
    const { router, recorder, sums, isStale } = this.#options;
    const route = router.route(serviceId, client.family, client.bytes);
    const stale = isStale();
    const status = this.#send(response, target, serviceId, client, route, stale);
    if (status === 302) sums.add(demandCellOf(route), serviceId, route.nodeId, 0);
    const { family, bytes, length } = this.#block;
    const happening = this.#happening;
    happening.action = status === 302 ? "REDIRECTED" : "REFUSED";
    happening.nodeId = status === 302 ? route.nodeId : "";
    happening.serviceId = serviceId;
    happening.sessionId = recorder.nextId();
    happening.block = `${formatAddress(bytes, 0, family)}/${length}`;
    happening.reason = route.reason;
    happening.status = status;
    happening.durationMs = performance.now() - startedMs;
    happening.stale = stale;
    recorder.record(happening, route, this.#geoHash());
  }

  /** The part of the geo table's hash that events name, cut once a table. */
  #geoHash(): string {
    const { hash } = this.#options.router.geo;
    if (hash !== this.#fullHash) {
      this.#fullHash = hash;
      this.#shortHash = hash.slice(0, 16);
    }
    return this.#shortHash;
  }

  /** Sends the answer and gives its status. */
  #send(
    response: ServerResponse,
    target: string,
    serviceId: string,
    client: Address,
    route: Route,
    stale: boolean,
  ): number {
    const { tokenLifetimeMs, debugHeaders } = this.#options;
    this.#setBlock(client, route.blockLength);
    const nowMs = this.#options.nowMs();
    const key = this.#options.signingKey(nowMs);
    if (route.origin === undefined || key === undefined) {
      const reason = route.origin === undefined ? route.reason : "NO_KEY";
      refuse(response, 503, reason, debugHeaders ? debugFields(route, stale) : []);
      return 503;
    }
    const binding = { nodeId: route.nodeId, serviceId, block: this.#block };
    const token = signToken(key, binding, nowMs, tokenLifetimeMs);
    const location = locationOf(route.origin, target, tokenParameter, token);
    const fields = ["Location", location, "Cache-Control", "no-store", "Content-Length", "0"];
    if (debugHeaders) fields.push(...debugFields(route, stale));
    response.writeHead(302, fields);
    response.end();
    return 302;
  }

  /** The client's block without the client: the bits after it are cleared. */
  #setBlock(client: Address, length: number): void {
    const block = this.#block;
    block.family = client.family;
    block.length = length;
    const size = addressBytes(client.family);
    for (let at = 0; at < size; at++) block.bytes[at] = client.bytes[at] as number;
    clearHostBits(block.bytes, length);
  }
}

/** Demand counts for the cell whose decision directed it; where none is decided, for the whole country. */
export function demandCellOf(route: Route): string {
  return route.decisionCell === "" ? route.country : route.decisionCell;
}

function emptyHappening(): WritableHappening {
  return {
    action: "REDIRECTED",
    nodeId: "",
    serviceId: "",
    sessionId: "",
    block: "",
    reason: "",
    status: 0,
    bytesSent: 0,
    durationMs: 0,
    stale: false,
  };
}

/** What was decided, for people; only where the configuration allows it. */
function debugFields(route: Route, stale: boolean): string[] {
  const fields = [
    "X-OpenCDN-Cell",
    route.cell,
    "X-OpenCDN-Decision",
    route.decisionCell === "" ? "none" : `${route.decisionCell} ${route.decisionVersion}`,
    "X-OpenCDN-Reason",
    route.reason,
  ];
  if (route.nodeId !== "") fields.unshift("X-OpenCDN-Node", route.nodeId);
  if (stale) fields.push("X-OpenCDN-Stale", "1");
  return fields;
}

/** Answers with an error that says why in a header and in JSON. */
export function refuse(
  response: ServerResponse,
  status: number,
  reason: string,
  more: readonly string[] = [],
): void {
  const body = `${JSON.stringify({ error: reason })}\n`;
  const fields = [
    "Content-Type",
    "application/json",
    "Content-Length",
    String(body.length),
    "Cache-Control",
    "no-store",
  ];
  if (!more.includes("X-OpenCDN-Reason")) fields.push("X-OpenCDN-Reason", reason);
  if (status === 503) fields.push("Retry-After", String(retryAfterSeconds));
  response.writeHead(status, [...fields, ...more]);
  response.end(response.req.method === "HEAD" ? undefined : body);
}
