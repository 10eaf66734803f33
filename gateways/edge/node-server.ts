import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { OpenCdnError } from "../../streams/errors.ts";
import type { Log } from "../../streams/log.ts";
import { EventProducer } from "../../streams/producer.ts";
import { nodeMetrics } from "../../streams/topics.ts";
import { clientAddressOptions } from "../site/config.ts";
import { TableFollower } from "../site/table-follower.ts";
import { sendJson } from "./admin-server.ts";
import { type Admission, admit } from "./admission.ts";
import { BoundedServer, refuseUpgrade } from "./bounded-server.ts";
import { ClientReader } from "./client-reader.ts";
import type { NodeConfig } from "./config.ts";
import { type Content, ContentStore } from "./content.ts";
import { EdgeRecorder, type Happening } from "./edge-recorder.ts";
import { faultLog } from "./fault-log.ts";
import { PolicyTable } from "./fleet-tables.ts";
import { flushMs } from "./limits.ts";
import { NodeCounters } from "./node-counters.ts";
import { NodeSessions, type SessionChange } from "./node-sessions.ts";
import { refuse } from "./redirector.ts";
import {
  isPlainTarget,
  locationOf,
  originOf,
  parameterOf,
  pathOf,
  retryParameter,
  tokenParameter,
  withoutParameter,
} from "./request-target.ts";
import { sendContent } from "./send-content.ts";
import { ServiceFinder } from "./service-finder.ts";
import { giveSession, sessionPath } from "./session-door.ts";
import type { Site } from "./site.ts";
import { type Visitor, VisitorReader } from "./visitors.ts";

/** Query parameter in which a client names the session that it had before. */
export const previousParameter = "ocdn-previous";

/** What is recorded about a request beside who sent it. */
type Outcome = Pick<
  Happening,
  "action" | "serviceId" | "sessionId" | "reason" | "status" | "bytesSent" | "durationMs"
>;

/** A visitor and the service that its session belongs to. */
interface SessionClient {
  readonly visitor: Visitor;
  readonly serviceId: string;
}

/** An edge node: serves content and WebSocket sessions to clients that a redirect or a DNS answer led here. */
export class EdgeNode {
  readonly #config: NodeConfig;
  readonly #site: Site;
  readonly #bootstrapOrigin: string;
  readonly #policies = new PolicyTable();
  readonly #visitors: VisitorReader;
  readonly #content: ContentStore;
  readonly #recorder: EdgeRecorder;
  readonly #counters: NodeCounters;
  readonly #sessions: NodeSessions<SessionClient>;
  readonly #server: BoundedServer;
  #origin = "";
  #producer: EventProducer | undefined;
  #follower: TableFollower | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Throws OCDN_CONFIG when one of the URLs is more than an origin. */
  constructor(config: NodeConfig, site: Site, logger: Logger) {
    const { nodeId, synthetic, bootstrapUrl } = config;
    this.#config = config;
    this.#site = site;
    this.#bootstrapOrigin = requireOrigin(nodeId, "bootstrapUrl", bootstrapUrl);
    if (config.publicUrl !== undefined) {
      this.#origin = requireOrigin(nodeId, "publicUrl", config.publicUrl);
    }
    this.#content = new ContentStore({ nodeId, place: config.place });
    const onFault = faultLog(logger);
    const clients = new ClientReader(clientAddressOptions(config.proxies));
    this.#visitors = new VisitorReader({
      clients,
      services: new ServiceFinder(this.#policies, config.defaultService),
      geo: () => site.geo.table,
    });
    this.#recorder = new EdgeRecorder({ seenBy: nodeId, synthetic, nowMs: Date.now });
    this.#counters = new NodeCounters({ nodeId, synthetic }, config.metricsScope);
    this.#sessions = new NodeSessions({
      nodeId,
      heartbeatMs: config.heartbeatMs,
      keys: () => site.keys.keys,
      onChange: (change) => this.#sessionChanged(change),
    });
    this.#server = new BoundedServer({
      host: config.host,
      port: config.port,
      isTrusted: (address) => clients.isTrusted(address),
      maxConnectionsPerAddress: config.maxConnectionsPerAddress,
      onFault,
      onRequest: (request, response) => this.#handle(request, response),
      onUpgrade: (request, socket, head) => this.#upgrade(request, socket, head),
    });
  }

  /** Listens and gives the port. The log may be away. */
  async start(): Promise<number> {
    const port = await this.#server.listen();
    const host = this.#config.host.includes(":") ? `[${this.#config.host}]` : this.#config.host;
    if (this.#origin === "") this.#origin = `http://${host}:${port}`;
    this.#timer = setInterval(() => this.#sendMetrics(), this.#config.metricsEveryMs);
    return port;
  }

  /** The log was reached: learns which host belongs to which service and writes events to it. */
  attach(log: Log): void {
    this.#follower = new TableFollower({ log, views: [this.#policies as never] });
    this.#producer = new EventProducer({ log, flushMs, name: `node/${this.#config.nodeId}` });
    this.#recorder.attach(this.#producer);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#sessions.close();
    await this.#server.close();
    this.#sendMetrics();
    this.#counters.close();
    this.#follower?.close();
    await this.#producer?.close();
    this.#site.close();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const startedMs = performance.now();
    const { method, url = "" } = request;
    if (!isPlainTarget(url)) {
      refuse(response, 400, "BAD_TARGET");
    } else if (url.startsWith("/_opencdn/")) {
      this.#answerOwn(pathOf(url), response);
    } else if (method === "POST" && pathOf(url) === sessionPath) {
      this.#giveSession(request, response);
    } else if (method === "GET" || method === "HEAD") {
      this.#serve(request, response, startedMs);
    } else {
      refuse(response, 405, "METHOD", ["Allow", "GET, HEAD"]);
    }
  }

  /** Health, for vantage points: no client's request, so no event. */
  #answerOwn(path: string, response: ServerResponse): void {
    if (path !== "/_opencdn/health") {
      refuse(response, 404, "NOT_FOUND");
      return;
    }
    sendJson(response, 200, {
      status: "ok",
      nodeId: this.#config.nodeId,
      sessions: this.#sessions.count,
      eventsLost: this.#recorder.lost,
      eventsAcknowledged: this.#producer?.acknowledged ?? 0,
      refusedConnections: this.#server.refusedConnections,
    });
  }

  #serve(request: IncomingMessage, response: ServerResponse, startedMs: number): void {
    const visitor = this.#visitors.read(request);
    if (visitor === undefined) {
      response.destroy();
      return;
    }
    const target = request.url ?? "";
    const admission = this.#admit(target, visitor);
    const serviceId = "claims" in admission ? admission.claims.serviceId : visitor.hostService;
    const record = (status: number, reason: string, bytesSent: number): void => {
      this.#counters.request(bytesSent);
      const durationMs = performance.now() - startedMs;
      const sessionId = this.#recorder.nextId();
      const action =
        status < 300 || status === 304 ? "REQUESTED" : status < 400 ? "REDIRECTED" : "REFUSED";
      const outcome: Outcome = {
        action,
        serviceId: serviceId ?? "",
        sessionId,
        reason,
        status,
        bytesSent,
        durationMs,
      };
      this.#record(visitor, outcome);
    };
    if (admission.kind === "refused" || serviceId === undefined) {
      const reason = admission.kind === "refused" ? admission.reason : "UNKNOWN_SERVICE";
      const status = admission.kind === "refused" ? admission.status : 404;
      refuse(response, status, reason);
      record(status, reason, 0);
      return;
    }
    if (admission.kind === "elsewhere" && parameterOf(target, retryParameter) === undefined) {
      this.#sendBack(target, response);
      record(302, "WRONG_BLOCK", 0);
      return;
    }
    const sent = sendContent(
      request,
      response,
      this.#contentOf(target),
      this.#debugFields(visitor),
    );
    const { status } = sent;
    const reason = reasonOf(admission);
    response.once("close", () =>
      record(status, reason, response.writableFinished ? sent.bytes : 0),
    );
  }

  /** To the gateway, once: the marker says that it must not happen again, whatever address is seen there. */
  #sendBack(target: string, response: ServerResponse): void {
    const clean = withoutParameter(withoutParameter(target, tokenParameter), retryParameter);
    const location = locationOf(this.#bootstrapOrigin, clean, retryParameter, "1");
    response.writeHead(302, [
      "Location",
      location,
      "Cache-Control",
      "no-store",
      "Content-Length",
      "0",
      "X-OpenCDN-Reason",
      "WRONG_BLOCK",
    ]);
    response.end();
  }

  #contentOf(target: string): Content {
    return this.#content.get(pathOf(target));
  }

  #debugFields(visitor: Visitor): Record<string, string> {
    if (!this.#config.debugHeaders) return {};
    return { "X-OpenCDN-Node": this.#config.nodeId, "X-OpenCDN-Cell": visitor.where.cell };
  }

  #admit(target: string, visitor: Visitor): Admission {
    return admit(parameterOf(target, tokenParameter), {
      nodeId: this.#config.nodeId,
      client: visitor.address,
      keys: this.#site.keys.keys,
      nowMs: Date.now(),
    });
  }

  #giveSession(request: IncomingMessage, response: ServerResponse): void {
    const visitor = this.#visitors.read(request);
    const serviceId = visitor?.hostService;
    if (visitor === undefined || serviceId === undefined) {
      refuse(response, 404, "UNKNOWN_SERVICE");
      return;
    }
    const given = giveSession(
      request,
      response,
      { nodeId: this.#config.nodeId, origin: this.#origin, serviceId },
      visitor,
      {
        signingKey: (atMs) => this.#site.keys.signingKey(atMs),
        nowMs: Date.now,
        lifetimeMs: this.#config.tokenLifetimeSeconds * 1_000,
      },
    );
    if (!given) refuse(response, 503, "NO_KEY");
  }

  /** A session needs a token for this node and this client's block; the rest is told how to get one. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const target = request.url ?? "";
    if (!isPlainTarget(target) || pathOf(target) !== sessionPath) {
      refuseUpgrade(socket, "404 Not Found");
      return;
    }
    const visitor = this.#visitors.read(request);
    if (visitor === undefined) {
      socket.destroy();
      return;
    }
    const admission = this.#admit(target, visitor);
    const key = this.#site.keys.signingKey(Date.now());
    if (admission.kind !== "accepted") {
      const status = admission.kind === "arrival" ? "401 Unauthorized" : "403 Forbidden";
      refuseUpgrade(
        socket,
        status,
        admission.kind === "arrival" ? "NO_TOKEN" : reasonOf(admission),
      );
    } else if (key === undefined || this.#sessions.full) {
      refuseUpgrade(socket, "503 Service Unavailable", key === undefined ? "NO_KEY" : "FULL");
    } else {
      const client = { visitor, serviceId: admission.claims.serviceId };
      this.#sessions.accept(
        { request, socket, head },
        client,
        parameterOf(target, previousParameter),
        key,
      );
    }
  }

  #sessionChanged(change: SessionChange<SessionClient>): void {
    const { action, sessionId, client, status, bytesSent, durationMs } = change;
    if (action === "CLOSED") this.#counters.sessionEnded(bytesSent);
    else this.#counters.connect(action === "RECONNECTED");
    const { visitor, serviceId } = client;
    this.#record(visitor, {
      action,
      serviceId,
      sessionId,
      reason: "",
      status,
      bytesSent,
      durationMs,
    });
  }

  #record(visitor: Visitor, outcome: Outcome): void {
    const { nodeId } = this.#config;
    const geoHash = this.#site.geo.table.hash.slice(0, 16);
    this.#recorder.record(
      { ...outcome, nodeId, block: visitor.block, stale: false },
      visitor.where,
      geoHash,
    );
  }

  #sendMetrics(): void {
    const metrics = this.#counters.take(this.#sessions.count);
    this.#producer?.send(nodeMetrics, metrics.nodeId, metrics, Date.now());
  }
}

function requireOrigin(nodeId: string, option: string, url: string): string {
  const origin = originOf(url);
  if (origin !== undefined) return origin;
  const text = `reading the configuration of node ${nodeId}: ${option} must be http(s)://host:port`;
  throw new OpenCdnError("OCDN_CONFIG", text);
}

/** What an event says about how a request was admitted. */
function reasonOf(admission: Admission): string {
  switch (admission.kind) {
    case "arrival":
      return "DNS_ARRIVAL";
    case "accepted":
      return "TOKEN";
    case "elsewhere":
      return "WRONG_BLOCK";
    case "refused":
      return admission.reason;
  }
}
