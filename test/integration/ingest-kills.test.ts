import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MrtGenerator } from "../../gateways/bgp/testing/mrt-generator.ts";
import { randomNumbers } from "../../streams/embedded/testing/kill-plan.ts";
import {
  type Census,
  differences,
  folderBytes,
  recordSet,
  takeCensus,
} from "../kits/log-census.ts";
import { killCount, runSeed } from "../kits/seed.ts";
import { opencdn } from "../kits/up-system.ts";

const kills = killCount(50);
const logName = "history";
/** A quarter of the kills come while the process starts, the rest when it has written for a while. */
const earlyShare = 0.25;
/** A start takes about so long until the first record is written, ms. */
const startMs = 900;
/** The kills leave about this part of the input for the run that ends. */
const leftShare = 0.1;
/** Enough for a slow machine, and for as many kills as are asked for. */
const timeoutMs = 120_000 + kills * 6_000;

const recorded = [
  "../shared/data/bgp/updates.20100722.2015.gz",
  "../shared/data/bgp/updates.20070211.0141.gz",
  "../shared/data/bgp/bview.20020722.2337.gz",
].filter((file) => existsSync(file));

interface Ingested {
  readonly files: readonly { readonly appended: number; readonly duplicates: number }[];
}

interface Verified {
  readonly equal: boolean;
  readonly tasks: readonly {
    readonly slot: number;
    readonly records: number;
    readonly digests: Readonly<Record<string, string>>;
  }[];
}

/** What one kill met. */
interface Kill {
  /** Bytes of the log that this run wrote before it. */
  readonly wroteBytes: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe(`kill -9 of an ingest of MRT files (OPENCDN_SEED=${runSeed} OPENCDN_KILLS=${kills})`, () => {
  const random = randomNumbers(runSeed);
  const logId = `seed-${runSeed}`;
  let base = "";
  let files: readonly string[] = [];

  beforeAll(async () => {
    base = await mkdtemp(path.join(tmpdir(), "ocdn-ingest-"));
    const generated = path.join(base, "generated.mrt");
    const generator = new MrtGenerator(runSeed, "collector");
    const updates = recorded.length > 0 ? 20_000 : 60_000;
    await writeFile(generated, Buffer.concat([generator.table(2_000), generator.updates(updates)]));
    files = [...recorded, generated];
  });

  afterAll(async () => {
    await rm(base, { recursive: true, force: true });
  });

  const folderOf = (data: string): string => path.join(base, data, "logs", logName);
  const ingest = (data: string): string[] => {
    const log = ["--log", logName, "--log-id", logId, "--json"];
    return ["--data", path.join(base, data), "ingest", "mrt", ...files, ...log];
  };

  async function complete(data: string): Promise<Ingested> {
    const { code, stdout, stderr } = await opencdn(ingest(data));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout) as Ingested;
  }

  async function verified(data: string): Promise<Verified> {
    const args = ["replay", "verify", "--processor", "rib", "--log", logName, "--json"];
    const { code, stdout, stderr } = await opencdn(["--data", path.join(base, data), ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout) as Verified;
  }

  const written = (): number => folderBytes(path.join(folderOf("killed"), "segments"));

  /** One run that is killed when it has written so much and ran so long; nothing when it came to its end first. */
  async function killOne(when: { bytes: number; afterMs: number }): Promise<Kill | undefined> {
    const before = written();
    const child = spawn(process.execPath, ["dist/cli/main.js", ...ingest("killed")], {
      stdio: "ignore",
    });
    const ended = once(child, "exit");
    const runs = (): boolean => child.exitCode === null;
    while (runs() && written() - before < when.bytes) await pause(1);
    if (runs()) await pause(when.afterMs);
    child.kill("SIGKILL");
    const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    if (signal !== "SIGKILL") return undefined;
    return { wroteBytes: Math.max(0, written() - before) };
  }

  /** Kills until so many met a running process. */
  async function killMany(totalBytes: number): Promise<Kill[]> {
    const met: Kill[] = [];
    let later = kills - Math.round(kills * earlyShare);
    while (met.length < kills) {
      // The first one comes while there is no folder yet.
      const early = met.length === 0 || random() * (kills - met.length) > later;
      const left = Math.max(0, totalBytes * (1 - leftShare) - written());
      const bytes = early ? 0 : 1 + (random() * 2 * left) / later;
      const kill = await killOne({ bytes, afterMs: random() * (early ? startMs : 20) });
      if (!early) later -= 1;
      // What had come to its end is killed while it starts to find that out.
      const found = kill ?? (await killOne({ bytes: 0, afterMs: random() * 100 }));
      if (found !== undefined) met.push(found);
    }
    return met;
  }

  it(
    "ends with the stores and the events of a run without kills",
    async () => {
      const whole = await complete("whole");
      const expected = await takeCensus(folderOf("whole"));
      const totalBytes = folderBytes(path.join(folderOf("whole"), "segments"));
      expect(expected.records.length).toBeGreaterThan(20_000);
      expect(expected.logId).toBe(logId);

      const began = performance.now();
      const met = await killMany(totalBytes);
      const writing = met.filter(({ wroteBytes }) => wroteBytes > 0).length;
      const tookMs = performance.now() - began;
      expect(met).toHaveLength(kills);
      expect(writing).toBeGreaterThanOrEqual(Math.floor(kills / 3));

      const rest = await complete("killed");
      const appended = (all: Ingested): number => all.files.reduce((n, one) => n + one.appended, 0);
      // So few kills may all come before the first record.
      if (kills > 3) expect(appended(rest)).toBeLessThan(appended(whole));
      const found = await takeCensus(folderOf("killed"));
      const bytes = folderBytes(path.join(folderOf("killed"), "segments"));
      process.stdout.write(
        `${met.length} kills in ${(tookMs / 1_000).toFixed(1)} s, ${writing} of them while it wrote; ${found.records.length} records; segments of ${bytes} bytes, ${totalBytes} without kills\n`,
      );
      expectSame(found, expected);
      expect(digestsOf(await verified("killed"))).toEqual(digestsOf(await verified("whole")));
    },
    timeoutMs,
  );
});

function expectSame(found: Census, expected: Census): void {
  expect(differences(recordSet(expected.records), recordSet(found.records))).toEqual({
    missing: [],
    added: [],
  });
  // What the source wrote lies in the order of the files, in every slot.
  const inOrder = ({ records }: Census): string[] =>
    records
      .filter(({ topic }) => topic === "bgp.updates.v1")
      .map(({ slot, offset, eventId }) => `${slot} ${offset} ${eventId}`);
  expect(inOrder(found)).toEqual(inOrder(expected));
  expect(found.stores.size).toBeGreaterThan(0);
  expect(found.stores).toEqual(expected.stores);
  expect(found.stores).toEqual(found.journalled);
  expect(expected.stores).toEqual(expected.journalled);
}

/** Digests of a replay from empty, and the records that it took. */
function digestsOf({ equal, tasks }: Verified): unknown {
  expect(equal).toBe(true);
  return tasks.map(({ slot, records, digests }) => ({ slot, records, digests }));
}
