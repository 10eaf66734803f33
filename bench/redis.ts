import type { Redis } from "ioredis";
import type { NodeScore } from "../schemas/generated/events.ts";
import { scoreScripts } from "../sinks/scores/redis-score-scripts.ts";
import { RedisScoreTable } from "../sinks/scores/redis-score-table.ts";
import { fieldsOf, scoreFields, scoreFrom } from "../sinks/scores/score-fields.ts";
import type { RedisConnection } from "../streams/redis/redis-connection.ts";
import { hasRedis, RedisServer } from "../test/kits/redis.ts";
import { type BenchOptions, type BenchResult, median, printTable } from "./result.ts";

const seed = 20_261_124;
const nodes = 10_000;
/** Calls made at once by both, each waited for as a whole. */
const together = 512;

interface Contender {
  readonly name: string;
  readonly write: (scores: readonly NodeScore[]) => Promise<void>;
  readonly read: (nodeIds: readonly string[]) => Promise<readonly unknown[]>;
  /** What was read as a score, off the clock. */
  readonly scoreFrom: (read: unknown, nodeId: string) => NodeScore | undefined;
}

interface Lap {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/**
 * Writes and reads of scores by our guarded table against plain pipelines that do the same HSET, ZADD and HGETALL,
 * on one redis-server, in turns, on the same scores. The rival has no guard (its last writer wins) and leaves what it
 * reads as text, where ours makes a score of it. Every lap checks what was read, the end checks both ranks.
 */
export async function run({ quick }: BenchOptions): Promise<BenchResult> {
  if (!hasRedis) {
    process.stderr.write("bench redis needs redis-server: apt-get install redis-server\n");
    process.exit(1);
  }
  process.stdout.write(`seed ${seed}, ${nodes} nodes, ${together} calls at once\n`);
  const server = await RedisServer.open();
  const connection = await server.connect(scoreScripts);
  const plain = server.plain();
  try {
    return await race({ connection, plain, laps: quick ? 7 : 21, quick });
  } finally {
    connection.close();
    plain.disconnect();
    await server.close();
  }
}

async function race(options: {
  readonly connection: RedisConnection;
  readonly plain: Redis;
  readonly laps: number;
  readonly quick: boolean;
}): Promise<BenchResult> {
  const contenders = [ours(options.connection), plainPipelines(options.plain)];
  const random = generator(seed);
  const laps = new Map<string, Lap[]>();
  let scores: NodeScore[] = [];
  for (let lap = -1; lap < options.laps; lap++) {
    scores = Array.from({ length: nodes }, (_, i) => scoreOf(i, lap, random));
    // Who begins changes from lap to lap.
    const order = lap % 2 === 0 ? contenders : [...contenders].reverse();
    for (const contender of order) {
      const written = await timed(() => inGroups(scores, contender.write));
      const nodeIds = scores.map(({ nodeId }) => nodeId);
      const found: unknown[] = [];
      const read = await timed(() =>
        inGroups(nodeIds, async (group) => void found.push(...(await contender.read(group)))),
      );
      const decoded = found.map((each, i) => contender.scoreFrom(each, nodeIds[i] ?? ""));
      if (!isSame(decoded, scores)) throw new Error(`${contender.name} read something else`);
      if (lap < 0) continue;
      note(laps, `write ${contender.name}`, written);
      note(laps, `read ${contender.name}`, read);
    }
  }
  await checkRanks(options, scores);
  return result(laps, options);
}

function ours(connection: RedisConnection): Contender {
  const table = new RedisScoreTable(connection);
  return {
    name: "ours",
    write: async (scores) => {
      const stood = await Promise.all(
        scores.map((score) => table.put(score.nodeId, score, score.eventMs)),
      );
      if (stood.includes(false)) throw new Error("a write was refused");
    },
    read: (nodeIds) => Promise.all(nodeIds.map((nodeId) => table.get(nodeId))),
    scoreFrom: (read) => read as NodeScore | undefined,
  };
}

function plainPipelines(plain: Redis): Contender {
  return {
    name: "plain",
    write: async (scores) => {
      const pipeline = plain.pipeline();
      for (const score of scores) {
        const values = fieldsOf(score);
        const pairs = scoreFields.flatMap((field, i) => [field, values[i] ?? ""]);
        pipeline.hset(`plain:node:${score.nodeId}`, "atMs", String(score.eventMs), ...pairs);
        pipeline.zadd("plain:rank", String(score.staticScore), score.nodeId);
      }
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
    },
    read: async (nodeIds) => {
      const pipeline = plain.pipeline();
      for (const nodeId of nodeIds) pipeline.hgetall(`plain:node:${nodeId}`);
      return ((await pipeline.exec()) ?? []).map(([error, answer]) => {
        if (error !== null) throw error;
        return answer;
      });
    },
    scoreFrom: (read, nodeId) => {
      const hash = read as Readonly<Record<string, string>>;
      return scoreFrom(
        nodeId,
        scoreFields.map((field) => hash[field] ?? null),
      );
    },
  };
}

async function inGroups<T>(
  items: readonly T[],
  work: (group: readonly T[]) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < items.length; i += together) await work(items.slice(i, i + together));
}

async function timed(work: () => Promise<void>): Promise<Lap> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return {
    perSecond: (nodes / (performance.now() - startedMs)) * 1_000,
    perCpuSecond: (nodes / (user + system)) * 1e6,
  };
}

function note(laps: Map<string, Lap[]>, name: string, lap: Lap): void {
  laps.set(name, [...(laps.get(name) ?? []), lap]);
}

function isSame(found: readonly unknown[], written: readonly NodeScore[]): boolean {
  return JSON.stringify(found) === JSON.stringify(written);
}

async function checkRanks(
  { connection, plain }: { readonly connection: RedisConnection; readonly plain: Redis },
  scores: readonly NodeScore[],
): Promise<void> {
  const expected = [...scores].sort((a, b) => a.staticScore - b.staticScore);
  const [mine, theirs] = await Promise.all([
    connection.client.zrange("scores:rank", 0, "-1"),
    plain.zrange("plain:rank", 0, "-1"),
  ]);
  const names = expected.map(({ nodeId }) => nodeId).join();
  if (mine.join() !== names || theirs.join() !== names) throw new Error("the ranks differ");
}

function result(
  laps: ReadonlyMap<string, readonly Lap[]>,
  { laps: count, quick }: { readonly laps: number; readonly quick: boolean },
): BenchResult {
  const rate = (name: string): number =>
    median((laps.get(name) ?? []).map(({ perSecond }) => perSecond));
  const cpu = (name: string): number =>
    median((laps.get(name) ?? []).map(({ perCpuSecond }) => perCpuSecond));
  const ratio = (work: string): number => rate(`${work} ours`) / rate(`${work} plain`);
  const mean = (name: string): number => Math.sqrt(rate(`write ${name}`) * rate(`read ${name}`));
  printTable(
    ["write", "read"].map((work) => ({
      work,
      "ours/s": rate(`${work} ours`),
      "plain/s": rate(`${work} plain`),
      "ours/plain": ratio(work),
      "ours/CPU-s": cpu(`${work} ours`),
      "plain/CPU-s": cpu(`${work} plain`),
    })),
  );
  return {
    bench: "redis",
    ours: Math.round(mean("ours")),
    rival: Math.round(mean("plain")),
    ratio: Math.min(ratio("write"), ratio("read")),
    unit: "scores/s, geometric mean of writes and reads; ratio: the lower of the two",
    writeRatio: ratio("write"),
    readRatio: ratio("read"),
    seed,
    laps: count,
    quick,
  };
}

function scoreOf(index: number, lap: number, random: () => number): NodeScore {
  const eventId = new Uint8Array(16);
  for (let i = 0; i < 16; i++) eventId[i] = Math.floor(random() * 256);
  return {
    eventId,
    eventMs: 1_700_000_000_000 + (lap + 1) * 1_000,
    logicVersion: 1,
    nodeId: `node-${index}`,
    staticScore: random(),
    liveCostMs: random() * 100,
    learnedCorrectionMs: 0,
    latencyMs: random() * 200,
    lossRatio: random() / 100,
    loadRatio: random(),
    alive: random() < 0.99,
  };
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function generator(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
