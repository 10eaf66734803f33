import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { estimatesProcessor } from "../../processors/router/estimates/processor.ts";
import { RecordBatch } from "../../streams/batch.ts";
import { EmbeddedLog } from "../../streams/embedded/embedded-log.ts";
import { Engine } from "../../streams/embedded/engine.ts";
import { randomNumbers } from "../../streams/embedded/testing/kill-plan.ts";
import { slotOfKey } from "../../streams/topic.ts";
import { pathSamples, tableNames } from "../../streams/topics.ts";
import { folderBytes, takeCensus } from "../kits/log-census.ts";
import { killCount, runSeed } from "../kits/seed.ts";
import { opencdn } from "../kits/up-system.ts";

const kills = killCount(6);
const records = 400;
/** About what one restored record adds to the segments. */
const recordBytes = 150;

describe(`kill -9 while dead letters are redriven (OPENCDN_SEED=${runSeed} OPENCDN_KILLS=${kills})`, () => {
  let base = "";

  beforeAll(async () => {
    base = await mkdtemp(path.join(tmpdir(), "ocdn-redrive-"));
    const folder = path.join(base, "log");
    const log = await EmbeddedLog.open({ folder, slots: 4, tables: tableNames, nowMs: Date.now });
    const engine = await Engine.open({ log, processors: [estimatesProcessor()], nowMs: Date.now });
    const batch = new RecordBatch();
    for (let i = 0; i < records; i++) {
      const key = Buffer.from(`C${i}`);
      const value = Buffer.from(`no frame of ours: ${i}`);
      const slot = slotOfKey(pathSamples, log.slots, key);
      batch.add(pathSamples.name, slot, key, 0, key.length, value, 0, value.length);
    }
    const sections = batch.sections();
    await engine.submit({ source: "raw", previous: undefined, position: "1", sections });
    await engine.idle();
    await engine.close();
    await log.close();
  });

  afterAll(() => rm(base, { recursive: true, force: true }));

  it(
    "restores each record once",
    async () => {
      const random = randomNumbers(runSeed);
      const redrive = ["--data", base, "dead-letters", "redrive", "--json"];
      const counts: number[] = [];
      for (let kill = 0; kill < kills; kill++) {
        const child = spawn(process.execPath, ["dist/cli/main.js", ...redrive], {
          stdio: "ignore",
        });
        const ended = once(child, "exit");
        const left = records - (counts.at(-1) ?? 0);
        const until = written() + (recordBytes * 2 * random() * left) / (kills - kill + 1);
        while (child.exitCode === null && written() < until) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        child.kill("SIGKILL");
        await ended;
        counts.push((await samples()).length - records);
      }
      process.stdout.write(`restored at each kill: ${counts.join(" ")} of ${records}\n`);
      expect(counts.filter((count) => count > 0 && count < records).length).toBeGreaterThan(0);
      const { code, stdout } = await opencdn(redrive);
      expect(code).toBe(0);
      const { redriven, alreadyRedriven } = JSON.parse(stdout);
      expect(alreadyRedriven).toBe(counts.at(-1));
      expect(redriven + alreadyRedriven).toBe(records);
      expect(counts).toEqual([...counts].sort((a, b) => a - b));
      const keys = (await samples()).map(({ key }) => key);
      const expected = Array.from({ length: records }, (_, i) => `C${i}`);
      expect(keys.sort()).toEqual([...expected, ...expected].sort());
    },
    30_000 + kills * 3_000,
  );

  const written = (): number => folderBytes(path.join(base, "log/segments"));

  async function samples(): Promise<readonly { readonly key: string }[]> {
    const { records: all } = await takeCensus(path.join(base, "log"));
    return all.filter(({ topic }) => topic === pathSamples.name);
  }
});
