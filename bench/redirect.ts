import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cellKey } from "../domain/cell.ts";
import { seededRandom } from "../domain/distance.ts";
import type { GeoTable } from "../domain/geo-table.ts";
import { geoOptions, geoSchema } from "../gateways/site/config.ts";
import { openGeo } from "../gateways/site/geo-loader.ts";
import { createKeyRing } from "../gateways/site/key-ring.ts";
import { connectLog } from "../streams/embedded/client.ts";
import type { Log } from "../streams/log.ts";
import { EventProducer } from "../streams/producer.ts";
import { edgeEvents, nodeInventory, routeDecisions, servicePolicies } from "../streams/topics.ts";
import { makeFeed } from "./mrt-feed.ts";
import type { ChildReport, ChildRole } from "./redirect-child.ts";
import { drawClients } from "./redirect-clients.ts";
import { Load, percentile } from "./redirect-load.ts";
import { type BenchOptions, type BenchResult, median, printTable } from "./result.ts";

const seed = 20_261_124;
const connections = 64;
const warmUpSeconds = 2;
const nodes = ["FRA", "IAD", "SAO", "TYO"];
const maxFineDecisions = 20_000;
const feedRoutes = 400_000;
/** What our Location looks like: an origin, the target and a token of this length. */
const typicalLocation = `http://tyo.example/assets/app.js?v=3&ocdn-token=${"A".repeat(103)}`;
const childFile = join(fileURLToPath(new URL(".", import.meta.url)), "redirect-child.ts");

/** A process of the bench. */
class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<never>;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#ended = once(process, "exit").then(([code]) => {
      throw new Error(`a process of the bench ended with ${code}`);
    });
    this.#ended.catch(() => undefined);
  }

  static async start(role: ChildRole): Promise<{ child: Child; facts: ChildReport["facts"] }> {
    const child = new Child(fork(childFile, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
    child.#process.send(role);
    const { facts } = await child.#next();
    return { child, facts };
  }

  report(): Promise<ChildReport> {
    this.#process.send("report");
    return this.#next();
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.send("stop");
    await once(this.#process, "exit");
  }

  async #next(): Promise<ChildReport> {
    const [report] = (await Promise.race([once(this.#process, "message"), this.#ended])) as [
      ChildReport,
    ];
    return report;
  }
}

/** Everything that runs for the bench. */
interface Stage {
  readonly folder: string;
  readonly log: Log;
  readonly engine: Child;
  readonly edge: Child;
  readonly bare: Child;
  readonly edgePort: number;
  readonly barePort: number;
  readonly adminPort: number;
  readonly requests: readonly Buffer[];
  readonly blocks: number;
}

/**
 * 302/s per CPU second of the access gateway, with the edge event of every redirect written to an embedded log
 * with fsync by a process of its own, against a bare `node:http` server that answers a constant 302; then the
 * latency at half of that load while MRT files are ingested beside it.
 */
export async function run({ quick }: BenchOptions): Promise<BenchResult> {
  const stage = await setUp(quick ? 20_000 : 200_000);
  try {
    const rounds = quick ? 3 : 5;
    const seconds = quick ? 3 : 8;
    const figures = await race(stage, rounds, seconds);
    const half = await atHalfLoad(stage, quick ? 6 : 20);
    return await conclude(stage, figures, half);
  } finally {
    await Promise.all([stage.edge.stop(), stage.bare.stop()]);
    await stage.log.close();
    await stage.engine.stop();
    rmSync(stage.folder, { recursive: true, force: true });
  }
}

async function setUp(requestCount: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "opencdn-bench-redirect-"));
  const data = join(folder, "data");
  const keyRing = join(folder, "keys.json");
  await createKeyRing(keyRing, { nowMs: Date.now() });
  const geoConfig = geoSchema.parse({ cacheFolder: join(tmpdir(), "opencdn-bench-geo") });
  const geo = await openGeo(geoOptions(geoConfig, folder));
  geo.close();
  const { addresses, blocks } = drawClients(geo.table, requestCount, seed);
  const { child: engine } = await Child.start({ kind: "engine", folder: data });
  const log = await connectLog({ folder: data, name: "bench" });
  await writeFleet(log, geo.table);
  const config = {
    folder: data,
    port: 0,
    adminPort: 0,
    defaultService: "web",
    keyRing: { file: keyRing },
    geo: geoConfig,
    proxies: { trusted: ["127.0.0.1/32"] },
  };
  const { child: edge, facts } = await Child.start({ kind: "edge", config });
  const { child: bare, facts: bareFacts } = await Child.start({
    kind: "bare",
    location: typicalLocation,
  });
  const adminPort = facts["adminPort"] as number;
  await untilFresh(adminPort);
  return {
    folder,
    log,
    engine,
    edge,
    bare,
    edgePort: facts["port"] as number,
    barePort: bareFacts["port"] as number,
    adminPort,
    requests: addresses.map(requestOf),
    blocks,
  };
}

function requestOf(address: string): Buffer {
  return Buffer.from(
    `GET /assets/app.js?v=3 HTTP/1.1\r\nHost: www.example\r\nX-Forwarded-For: ${address}\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n`,
  );
}

/** Four nodes, a policy, and decisions for every country and for some thousands of narrower cells. */
async function writeFleet(log: Log, geo: GeoTable): Promise<void> {
  const producer = new EventProducer({ log, name: "bench-fleet", queueBytes: 64 * 1_048_576 });
  const nowMs = Date.now();
  for (const nodeId of nodes) {
    const place = { country: "US", region: "", jurisdiction: "US", latitude: 0, longitude: 0 };
    const rest = { serviceTimeMs: 1, prefixes: [], originAsns: [], protocols: [], synthetic: true };
    const baseUrl = `http://${nodeId.toLowerCase()}.example`;
    const value = { nodeId, place: nodeId, ...rest, ...place, baseUrl, capacityRps: 1_000 };
    producer.send(
      nodeInventory,
      nodeId,
      { ...value, country: place.country, place: nodeId },
      nowMs,
    );
  }
  producer.send(servicePolicies, "web", policy(), nowMs);
  const random = seededRandom(seed);
  let fine = 0;
  for (let cell = 0; cell < geo.cellCount; cell++) {
    const name = geo.nameOf(cell);
    const isCountry = !name.includes("/");
    if (!isCountry && (fine >= maxFineDecisions || random() > 0.2)) continue;
    if (!isCountry) fine += 1;
    const shares = nodes.map(() => random());
    const total = shares.reduce((sum, share) => sum + share, 0);
    const value = {
      serviceId: "web",
      cell: name,
      version: 1,
      candidates: nodes.map((nodeId, at) => ({ nodeId, fraction: (shares[at] as number) / total })),
      flagged: false,
      reason: "",
      ttlSeconds: 30,
    };
    producer.send(routeDecisions, cellKey(name, "web"), value, nowMs);
  }
  await producer.close();
}

function policy() {
  return {
    serviceId: "web",
    hostnames: ["www.example"],
    permittedNodes: [],
    forbiddenNodes: [],
    residency: [],
    nodeWeights: [],
    floorNodes: 1,
    ttlSeconds: 30,
    maxStepRatio: 1,
    version: 1,
  };
}

interface Health {
  readonly stale: boolean;
  readonly eventsLost: number;
  readonly eventsAcknowledged: number;
}

async function healthOf(adminPort: number): Promise<Health> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/_opencdn/health`);
  return (await answer.json()) as Health;
}

async function untilFresh(adminPort: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (!(await healthOf(adminPort)).stale) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the gateway did not catch up");
}

interface Figures {
  /** 302/s per CPU second. */
  readonly ours: number;
  readonly rival: number;
  /** Of the two, round by round: the machine's mood is the same for both. */
  readonly ratio: number;
  readonly throughput: number;
  readonly rivalThroughput: number;
  /** CPU seconds of the engine's process for each CPU second of the gateway's. */
  readonly engineShare: number;
  readonly rssMb: number;
  answered: number;
}

interface Lap {
  readonly perCpuSecond: number;
  readonly throughput: number;
  readonly cpuSeconds: number;
  readonly engineCpuSeconds: number;
  readonly answers: number;
}

async function race(stage: Stage, rounds: number, seconds: number): Promise<Figures> {
  const ours: Lap[] = [];
  const rival: Lap[] = [];
  let answered = 0;
  for (let round = -1; round < rounds; round++) {
    const before = await lap(stage, stage.bare, stage.barePort, seconds / 2);
    const own = await lap(stage, stage.edge, stage.edgePort, seconds);
    const after = await lap(stage, stage.bare, stage.barePort, seconds / 2);
    answered += own.answers;
    if (round < 0) continue;
    ours.push(own);
    rival.push(both(before, after));
  }
  const { rssMb } = await stage.edge.report();
  return {
    ours: median(ours.map(({ perCpuSecond }) => perCpuSecond)),
    rival: median(rival.map(({ perCpuSecond }) => perCpuSecond)),
    ratio: median(ours.map((own, at) => own.perCpuSecond / (rival[at] as Lap).perCpuSecond)),
    throughput: median(ours.map(({ throughput }) => throughput)),
    rivalThroughput: median(rival.map(({ throughput }) => throughput)),
    engineShare: median(
      ours.map(({ cpuSeconds, engineCpuSeconds }) => engineCpuSeconds / cpuSeconds),
    ),
    rssMb,
    answered,
  };
}

async function lap(stage: Stage, child: Child, port: number, seconds: number): Promise<Lap> {
  const before = await child.report();
  const engineBefore = await stage.engine.report();
  const load = new Load({ port, requests: stage.requests, connections, seconds });
  const result = await load.run();
  // What still waits to be written belongs to this lap.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const cpuSeconds = (await child.report()).cpuSeconds - before.cpuSeconds;
  const engineCpuSeconds = (await stage.engine.report()).cpuSeconds - engineBefore.cpuSeconds;
  if (result.failures > 0) throw new Error(`${result.failures} answers were no redirects`);
  return {
    perCpuSecond: result.answers / cpuSeconds,
    throughput: result.answers / result.seconds,
    cpuSeconds,
    engineCpuSeconds,
    answers: result.answers,
  };
}

/** One lap of two. */
function both(one: Lap, other: Lap): Lap {
  const answers = one.answers + other.answers;
  const cpuSeconds = one.cpuSeconds + other.cpuSeconds;
  return {
    perCpuSecond: answers / cpuSeconds,
    throughput: (one.throughput + other.throughput) / 2,
    cpuSeconds,
    engineCpuSeconds: one.engineCpuSeconds + other.engineCpuSeconds,
    answers,
  };
}

interface HalfLoad {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** 99th percentile of the bare server at the same rate beside the same work: what the machine alone costs. */
  readonly bareP99: number;
  readonly answers: number;
  readonly ingested: number;
}

/** Half of what the gateway can carry while the other work runs: the cores are shared. */
async function atHalfLoad(stage: Stage, seconds: number): Promise<HalfLoad> {
  const feed = makeFeed(feedRoutes);
  const files = feed.files.map(({ path }) => path);
  const { child: ingest } = await Child.start({ kind: "ingest", files });
  const records = async (): Promise<number> => (await ingest.report()).facts["records"] ?? 0;
  const { requests } = stage;
  try {
    // The first seconds are those of a new process.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const full = await new Load({ port: stage.edgePort, requests, connections, seconds: 4 }).run();
    const rate = full.answers / full.seconds / 2;
    const bare = { port: stage.barePort, requests, connections, seconds, rate, warmUpSeconds };
    const { latencies } = await new Load(bare).run();
    const before = await records();
    const result = await new Load({ ...bare, port: stage.edgePort }).run();
    const ingested = (await records()) - before;
    if (result.failures > 0) throw new Error(`${result.failures} answers were no redirects`);
    return {
      rate: result.answers / result.seconds,
      p50: percentile(result.latencies, 0.5),
      p99: percentile(result.latencies, 0.99),
      bareP99: percentile(latencies, 0.99),
      answers: result.answers + result.warmUpAnswers,
      ingested: ingested / result.seconds,
    };
  } finally {
    await ingest.stop();
    rmSync(feed.folder, { recursive: true, force: true });
  }
}

async function conclude(stage: Stage, figures: Figures, half: HalfLoad): Promise<BenchResult> {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const { eventsLost, eventsAcknowledged } = await healthOf(stage.adminPort);
  const stored = (await stage.log.status())
    .filter(({ topic }) => topic === edgeEvents.name)
    .reduce((sum, { endOffset }) => sum + endOffset, 0);
  printTable([
    { server: "access gateway", "302/s per CPU s": figures.ours, "302/s": figures.throughput },
    {
      server: "bare node:http",
      "302/s per CPU s": figures.rival,
      "302/s": figures.rivalThroughput,
    },
  ]);
  process.stdout.write(
    `${stage.requests.length} clients drawn uniformly over ${stage.blocks} blocks, seed ${seed}, ${connections} connections, no pipelining, ${cpus().length} cores\n` +
      `the engine's process used ${figures.engineShare.toFixed(2)} CPU seconds for each of the gateway's; gateway ${figures.rssMb} MB\n` +
      `events: ${stored} in the log, ${eventsAcknowledged} acknowledged, ${eventsLost} lost, of at least ${figures.answered + half.answers} redirects\n` +
      `half load beside \`ingest mrt\`: ${half.rate.toFixed(0)}/s, p50 ${half.p50.toFixed(2)} ms, p99 ${half.p99.toFixed(2)} ms (bare server: p99 ${half.bareP99.toFixed(2)} ms); ${half.ingested.toFixed(0)} records/s ingested meanwhile\n`,
  );
  return {
    bench: "redirect",
    ours: Math.round(figures.ours),
    rival: Math.round(figures.rival),
    ratio: Math.round(figures.ratio * 1_000) / 1_000,
    unit: "302/s per CPU second",
    halfLoad: {
      rate: Math.round(half.rate),
      p50Ms: Math.round(half.p50 * 100) / 100,
      p99Ms: Math.round(half.p99 * 100) / 100,
      bareP99Ms: Math.round(half.bareP99 * 100) / 100,
      ingestRecordsPerSecond: Math.round(half.ingested),
    },
    engineCpuPerGatewayCpu: Math.round(figures.engineShare * 100) / 100,
    eventsStored: stored,
    eventsLost,
    seed,
  };
}
