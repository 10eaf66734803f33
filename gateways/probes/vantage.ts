import type { Agent } from "node:http";
import type { Place } from "../../domain/geo-table.ts";
import type { Log } from "../../streams/log.ts";
import { EventProducer } from "../../streams/producer.ts";
import { nodeHealth, pathSamples } from "../../streams/topics.ts";
import { TableFollower } from "../site/table-follower.ts";
import type { VantageConfig } from "./config.ts";
import { HealthProber } from "./health-prober.ts";
import { check, pathAgent, type TunnelOptions } from "./http-check.ts";
import { LatencyProxy } from "./latency-proxy.ts";
import { NodeTargets } from "./node-targets.ts";
import { PathProber } from "./path-prober.ts";
import { placesOfPart } from "./places.ts";

/** Verdicts of a minute: what is older says nothing about now, so it is not kept for an engine that is away. */
const maxWaitingBytes = 65_536;

/** Wait for the log to take the last verdicts at an orderly stop. */
const flushMs = 1_000;

/** Cell name under which the health traffic of a process passes the delay proxy. */
const ownPlace = "self";

/**
 * One vantage point: checks every node of the inventory twice a second, measures paths, and writes verdicts and
 * samples. In the demonstration all of it passes a delay proxy and the paths stand for cells of many countries.
 */
export class Vantage {
  readonly #config: VantageConfig;
  readonly #targets = new NodeTargets();
  readonly #places: ReadonlyMap<string, Place>;
  readonly #proxy: LatencyProxy | undefined;
  readonly #health: HealthProber;
  readonly #paths: PathProber;
  #proxyPort = 0;
  #producer: EventProducer | undefined;
  #follower: TableFollower | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: VantageConfig) {
    this.#config = config;
    const { demonstration, name, cell } = config;
    const own: Place = { latitude: config.latitude, longitude: config.longitude };
    const places =
      demonstration === undefined ? [] : placesOfPart(demonstration.part, demonstration.parts);
    this.#places = new Map<string, Place>([
      ...places.map((one) => [one.cell, one] as const),
      [ownPlace, own],
    ]);
    this.#proxy =
      demonstration === undefined
        ? undefined
        : new LatencyProxy({
            seed: demonstration.seed,
            placeOf: (from) => this.#places.get(from),
            targetOf: (nodeId) => this.#targets.proxied(nodeId),
          });
    this.#health = new HealthProber({
      vantage: name,
      nodeIds: () => [...this.#targets.keys()],
      checkNode: (nodeId) => this.#checkNode(nodeId),
      checkCanary: (withinMs) => this.#checkCanaries(withinMs),
      checkTimeoutMs: config.checkTimeoutMs,
      write: (verdict) => this.#producer?.send(nodeHealth, verdict.nodeId, verdict, Date.now()),
    });
    this.#paths = new PathProber({
      vantage: name,
      cells: demonstration === undefined ? [cell] : places.map((one) => one.cell),
      targets: () => this.#targets.urls,
      agentOf: (from, nodeId) => this.#agent({ nodeId, from, carry: "datagram" }),
      synthetic: demonstration !== undefined,
      isBlind: () => this.#health.blind,
      write: (sample) => this.#producer?.send(pathSamples, sample.cell, sample, Date.now()),
      intervalMs: config.pathIntervalMs,
    });
  }

  /** Opens the delay proxy; nothing is checked before the log was reached. */
  async start(): Promise<void> {
    if (this.#proxy !== undefined) this.#proxyPort = await this.#proxy.listen();
    this.#timer = setInterval(() => void this.#health.round(), this.#config.checkIntervalMs);
  }

  /** The log was reached: learns the nodes from it and writes to it. */
  attach(log: Log): void {
    const { name } = this.#config;
    this.#producer = new EventProducer({
      log,
      name: `probes/${name}`,
      flushMs,
      queueBytes: maxWaitingBytes,
    });
    this.#follower = new TableFollower({
      log,
      views: [this.#targets as never],
      onChanged: () => this.#paths.refresh(),
      onCaughtUp: () => {
        this.#paths.refresh();
        void this.#health.round();
      },
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#paths.close();
    this.#follower?.close();
    await this.#proxy?.close();
    await this.#producer?.close();
  }

  async #checkNode(nodeId: string): Promise<Awaited<ReturnType<typeof check>>> {
    const url = this.#targets.urls.get(nodeId);
    if (url === undefined) return { kind: "refused", reason: "REMOVED" };
    const agent = this.#agent({ nodeId, from: ownPlace, carry: "stream" });
    const result = await check({ url, timeoutMs: this.#config.checkTimeoutMs, agent });
    agent.destroy();
    return result;
  }

  async #checkCanaries(timeoutMs: number): Promise<boolean> {
    const { canaries } = this.#config;
    const asked = canaries.map(async (canary) => {
      const result = await check({ url: new URL(canary), timeoutMs });
      if (result.kind !== "answered") throw new Error("silent");
    });
    return Promise.any(asked).then(
      () => true,
      () => false,
    );
  }

  #agent(tunnel: Omit<TunnelOptions, "proxyPort">): Agent {
    return pathAgent(
      this.#proxy === undefined ? undefined : { ...tunnel, proxyPort: this.#proxyPort },
    );
  }
}
