import { createServer } from "node:net";
import path from "node:path";
import { edgeSchema, nodeSchema } from "../gateways/edge/config.ts";
import { vantageSchema } from "../gateways/probes/config.ts";
import { sinksSchema } from "../sinks/config.ts";
import { messageOf, OpenCdnError } from "../streams/errors.ts";
import { readConfig } from "../streams/read-config.ts";
import { engineSchema } from "./engine-main.ts";
import type { Fleet } from "./fleet.ts";
import { packageFolder, places, type Settings } from "./settings.ts";

/** One process to start: its module in `dist` and its configuration. */
export interface PlannedProcess {
  readonly name: string;
  readonly role: "engine" | "edge" | "node" | "vantage" | "sinks";
  readonly module: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Ports {
  readonly edge: number;
  readonly admin: number;
  readonly metrics: number;
  readonly nodes: ReadonlyMap<string, number>;
}

/** Of the default databases; other databases want other words. */
export const geoAttribution =
  "IP geolocation by DB-IP (https://db-ip.com) and AS numbers by RouteViews and DB-IP, CC BY 4.0";

/** Where the vantage processes of one machine stand; in the demonstration their places are modelled. */
const vantages = [
  { name: "vantage-eu", cell: "DE", latitude: 50.1, longitude: 8.7 },
  { name: "vantage-us", cell: "US", latitude: 39, longitude: -77.5 },
  { name: "vantage-as", cell: "JP", latitude: 35.7, longitude: 139.7 },
];

/** Distance of two rounds of path measurements in the demonstration. */
const demonstrationPathMs = 30_000;

/** First of the ports of the demonstration's nodes, after the gateway's. */
const firstNodePort = 11;

/** The ports that follow the gateway's, or free ones for port 0. Throws OCDN_CONFIG for one that is taken. */
export async function choosePorts(settings: Settings, fleet: Fleet): Promise<Ports> {
  const nodes = settings.demonstration.nodes ? [...fleet.nodes.keys()] : [];
  if (settings.port === 0) {
    const free = await freePorts(3 + nodes.length);
    const [edge, admin, metrics, ...rest] = free as [number, number, number, ...number[]];
    return {
      edge,
      admin,
      metrics,
      nodes: new Map(nodes.map((name, i) => [name, rest[i] as number])),
    };
  }
  const base = settings.port;
  const ports: Ports = {
    edge: base,
    admin: base + 1,
    metrics: base + 2,
    nodes: new Map(nodes.map((name, i) => [name, base + firstNodePort + i])),
  };
  for (const wanted of [ports.edge, ports.admin, ports.metrics, ...ports.nodes.values()]) {
    await checkFree(wanted);
  }
  return ports;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function checkFree(port: number): Promise<void> {
  try {
    const server = await listen(port);
    await new Promise((resolve) => server.close(resolve));
  } catch (error) {
    throw new OpenCdnError(
      "OCDN_CONFIG",
      `starting: port ${port} of 127.0.0.1 cannot be used (${messageOf(error)}); choose others with --port, or --port 0 for free ones`,
      { cause: error },
    );
  }
}

function listen(port: number): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** Every process of one machine, checked before any of them starts. */
export function planProcesses(settings: Settings, fleet: Fleet, ports: Ports): PlannedProcess[] {
  const at = places(settings.data);
  const dist = path.join(packageFolder(), "dist");
  const site = { geo: { cacheFolder: at.geo }, keyRing: { file: at.keys } };
  const demo = settings.demonstration;
  const engine = {
    folder: at.log,
    slots: settings.slots,
    retentionMs: Math.round(settings.retentionHours * 3_600_000),
    processors: settings.processors,
  };
  const edge = {
    folder: at.log,
    port: ports.edge,
    adminPort: ports.admin,
    tablesFile: path.join(at.run, "edge-1.tables"),
    defaultService: [...fleet.services.keys()][0],
    ...(demo.nodes
      ? { debugHeaders: true, synthetic: true, proxies: { trusted: ["127.0.0.0/8"] } }
      : {}),
    ...site,
    ...settings.edge,
  };
  readConfig(engineSchema, engine, "the engine");
  readConfig(edgeSchema, edge, "the access gateway");
  const sinks = {
    folder: at.log,
    metricsPort: ports.metrics,
    attribution: geoAttribution,
    ...settings.sinks,
  };
  readConfig(sinksSchema, sinks, "the sinks");
  const edgeUrl = `http://127.0.0.1:${ports.edge}`;
  const adminUrl = `http://127.0.0.1:${ports.admin}/_opencdn/health`;
  return [
    {
      name: "engine",
      role: "engine",
      module: path.join(dist, "cli/engine-main.js"),
      config: engine,
    },
    {
      name: "edge-1",
      role: "edge",
      module: path.join(dist, "gateways/edge/main.js"),
      config: edge,
    },
    ...nodeProcesses(fleet, ports, { folder: at.log, edgeUrl, dist, site }),
    ...vantages.map((vantage, part): PlannedProcess => {
      const config = {
        folder: at.log,
        ...vantage,
        canaries: [adminUrl],
        // Modelled paths do not change: a round in half a minute, after the first, keeps the log small.
        ...(demo.nodes ? { pathIntervalMs: demonstrationPathMs } : {}),
        ...(demo.nodes ? { demonstration: { seed: demo.seed, part, parts: vantages.length } } : {}),
      };
      readConfig(vantageSchema, config, `vantage process ${vantage.name}`);
      return {
        name: vantage.name,
        role: "vantage",
        module: path.join(dist, "gateways/probes/main.js"),
        config,
      };
    }),
    {
      name: "sinks",
      role: "sinks",
      module: path.join(dist, "sinks/main.js"),
      config: sinks,
    },
  ];
}

function nodeProcesses(
  fleet: Fleet,
  ports: Ports,
  options: {
    readonly folder: string;
    readonly edgeUrl: string;
    readonly dist: string;
    readonly site: object;
  },
): PlannedProcess[] {
  return [...ports.nodes].map(([nodeId, port]): PlannedProcess => {
    const config = {
      folder: options.folder,
      nodeId,
      port,
      place: fleet.nodes.get(nodeId)?.place ?? "",
      bootstrapUrl: options.edgeUrl,
      metricsScope: "process",
      synthetic: true,
      debugHeaders: true,
      proxies: { trusted: ["127.0.0.0/8"] },
      ...options.site,
    };
    readConfig(nodeSchema, config, `node ${nodeId}`);
    return {
      name: nodeId,
      role: "node",
      module: path.join(options.dist, "gateways/edge/node-main.js"),
      config,
    };
  });
}

/** The demonstration's fleet with the ports that its nodes got. */
export function withPorts(fleet: Fleet, ports: Ports): Fleet {
  const nodes = new Map(
    [...fleet.nodes].map(([nodeId, node]) => {
      const port = ports.nodes.get(nodeId);
      return [nodeId, port === undefined ? node : { ...node, baseUrl: `http://127.0.0.1:${port}` }];
    }),
  );
  return { ...fleet, nodes };
}
