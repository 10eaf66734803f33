import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Decoder } from "../schemas/codec.ts";
import { isFailure } from "../schemas/failure.ts";
import type { NodeInventory, PathSample, RouteDecision } from "../schemas/generated/events.ts";
import { RecordCursor } from "../streams/chunk.ts";
import { connectLog } from "../streams/embedded/client.ts";
import type { Log } from "../streams/log.ts";
import type { Emitted } from "../streams/processor.ts";
import { EventProducer } from "../streams/producer.ts";
import { nodeInventory, pathSamples, routeDecisions, servicePolicies } from "../streams/topics.ts";
import { type BenchOptions, type BenchResult, printTable } from "./result.ts";

const backgroundPerSecond = 10_000;
const tickMs = 10;
const nodes = ["A", "B", "C", "D"];
/** Cells of the background, spread over countries and so over slots. */
const backgroundCells = 2_000;
/** Cells whose samples are built to move their fractions: one each 20 ms, each long enough ago to have settled. */
const movingCells = 100;
const movingEveryMs = 20;
const samplesOfMove = 6;

/**
 * From a sample that moves its cell's fractions to the decision at a follower, as a gateway is one, while 10,000 other
 * samples a second pass through the whole topology in an engine of its own process.
 */
export async function run({ quick }: BenchOptions): Promise<BenchResult> {
  const seconds = quick ? 15 : 60;
  const folder = join(mkdtempSync(join(tmpdir(), "opencdn-bench-latency-")), "log");
  const engine = fork(fileURLToPath(new URL("latency-engine.ts", import.meta.url)), [folder], {
    execArgv: process.execArgv,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  try {
    await new Promise<void>((resolve, reject) => {
      engine.once("message", () => resolve());
      engine.once("exit", (code) => reject(new Error(`the engine ended with ${code}`)));
    });
    const log = await connectLog({ folder, name: "bench", timeoutMs: 10_000 });
    const figures = await measure(log, engine, seconds);
    await log.close();
    const ended = once(engine, "exit");
    engine.disconnect();
    await ended;
    return report(figures, quick);
  } finally {
    engine.kill("SIGKILL");
    rmSync(join(folder, ".."), { recursive: true, force: true });
  }
}

interface Figures {
  readonly latencies: readonly number[];
  readonly sent: number;
  readonly backgroundPerSecond: number;
  readonly dropped: number;
  /** Of one core, user and system. */
  readonly engineCpuRatio: number;
  readonly engineRss: number;
}

interface Usage extends NodeJS.CpuUsage {
  readonly rss: number;
}

/** What the engine's process used so far. */
async function usageOf(engine: ChildProcess): Promise<Usage> {
  const answer = once(engine, "message");
  engine.send("usage");
  return (await answer)[0] as Usage;
}

async function measure(log: Log, engine: ChildProcess, seconds: number): Promise<Figures> {
  let dropped = 0;
  const producer = new EventProducer({
    log,
    name: "bench",
    onDropped: (count) => {
      dropped += count;
    },
  });
  for (const nodeId of nodes) producer.send(nodeInventory, nodeId, nodeOf(nodeId), Date.now());
  producer.send(servicePolicies, "web", policy, Date.now());
  await producer.flush();
  const moves = new Map<string, Move>();
  const latencies: number[] = [];
  const follower = followDecisions(log, ({ cell, candidates }) => {
    const move = moves.get(cell);
    const share = (id: string): number => candidates.find((at) => at.nodeId === id)?.fraction ?? 0;
    // An earlier price or step may decide the cell again: only the answer to these samples counts.
    if (move === undefined || share(move.near) <= share(move.far)) return;
    moves.delete(cell);
    latencies.push(performance.now() - move.sentAt);
  });
  let background = 0;
  let sent = 0;
  const began = performance.now();
  const warmMs = 3_000;
  let nextMove = warmMs;
  let warm: { readonly usage: Promise<Usage>; readonly background: number } | undefined;
  for (let elapsed = 0; elapsed < warmMs + seconds * 1_000; elapsed = performance.now() - began) {
    for (
      const due = Math.floor((elapsed / 1_000) * backgroundPerSecond);
      background < due;
      background++
    ) {
      const cell = `${countryOf(background % backgroundCells)}/r${background % backgroundCells}`;
      const nodeId = nodes[background % nodes.length] as string;
      producer.send(pathSamples, cell, sampleOf(cell, nodeId, 20 + (background % 7)), Date.now());
    }
    if (elapsed >= warmMs) warm ??= { usage: usageOf(engine), background };
    while (nextMove <= elapsed) {
      move(producer, sent, moves);
      sent += 1;
      nextMove += movingEveryMs;
    }
    await wait(tickMs);
  }
  const ranMs = performance.now() - began - warmMs;
  const before = await warm?.usage;
  const after = await usageOf(engine);
  if (warm === undefined || before === undefined) throw new Error("it did not get warm");
  const backgroundPerSecondSent = ((background - warm.background) * 1_000) / ranMs;
  await producer.flush();
  await wait(1_500);
  follower.close();
  await producer.close();
  return {
    latencies,
    sent,
    backgroundPerSecond: backgroundPerSecondSent,
    dropped,
    engineCpuRatio: (after.user + after.system - before.user - before.system) / (ranMs * 1_000),
    engineRss: after.rss,
  };
}

/** Samples under way that make `near` the nearer node of their cell. */
interface Move {
  readonly near: string;
  readonly far: string;
  readonly sentAt: number;
}

/** The n-th move: makes the other of two nodes the near one for its cell. */
function move(producer: EventProducer, sent: number, moves: Map<string, Move>): void {
  const index = sent % movingCells;
  const cell = `${countryOf(index)}/moving-${index}`;
  const lap = Math.floor(sent / movingCells);
  const near = lap % 2 === 0 ? "A" : "B";
  const far = lap % 2 === 0 ? "B" : "A";
  // As many in one go as carry the smoothed RTTs past each other, whatever they were.
  moves.set(cell, { near, far, sentAt: performance.now() });
  for (let i = 0; i < samplesOfMove; i++) {
    producer.send(pathSamples, cell, sampleOf(cell, near, 5), Date.now());
    producer.send(pathSamples, cell, sampleOf(cell, far, 400), Date.now());
  }
}

function followDecisions(
  log: Log,
  onDecision: (decision: RouteDecision) => void,
): { close(): void } {
  const decoder = new Decoder(routeDecisions.schema, log.schemas);
  const cursor = new RecordCursor();
  return log.follow({
    topics: [routeDecisions.name],
    from: "latest",
    onChunk: (chunk) => {
      cursor.open(chunk);
      while (cursor.next()) {
        const decision = decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
        if (!isFailure(decision)) onDecision(decision);
      }
    },
  });
}

function countryOf(index: number): string {
  return String.fromCharCode(65 + (index % 26), 65 + (Math.floor(index / 26) % 26));
}

function sampleOf(cell: string, nodeId: string, rttMs: number): Emitted<PathSample> {
  return {
    cell,
    nodeId,
    rttMs,
    lossRatio: 0,
    jitterMs: 1,
    sampleCount: 1,
    origin: "PROBE",
    vantage: "bench",
    synthetic: true,
  };
}

function nodeOf(nodeId: string): Emitted<NodeInventory> {
  return {
    nodeId,
    place: nodeId,
    country: "DE",
    region: "",
    latitude: 0,
    longitude: 0,
    baseUrl: "http://127.0.0.1:1",
    capacityRps: 1_000,
    serviceTimeMs: 5,
    prefixes: [],
    originAsns: [],
    protocols: ["http"],
    jurisdiction: "DE",
    synthetic: true,
  };
}

/** Shifts are not divided: the first decision after the sample is the one that is waited for. */
const policy = {
  serviceId: "web",
  hostnames: [],
  permittedNodes: [],
  forbiddenNodes: [],
  residency: [],
  nodeWeights: [],
  floorNodes: 1,
  ttlSeconds: 30,
  maxStepRatio: 1,
  version: 1,
};

function report(figures: Figures, quick: boolean): BenchResult {
  const sorted = [...figures.latencies].sort((a, b) => a - b);
  const at = (quantile: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? Number.NaN;
  const missing = figures.sent - sorted.length;
  printTable([
    { what: "moves", figure: figures.sent },
    { what: "without a decision of their own", figure: missing },
    { what: "background samples/s", figure: figures.backgroundPerSecond },
    { what: "dropped by the producer", figure: figures.dropped },
    { what: "p50, ms", figure: at(0.5) },
    { what: "p99, ms", figure: at(0.99) },
    { what: "largest, ms", figure: at(1) },
    { what: "engine, CPU of a core in %", figure: 100 * figures.engineCpuRatio },
    { what: "engine, RSS in MB", figure: figures.engineRss / 1e6 },
  ]);
  if (missing > 0.01 * figures.sent)
    throw new Error(`${missing} of ${figures.sent} moves moved nothing`);
  return {
    bench: "latency",
    ours: Number(at(0.99).toFixed(1)),
    rival: null,
    ratio: null,
    unit: "ms, p99",
    p50Ms: Number(at(0.5).toFixed(1)),
    samples: figures.sent,
    missing,
    backgroundPerSecond: Math.round(figures.backgroundPerSecond),
    engineCpuRatio: Number(figures.engineCpuRatio.toFixed(3)),
    quick,
  };
}
