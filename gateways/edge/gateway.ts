import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { formatBlock } from "../../domain/block.ts";
import { verifySignature } from "../../domain/token.ts";
import type { CellRequests } from "../../schemas/generated/events.ts";
import type { Log } from "../../streams/log.ts";
import type { Emitted } from "../../streams/processor.ts";
import { EventProducer } from "../../streams/producer.ts";
import { cellRequests } from "../../streams/topics.ts";
import { clientAddressOptions } from "../site/config.ts";
import { EnginePulse } from "../site/engine-pulse.ts";
import { TableFollower } from "../site/table-follower.ts";
import { answerAdmin, sendJson } from "./admin-server.ts";
import { BoundedServer } from "./bounded-server.ts";
import { CellSums } from "./cell-sums.ts";
import { ClientReader } from "./client-reader.ts";
import type { EdgeConfig } from "./config.ts";
import { EdgeRecorder } from "./edge-recorder.ts";
import { explain } from "./explain.ts";
import { faultLog } from "./fault-log.ts";
import { Freshness } from "./freshness.ts";
import { batchMs, flushMs } from "./limits.ts";
import { demandCellOf, Redirector, refuse } from "./redirector.ts";
import { readHead } from "./request-head.ts";
import { pathOf } from "./request-target.ts";
import { Router } from "./router.ts";
import { ServiceFinder } from "./service-finder.ts";
import { giveSession, sessionPath } from "./session-door.ts";
import type { Site } from "./site.ts";
import { Tables } from "./tables.ts";
import { defaultTablesFile, TablesFile } from "./tables-file.ts";

/** Demand is summed over this. */
const sumMs = 1_000;
/** In how many parts the sums of a second are written: 20,000 cells at once would hold requests up for 50 ms. */
const sumParts = 98;

/**
 * The access gateway: sends clients to nodes by 302, from tables that it follows on the log and keeps in a file,
 * so that it goes on answering when the engine is away and after a start without it.
 */
export class EdgeGateway {
  readonly #config: EdgeConfig;
  readonly #site: Site;
  readonly #tables = new Tables();
  readonly #file: TablesFile;
  readonly #freshness: Freshness;
  readonly #router: Router;
  readonly #services: ServiceFinder;
  readonly #clients: ClientReader;
  readonly #recorder: EdgeRecorder;
  readonly #sums: CellSums;
  readonly #redirector: Redirector;
  readonly #public: BoundedServer;
  readonly #admin: BoundedServer;
  #producer: EventProducer | undefined;
  #follower: TableFollower | undefined;
  #pulse: EnginePulse | undefined;
  #timer: NodeJS.Timeout | undefined;
  #partTimer: NodeJS.Timeout | undefined;
  #sumsSinceMs = performance.now();
  #closedSums: Emitted<CellRequests>[] = [];
  #closedMs = 0;
  #sumsPerPart = 0;

  constructor(config: EdgeConfig, site: Site, logger: Logger) {
    this.#config = config;
    this.#site = site;
    const nowMs = Date.now;
    const file = config.tablesFile ?? defaultTablesFile(config.folder, config.gatewayId);
    this.#file = new TablesFile({
      file,
      everyMs: config.tablesEveryMs,
      tables: this.#tables,
      logger,
    });
    this.#freshness = new Freshness({ staleAfterMs: config.staleAfterMs, nowMs });
    this.#router = new Router(this.#tables, site.geo.table);
    site.geo.onSwap((table) => this.#router.useGeo(table));
    this.#services = new ServiceFinder(this.#tables.policies, config.defaultService);
    this.#clients = new ClientReader(clientAddressOptions(config.proxies));
    this.#recorder = new EdgeRecorder({
      seenBy: config.gatewayId,
      synthetic: config.synthetic,
      nowMs,
    });
    this.#sums = new CellSums(config.gatewayId);
    this.#redirector = new Redirector({
      router: this.#router,
      services: this.#services,
      clients: this.#clients,
      recorder: this.#recorder,
      sums: this.#sums,
      signingKey: (atMs) => site.keys.signingKey(atMs),
      isOurToken: (token) =>
        verifySignature(token, { keys: site.keys.keys, nowMs: nowMs() }).kind === "accepted",
      isStale: () => this.#freshness.stale,
      nowMs,
      tokenLifetimeMs: config.tokenLifetimeSeconds * 1_000,
      debugHeaders: config.debugHeaders,
    });
    const onFault = faultLog(logger);
    const isTrusted = (address: string): boolean => this.#clients.isTrusted(address);
    this.#public = new BoundedServer({
      host: config.host,
      port: config.port,
      isTrusted,
      maxConnectionsPerAddress: config.maxConnectionsPerAddress,
      onFault,
      onRequest: (request, response) => this.#handle(request, response),
    });
    this.#admin = new BoundedServer({
      host: config.adminHost,
      port: config.adminPort,
      isTrusted,
      onFault,
      onRequest: (request, response) => this.#handleAdmin(request, response),
    });
  }

  /** Loads the kept tables and listens; gives the ports. The log may be away. */
  async start(): Promise<{ readonly port: number; readonly adminPort: number }> {
    await this.#file.load();
    const port = await this.#public.listen();
    const adminPort = await this.#admin.listen();
    this.#timer = setInterval(() => this.#closeSums(), sumMs);
    this.#partTimer = setInterval(() => this.#sendSums(this.#sumsPerPart), sumMs / (sumParts + 2));
    return { port, adminPort };
  }

  /** The log was reached: follows its tables and writes events to it. */
  attach(log: Log): void {
    if (this.#file.logId !== "" && this.#file.logId !== log.logId) this.#tables.clear();
    const { gatewayId } = this.#config;
    this.#follower = new TableFollower({
      log,
      views: this.#tables.views,
      onReplaced: () => this.#tables.clear(),
      onChanged: () => this.#file.changed(log.logId),
      onCaughtUp: () => this.#freshness.caughtUp(),
      onState: (connected) => this.#freshness.reach(connected),
    });
    this.#pulse = new EnginePulse({ log, onPulse: (answered) => this.#freshness.reach(answered) });
    this.#producer = new EventProducer({ log, flushMs, batchMs, name: `edge/${gatewayId}` });
    this.#recorder.attach(this.#producer);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#partTimer);
    await this.#public.close();
    await this.#admin.close();
    this.#closeSums();
    this.#sendSums(this.#closedSums.length);
    await this.#producer?.close();
    await this.#pulse?.close();
    this.#follower?.close();
    await this.#file.close();
    this.#site.close();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = "" } = request;
    if (url.startsWith("/_opencdn/")) {
      if (method === "GET" && pathOf(url) === "/_opencdn/health") {
        sendJson(response, 200, { status: "ok", stale: this.#freshness.stale });
      } else refuse(response, 404, "NOT_FOUND");
    } else if (method === "GET" || method === "HEAD") {
      this.#redirector.handle(request, response);
    } else if (method === "POST" && pathOf(url) === sessionPath) {
      this.#giveSession(request, response);
    } else {
      refuse(response, 405, "METHOD", ["Allow", "GET, HEAD"]);
    }
  }

  #giveSession(request: IncomingMessage, response: ServerResponse): void {
    const startedMs = performance.now();
    const head = { host: undefined, forwarded: undefined, forwardedFor: undefined };
    readHead(request.rawHeaders, head);
    const address = this.#clients.addressOf(request.socket, head);
    const serviceId = this.#services.find(head.host);
    if (address === undefined || serviceId === undefined) {
      refuse(response, 404, "UNKNOWN_SERVICE");
      return;
    }
    const route = this.#router.route(serviceId, address.family, address.bytes);
    const { origin, nodeId, reason, blockLength } = route;
    const given =
      origin !== undefined &&
      giveSession(
        request,
        response,
        { nodeId, origin, serviceId },
        { address, blockLength },
        {
          signingKey: (atMs) => this.#site.keys.signingKey(atMs),
          nowMs: Date.now,
          lifetimeMs: this.#config.tokenLifetimeSeconds * 1_000,
        },
      );
    if (!given) refuse(response, 503, origin === undefined ? reason : "NO_KEY");
    else this.#sums.add(demandCellOf(route), serviceId, nodeId, 0);
    this.#recorder.record(
      {
        action: given ? "REDIRECTED" : "REFUSED",
        nodeId: given ? nodeId : "",
        serviceId,
        sessionId: this.#recorder.nextId(),
        block: formatBlock(address.family, address.bytes, blockLength),
        reason,
        status: given ? 200 : 503,
        bytesSent: 0,
        durationMs: performance.now() - startedMs,
        stale: this.#freshness.stale,
      },
      route,
      this.#router.geo.hash.slice(0, 16),
    );
  }

  #handleAdmin(request: IncomingMessage, response: ServerResponse): void {
    answerAdmin(request, response, {
      health: () => this.#health(),
      isReady: () => this.#tables.nodes.size > 0 && this.#tables.policies.size > 0,
      serviceOf: (service) => service ?? this.#config.defaultService,
      explain: (serviceId, address) =>
        explain(this.#router, this.#tables, { serviceId, address, stale: this.#freshness.stale }),
    });
  }

  #health(): Readonly<Record<string, unknown>> {
    const { nodes, policies, overlay, decisions } = this.#tables;
    return {
      status: "ok",
      gatewayId: this.#config.gatewayId,
      engine: this.#freshness.connected ? "connected" : "away",
      stale: this.#freshness.stale,
      tables: {
        nodes: nodes.size,
        services: policies.size,
        overlay: overlay.size,
        decisions: decisions.size,
      },
      eventsLost: this.#recorder.lost,
      eventsAcknowledged: this.#producer?.acknowledged ?? 0,
      undecodable: this.#follower?.undecodable ?? 0,
      refusedConnections: this.#public.refusedConnections,
      geoHash: this.#router.geo.hash,
      geoProblem: this.#site.geo.problem?.message ?? null,
      keyRingProblem: this.#site.keys.problem?.message ?? null,
    };
  }

  /** Closes the sums of this second; they leave in small parts until the next, so that no request waits for them. */
  #closeSums(): void {
    const nowMs = performance.now();
    const intervalMs = Math.max(1, Math.round(nowMs - this.#sumsSinceMs));
    this.#sumsSinceMs = nowMs;
    this.#sendSums(this.#closedSums.length);
    this.#closedSums = this.#sums.take(intervalMs);
    this.#closedMs = Date.now();
    this.#sumsPerPart = Math.ceil(this.#closedSums.length / sumParts);
  }

  #sendSums(count: number): void {
    for (let sent = 0; sent < count; sent++) {
      const sum = this.#closedSums.pop();
      if (sum === undefined) return;
      this.#producer?.send(cellRequests, sum.cell, sum, this.#closedMs);
    }
  }
}
