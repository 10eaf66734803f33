import { mkdir } from "node:fs/promises";
import { OpenCdnError } from "../../streams/errors.ts";
import { planConnect } from "./connect-server.ts";
import { planKafka } from "./kafka-server.ts";
import { checkFree, choosePorts, readPorts, type WantedPorts, writePorts } from "./ports.ts";
import { type Program, requirePrograms } from "./program.ts";
import { isProvisioned, type Provisioned, provision } from "./provision.ts";
import { planRedis } from "./redis-server.ts";
import { planRegistry } from "./registry-server.ts";
import { type RunRecord, readRun } from "./run-file.ts";
import {
  type ServerName,
  type ServerPlan,
  type StackPorts,
  type StackSite,
  serverNames,
  serverNeeds,
  stackPlaces,
  withNeeds,
} from "./server-plan.ts";
import { withLock } from "./stack-lock.ts";
import { readVersions } from "./stack-versions.ts";
import { launch, stopServer, tailOf, untilHealthy } from "./supervise.ts";

/** Longest wait until a server is well: a slow machine with a large log needs it. */
const healthyMs = 120_000;
/** Longest wait for a server's orderly end. */
const stopMs = 20_000;
const statusCheckMs = 2_000;

/** What happens, as it happens. */
export type StackEvent =
  | { readonly kind: "fetching"; readonly folder: string }
  | { readonly kind: "fetched"; readonly sizeBytes: number; readonly elapsedMs: number }
  | { readonly kind: "starting"; readonly server: ServerName; readonly pid: number }
  | ({ readonly kind: "running"; readonly tookMs: number | undefined } & RunRecord)
  | { readonly kind: "failed"; readonly server: ServerName; readonly lines: readonly string[] }
  | { readonly kind: "stopped"; readonly server: ServerName; readonly how: string };

export interface StackOptions {
  /** Folder of the configuration files. */
  readonly docker: string;
  /** Folder of what the servers keep. */
  readonly data: string;
  readonly tell: (event: StackEvent) => void;
}

export interface UpStackOptions extends StackOptions {
  readonly cache: string;
  /** What is to run; what it needs runs too. */
  readonly servers: readonly ServerName[];
  readonly ports: WantedPorts;
}

/** How a server is. `dead`: it was started, and ended without being told to. */
export interface ServerStatus {
  readonly server: ServerName;
  readonly state: "healthy" | "unhealthy" | "dead" | "stopped";
  readonly pid?: number;
  readonly port?: number;
  readonly version?: string;
  readonly logFile?: string;
}

/** Starts what does not run yet and resolves to the ports when all of it is well. */
export async function upStack(options: UpStackOptions): Promise<StackPorts> {
  const servers = withNeeds(options.servers);
  const jvm = servers.some((name) => name !== "redis");
  const programs: Program[] = [];
  if (jvm) programs.push("java");
  if (jvm && !(await isProvisioned(options))) programs.push("mvn");
  if (servers.includes("redis")) programs.push("redis-server");
  requirePrograms(programs, process.env["PATH"]);
  const places = stackPlaces(options.data);
  await mkdir(places.run, { recursive: true, mode: 0o700 });
  return await withLock(places.lock, async () => {
    const ports = await choosePorts(options.ports, await readPorts(places.ports));
    await writePorts(places.ports, ports);
    const { dist, versions } = jvm ? await fetched(options) : await withoutJars(options);
    const site: StackSite = { docker: options.docker, dist, data: options.data, ports, versions };
    const started = new Map<ServerName, Promise<void>>();
    for (const name of servers) {
      const needs = serverNeeds[name].map((one) => started.get(one));
      started.set(
        name,
        Promise.all(needs).then(() => startServer(site, name, options.tell)),
      );
    }
    const results = await Promise.allSettled(started.values());
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return ports;
  });
}

function fetched({ docker, cache, tell }: UpStackOptions): Promise<Provisioned> {
  return provision({
    docker,
    cache,
    onFetch: (folder) => tell({ kind: "fetching", folder }),
    onProgress: (sizeBytes, elapsedMs) => tell({ kind: "fetched", sizeBytes, elapsedMs }),
  });
}

async function withoutJars({ docker, data }: UpStackOptions): Promise<Provisioned> {
  return { dist: data, versions: await readVersions(docker) };
}

const planners: Readonly<Record<ServerName, (site: StackSite) => Promise<ServerPlan>>> = {
  kafka: planKafka,
  redis: planRedis,
  registry: planRegistry,
  connect: planConnect,
};

async function startServer(
  site: StackSite,
  name: ServerName,
  tell: StackOptions["tell"],
): Promise<void> {
  const places = stackPlaces(site.data);
  const beganMs = performance.now();
  const plan = await planners[name](site);
  const run = await readRun(places.run, name);
  const runs = run?.alive === true;
  if (runs && run.record.port !== plan.port) {
    throw new OpenCdnError(
      "OCDN_CONFIG",
      `starting ${name}: it runs on port ${run.record.port} already; \`opencdn stack down\` stops it`,
    );
  }
  if (!runs) {
    await checkFree(name, plan.port);
    if (name === "kafka") await checkFree("controller", site.ports.controller);
  }
  const options = { logFile: places.log(name), runFolder: places.run };
  const record = runs ? run.record : await launch(plan, options);
  if (!runs) tell({ kind: "starting", server: name, pid: record.pid });
  try {
    await untilHealthy(plan, record, healthyMs);
  } catch (error) {
    tell({ kind: "failed", server: name, lines: await tailOf(record.logFile) });
    if (!runs) await stopServer(record, { runFolder: places.run, withinMs: stopMs });
    throw error;
  }
  const tookMs = runs ? undefined : Math.round(performance.now() - beganMs);
  tell({ kind: "running", tookMs, ...record });
}

/** Ends everything that runs, what needs others first. */
export async function downStack({ data, tell }: StackOptions): Promise<void> {
  const places = stackPlaces(data);
  await mkdir(places.run, { recursive: true, mode: 0o700 });
  await withLock(places.lock, async () => {
    for (const server of [...serverNames].reverse()) {
      const run = await readRun(places.run, server);
      if (run === undefined) continue;
      const how = await stopServer(run.record, { runFolder: places.run, withinMs: stopMs });
      tell({ kind: "stopped", server, how });
    }
  });
}

/** How each server is. */
export async function stackStatus(options: Omit<StackOptions, "tell">): Promise<ServerStatus[]> {
  const places = stackPlaces(options.data);
  const ports = await readPorts(places.ports);
  const versions = await readVersions(options.docker);
  return await Promise.all(
    serverNames.map(async (server): Promise<ServerStatus> => {
      const run = await readRun(places.run, server);
      if (run === undefined || ports === undefined) return { server, state: "stopped" };
      const { pid, port, version, logFile } = run.record;
      const known = { server, port, version, logFile };
      if (!run.alive) return { ...known, state: "dead" };
      const site = { docker: options.docker, dist: options.data, data: options.data, versions };
      const plan = await planners[server]({ ...site, ports: { ...ports, [server]: port } });
      const state = await plan.check(statusCheckMs).then(
        () => "healthy" as const,
        () => "unhealthy" as const,
      );
      return { ...known, state, pid };
    }),
  );
}
