import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askControl, type ProcessStatus, type UpStatus } from "../../cli/control.ts";
import { places } from "../../cli/settings.ts";
import { topology } from "../../cli/topology.ts";
import { randomNumbers } from "../../streams/embedded/testing/kill-plan.ts";
import { deadLetters } from "../../streams/topics.ts";
import { LedgerClient } from "../kits/event-ledger.ts";
import { type Census, differences, folderBytes, takeCensus } from "../kits/log-census.ts";
import { replayInto } from "../kits/replay-folder.ts";
import { killCount, runSeed } from "../kits/seed.ts";
import { UpSystem, until } from "../kits/up-system.ts";

const kills = killCount(50);
/** Longest time between two kills. */
const betweenMs = 1_600;
/** Events of the ledger's client every 50 ms, and clients at the gateway with a pause after each answer. */
const eventsAtOnce = 10;
const clients = 3;
const clientPauseMs = 15;
/** A node that is killed is back for the next kills. */
const settings = { demonstration: { downSeconds: 1 } };
/** Enough for a slow machine, and for as many kills as are asked for. */
const timeoutMs = 120_000 + kills * 6_000;
const same = { missing: [], added: [] };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Clients at the gateway, for as long as it lasts; a gateway that is killed refuses them. */
class GatewayClients {
  readonly statuses = new Map<number, number>();
  refused = 0;
  readonly #done: Promise<unknown>;
  #stopped = false;

  constructor(system: UpSystem, random: () => number) {
    const below = (limit: number): number => Math.floor(random() * limit);
    const client = async (): Promise<void> => {
      while (!this.#stopped) {
        const ip = `${1 + below(220)}.${below(256)}.${below(256)}.${below(256)}`;
        const answer = await system.redirect(ip).catch(() => undefined);
        if (answer === undefined) this.refused += 1;
        else this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
        await pause(clientPauseMs);
      }
    };
    this.#done = Promise.all(Array.from({ length: clients }, client));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

/** What a system left behind after it worked for a while. */
interface Outcome {
  readonly folder: string;
  readonly sent: number;
  readonly acknowledged: readonly string[];
  readonly statuses: ReadonlyMap<number, number>;
  readonly refused: number;
  /** Bytes of the log's files after the stop. */
  readonly bytes: number;
  readonly census: Census;
  readonly tookMs: number;
}

/** Starts `up`, lets the clients work during `disturb`, waits until all is well again, and stops it by Ctrl-C. */
async function work(base: string, disturb: (system: UpSystem) => Promise<void>): Promise<Outcome> {
  const system = await UpSystem.start({ settings });
  try {
    const log = await system.log("ledger");
    const ledger = new LedgerClient(log, path.join(base, "acknowledged"), randomNumbers(runSeed));
    const visitors = new GatewayClients(system, randomNumbers(runSeed + 1));
    const began = performance.now();
    ledger.start(eventsAtOnce);
    await disturb(system);
    await until("every process", async () => {
      const { processes } = await statusOf(system);
      return processes.every(({ state }) => state === "ready") || undefined;
    });
    await ledger.stop();
    await visitors.stop();
    const tookMs = performance.now() - began;
    const { sent, dropped } = ledger;
    expect(dropped).toBe(0);
    await log.close();
    expect(await system.signal("SIGINT")).toEqual({ code: 0 });
    const folder = path.join(system.data, "log");
    // Nothing half written stays beside the files of gateways that were killed.
    expect(folderBytes(system.data, /\.part$/)).toBe(0);
    const bytes = folderBytes(folder);
    const census = await takeCensus(folder);
    const acknowledged = ledger.acknowledged();
    const { statuses, refused } = visitors;
    await system.dispose({ keepFolder: true });
    return { folder: system.folder, sent, acknowledged, statuses, refused, bytes, census, tookMs };
  } catch (error) {
    await system.dispose();
    throw error;
  }
}

async function statusOf(system: UpSystem): Promise<UpStatus> {
  return (await askControl(places(system.data).control, "GET", "/status")).body as UpStatus;
}

/** Kills processes of random roles at random times; gives how often each role was met. */
async function killMany(system: UpSystem): Promise<ReadonlyMap<string, number>> {
  const random = randomNumbers(runSeed + 2);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const met = new Map<string, number>();
  for (let kill = 0; kill < kills; ) {
    await pause(random() * betweenMs);
    const running = (await statusOf(system)).processes.filter(({ pid }) => pid !== undefined);
    if (running.length === 0) continue;
    const role = one([...new Set(running.map((process) => process.role))]);
    const { pid } = one(running.filter((process) => process.role === role)) as ProcessStatus;
    try {
      process.kill(pid as number, "SIGKILL");
    } catch {
      continue;
    }
    met.set(role, (met.get(role) ?? 0) + 1);
    kill += 1;
  }
  return met;
}

describe(`kill -9 of processes of up (OPENCDN_SEED=${runSeed} OPENCDN_KILLS=${kills})`, () => {
  let base = "";
  let killed: Outcome;
  let met: ReadonlyMap<string, number> = new Map();

  beforeAll(async () => {
    base = await mkdtemp(path.join(tmpdir(), "ocdn-kills-"));
    killed = await work(base, async (system) => {
      met = await killMany(system);
    });
  }, timeoutMs);

  afterAll(async () => {
    for (const folder of [base, killed?.folder ?? base]) {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("loses no acknowledged event and has none twice", () => {
    const { census, acknowledged, sent, statuses, refused, tookMs } = killed;
    process.stdout.write(
      `${kills} kills in ${(tookMs / 1_000).toFixed(1)} s: ${JSON.stringify(Object.fromEntries(met))}; ${acknowledged.length} acknowledged, ${census.records.length} records; answers ${JSON.stringify(Object.fromEntries(statuses))}, ${refused} refused\n`,
    );
    expect(acknowledged).toHaveLength(sent);
    const ids = census.records.map(({ eventId }) => eventId).filter((eventId) => eventId !== "");
    expect(differences([...new Set(ids)], ids)).toEqual(same);
    const found = new Set(ids);
    const lost = acknowledged.filter((id) => !found.has(id));
    expect({ count: lost.length, first: lost.slice(0, 5) }).toEqual({ count: 0, first: [] });
    expect(census.records.filter(({ topic }) => topic === deadLetters.name)).toEqual([]);
    expect([...statuses.keys()]).toEqual([302]);
  });

  it(
    "replays the journal from empty into a new folder to the digests on disk",
    async () => {
      const { census, bytes } = killed;
      expect(census.stores.size).toBeGreaterThan(0);
      expect(census.stores).toEqual(census.journalled);
      const folder = path.join(base, "replayed");
      const reports = await replayInto(path.join(killed.folder, "data/log"), folder, topology());
      expect(reports.filter(({ divergence }) => divergence !== undefined)).toEqual([]);
      const replayed = await takeCensus(folder);
      expect(replayed.stores).toEqual(census.stores);
      expect(differences(wholeRecords(census), wholeRecords(replayed))).toEqual(same);

      // The same records and stores, written without a kill: what more there is on the disk was left by kills.
      const without = folderBytes(folder);
      process.stdout.write(`${bytes} bytes, ${without} for the same events without kills\n`);
      expect(Math.abs(bytes / without - 1)).toBeLessThan(0.2);
    },
    timeoutMs,
  );
});

function wholeRecords({ records }: Census): string[] {
  return records.map(
    ({ topic, slot, offset, key, eventId, payload }) =>
      `${topic} ${slot} ${offset} ${key} ${eventId} ${payload}`,
  );
}
