import { execFile } from "node:child_process";
import { chmod, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NodeScore } from "../../schemas/generated/events.ts";
import { run } from "../../sinks/main.ts";
import { pause } from "../../streams/backoff.ts";
import { hex16 } from "../../streams/identity.ts";
import type { Log } from "../../streams/log.ts";
import type { Running } from "../../streams/process-shell.ts";
import { EventProducer } from "../../streams/producer.ts";
import { readTable } from "../../streams/table-reader.ts";
import { nodeScores } from "../../streams/topics.ts";
import { scoreOf } from "../conformance/score-of.ts";
import { EdgeKit, eventually } from "../kits/edge-site.ts";
import { hasRedis, RedisServer } from "../kits/redis.ts";
import { killCount, runSeed } from "../kits/seed.ts";

const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const writer = fileURLToPath(new URL("../kits/redis-score-writer.ts", import.meta.url));

let kit: EdgeKit;
let log: Log;
let producer: EventProducer;
let redis: RedisServer;
let plain: Redis;
let sinks: Running | undefined;

/** Fails fast, so that the faults are over soon. */
const quick = { commandTimeoutMs: 300, connectTimeoutMs: 300 };

async function start(options: object = {}): Promise<void> {
  sinks = await run(
    { folder: kit.data, metricsPort: 0, redis: { socket: redis.socket, ...quick, ...options } },
    kit.logger,
  );
}

/** Writes scores to the log, or removes those of nodes without one, and waits until that is durable. */
async function write(scores: Readonly<Record<string, number | null>>): Promise<void> {
  for (const [nodeId, score] of Object.entries(scores)) {
    if (score === null) producer.remove(nodeScores, nodeId);
    else producer.send(nodeScores, nodeId, scoreOf(nodeId, score), Date.now());
  }
  await producer.flush();
}

const page = async (path: string): Promise<string> =>
  await (await fetch(`http://127.0.0.1:${sinks?.ready["metricsPort"]}${path}`)).text();

async function served(): Promise<string[]> {
  const scores = JSON.parse(await page("/scores?top=1000")) as NodeScore[];
  return scores.map(({ nodeId, staticScore }) => `${nodeId} ${staticScore}`);
}

async function metric(name: string): Promise<number> {
  const line = (await page("/metrics")).split("\n").find((text) => text.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

/** Redis as anybody reads it: every hash, and the sorted set. */
async function inRedis(): Promise<string[]> {
  const lines: string[] = [];
  for (const key of await plain.keys("opencdn:scores:node:*")) {
    const { eventId, eventMs, staticScore, alive } = await plain.hgetall(key);
    const node = key.slice("opencdn:scores:node:".length);
    const rank = await plain.zscore("opencdn:scores:rank", node);
    lines.push([node, eventId, eventMs, staticScore, Number(rank), alive].join(" "));
  }
  lines.push(`${await plain.zcard("opencdn:scores:rank")} ranked`);
  return lines.sort();
}

async function onLog(): Promise<string[]> {
  const scores = await readTable(log, nodeScores);
  const lines = [...scores].map(([node, { eventId, eventMs, staticScore, alive }]) =>
    [node, hex16(eventId), eventMs, staticScore, staticScore, Number(alive)].join(" "),
  );
  return [...lines, `${scores.size} ranked`].sort();
}

/** Waits until Redis holds what the log says; tells the difference when it never does. */
async function equal(): Promise<void> {
  const expected = await onLog();
  let found: string[] = [];
  const isEqual = async (): Promise<true | undefined> => {
    found = await inRedis().catch(() => []);
    return found.join("\n") === expected.join("\n") ? true : undefined;
  };
  await eventually("the log's scores in Redis", isEqual).catch(() => undefined);
  expect(found).toEqual(expected);
}

const rebuilds = (count: number): Promise<true> =>
  eventually(`rebuild ${count}`, async () =>
    (await metric("opencdn_redis_scores_rebuilds_total")) >= count ? true : undefined,
  );
const well = (): Promise<true> =>
  eventually("scores in Redis that are equal", async () =>
    (await metric("opencdn_redis_scores_equal")) === 1 ? true : undefined,
  );
const failures = (): Promise<number> => metric("opencdn_redis_failures_total");
const failed = (count: number): Promise<true> =>
  eventually(`${count} failures`, async () => ((await failures()) >= count ? true : undefined));
/** What is served comes from memory, whatever Redis does. */
const serves = (line: string): Promise<true> =>
  eventually(`${line} from memory`, async () =>
    (await served()).includes(line) ? true : undefined,
  );

/** What a process of its own gets for a write. */
async function fromAnotherProcess(
  node: string,
  atMs: number,
  ...score: readonly number[]
): Promise<string> {
  const args = ["--import", tsx, writer, redis.socket, node, String(atMs), ...score.map(String)];
  return (await promisify(execFile)(process.execPath, args)).stdout;
}

describe.skipIf(!hasRedis)(
  `scores in Redis${hasRedis ? "" : " (skipped: needs redis-server)"}`,
  () => {
    beforeEach(async () => {
      kit = await EdgeKit.open();
      log = await kit.startEngine();
      producer = new EventProducer({ log, name: "scores-test" });
      redis = await RedisServer.open();
      plain = redis.plain();
      await write({ FRA: 0.5, TYO: 0.9, SAO: 0.5, IAD: 0.7 });
    });

    afterEach(async () => {
      await sinks?.close();
      sinks = undefined;
      plain.disconnect();
      await redis.close();
      await producer.close();
      await kit.close();
    });

    it("are rebuilt at the start in the place of another log's, follow the log, and say how long it took", async () => {
      await plain.set("opencdn:scores:marker", "another-log 1");
      await plain.zadd("opencdn:scores:rank", 0.3, "OLD");
      await plain.hset("opencdn:scores:node:OLD", { atMs: 9e15, staticScore: 0.3 });
      await start();
      await well();
      await equal();
      await write({ TYO: 0.1, FRA: null, SYD: 0.3 });
      await equal();
      expect(await plain.zscore("opencdn:scores:removed", "FRA")).not.toBeNull();
      expect(await plain.get("opencdn:scores:complete")).toBe(
        await plain.get("opencdn:scores:marker"),
      );
      expect(await metric("opencdn_redis_scores_rebuild_seconds")).toBeGreaterThan(0);
      const lines = kit.lines.filter((line) => line.includes("were rebuilt from the log"));
      expect(lines).toHaveLength(1);
      expect(JSON.parse(lines[0] ?? "")).toMatchObject({ nodes: 4, tookMs: expect.any(Number) });
      expect(await failures()).toBe(0);
    });

    it("are rebuilt after FLUSHALL, and after SCRIPT FLUSH and a key that was evicted", async () => {
      await start();
      await well();
      await plain.flushall();
      await rebuilds(2);
      await equal();
      await plain.script("FLUSH");
      await plain.zrem("opencdn:scores:rank", "FRA");
      await plain.del("opencdn:scores:node:FRA");
      await rebuilds(3);
      await well();
      await equal();
    });

    it("are those of the log after kill -9 and a restart from an old state, and are served meanwhile", async () => {
      await start();
      await well();
      await equal();
      await plain.save();
      await write({ FRA: 0.6, IAD: null });
      await equal();
      await redis.kill();
      await write({ TYO: 0.2, SAO: null, SYD: 0.4 });
      await serves("TYO 0.2");
      await eventually("the outage in the metrics", async () =>
        (await metric("opencdn_redis_connected")) === 0 ? true : undefined,
      );
      expect(await metric("opencdn_redis_scores_equal")).toBe(0);
      await redis.start();
      await rebuilds(2);
      await well();
      await equal();
    });

    it("wait for a Redis that is not there at the start", async () => {
      await redis.kill();
      await start();
      await serves("TYO 0.9");
      await redis.start();
      await well();
      await equal();
    });

    it.each(["CLIENT PAUSE", "SIGSTOP"])("are those of the log after %s", async (fault) => {
      await start();
      await well();
      const { pid } = redis;
      if (fault === "SIGSTOP") process.kill(pid, "SIGSTOP");
      else await plain.call("CLIENT", "PAUSE", "3000", "ALL");
      try {
        await write({ FRA: 0.1, TYO: null });
        await failed(2);
        for (let i = 1; i <= 50; i++) await write({ FRA: i / 1_000, [`N${i}`]: i / 100 });
        await serves("FRA 0.05");
        expect(await metric("opencdn_redis_scores_waiting")).toBeLessThanOrEqual(54);
      } finally {
        // The pause ends by itself: it holds up the command that would end it too.
        if (fault === "SIGSTOP") process.kill(pid, "SIGCONT");
      }
      await well();
      await equal();
    });

    it("are those of the log after Redis was out of memory", async () => {
      await start();
      await well();
      await plain.config("SET", "maxmemory", "1");
      await write({ FRA: 0.1, TYO: null, SYD: 0.2 });
      await failed(3);
      await serves("SYD 0.2");
      expect(await plain.hget("opencdn:scores:node:FRA", "staticScore")).toBe("0.5");
      await plain.config("SET", "maxmemory", "0");
      await well();
      await equal();
      expect(kit.lines.filter((line) => line.includes("out of memory"))).toHaveLength(1);
    });

    it("take no older write of a second process, not even of a node that was removed", async () => {
      await start();
      await well();
      await write({ TYO: null });
      await equal();
      const { eventMs } = (await readTable(log, nodeScores)).get("FRA") as NodeScore;
      expect(await fromAnotherProcess("FRA", eventMs - 1, 0.99)).toBe("false");
      expect(await fromAnotherProcess("FRA", eventMs - 1)).toBe("false");
      expect(await fromAnotherProcess("TYO", eventMs - 1, 0.99)).toBe("false");
      await equal();
      // A node that the log does not have, from a process that is behind.
      expect(await fromAnotherProcess("GONE", eventMs - 1, 0.99)).toBe("true");
      await rebuilds(2);
      await well();
      await equal();
    });

    it("are those of the next log when a new one takes the place of the first", async () => {
      await start();
      await well();
      await producer.close();
      await kit.stopEngine();
      await rm(kit.data, { recursive: true });
      log = await kit.startEngine();
      producer = new EventProducer({ log, name: "scores-test-2" });
      await write({ FRA: 0.2, NEW: 0.3 });
      await rebuilds(2);
      await well();
      await equal();
    });

    it(`are those of the log after faults in random order (seed ${runSeed})`, async () => {
      await start();
      await well();
      let seed = runSeed;
      const below = (limit: number): number => {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((seed / 2 ** 32) * limit);
      };
      const node = (): string => `N${below(12)}`;
      const faults: (() => Promise<unknown>)[] = [
        () => plain.flushall(),
        () => plain.save(),
        () => redis.kill().then(() => redis.start()),
        () => plain.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
        () => plain.call("CLIENT", "PAUSE", "400", "WRITE"),
        () => plain.config("SET", "maxmemory", "1"),
        () => plain.config("SET", "maxmemory", "0"),
        () => plain.del(`opencdn:scores:node:${node()}`, "opencdn:scores:rank"),
        () => plain.del(`opencdn:scores:node:${node()}`),
        () => plain.del("opencdn:scores:marker"),
        () => plain.script("FLUSH"),
      ];
      for (let i = 0; i < killCount(40); i++) {
        await write({ [node()]: below(100) / 100, [node()]: below(3) === 0 ? null : 0.5 });
        // A fault may hit a Redis that the one before it has just ended.
        await faults[below(faults.length)]?.().catch(() => undefined);
        if (below(4) === 0) await pause(below(300));
      }
      await eventually("room in Redis", () =>
        plain.config("SET", "maxmemory", "0").catch(() => undefined),
      );
      await equal();
      await well();
    });

    it("need the password, which no log line holds", async () => {
      const file = join(kit.folder, "redis-password");
      await writeFile(file, "wrong-1234\n", { mode: 0o600 });
      await plain.config("SET", "requirepass", "right-5678");
      await start({ passwordFile: file });
      await eventually("a refusal", () =>
        kit.lines.some((line) => line.includes("waiting for Redis")) ? true : undefined,
      );
      await sinks?.close();
      await writeFile(file, "right-5678\n");
      await start({ passwordFile: file });
      await well();
      await plain.auth("right-5678");
      await equal();
      expect(kit.lines.join("\n")).not.toMatch(/wrong-1234|right-5678/);
      await chmod(file, 0o644);
      await expect(start({ passwordFile: file })).rejects.toThrow("set its mode to 600");
    });
  },
);
