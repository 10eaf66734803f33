import { afterAll, describe, expect, it } from "vitest";
import type { EmbeddedLog } from "./embedded-log.ts";
import { Child } from "./testing/child.ts";
import { type KillState, killState, openKillLog, randomNumbers } from "./testing/kill-plan.ts";
import {
  newFolder,
  readAll,
  removeFolders,
  storeEntries,
  tableEntries,
} from "./testing/log-fixture.ts";

afterAll(removeFolders);

function stateOf(log: EmbeddedLog): KillState {
  const three = [0, 1, 2];
  return {
    inputs: three.map((slot) => readAll(log, "in.v1", slot)),
    outputs: three.map((slot) => readAll(log, "table.a.v1", slot)),
    tables: three.map((slot) => tableEntries(log, "table.a.v1", slot)),
    stores: three.map((slot) => storeEntries(log, "rib", slot, "s")),
    commits: three.map((slot) => log.taskState("rib", slot)?.commit),
  };
}

/** Lets a process commit for a while, kills it, and gives how many groups it was told are durable. */
async function killOne(
  folder: string,
  seed: number,
  groups: number,
  waitMs: number,
): Promise<number> {
  const child = new Child(
    new URL("./testing/kill-child.ts", import.meta.url),
    folder,
    String(seed),
  );
  let acknowledged = 0;
  for (let line = 0; line <= groups; line++) acknowledged = Number(await child.line());
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  const killed = child.kill("SIGKILL");
  for (let line = await child.line(); line !== undefined; line = await child.line()) {
    acknowledged = Number(line);
  }
  await killed;
  return acknowledged;
}

describe("kill -9 at any moment", () => {
  const base = Number(process.env["OPENCDN_SEED"] ?? Date.now() % 1_000_000);
  it.each([0, 1, 2, 3].map((n) => base + n))(
    "loses nothing acknowledged and repeats nothing (OPENCDN_SEED=%d)",
    async (seed) => {
      const folder = newFolder();
      const random = randomNumbers(seed);
      let acknowledged = 0;
      for (let kill = 0; kill < 2; kill++) {
        const groups = 1 + Math.floor(random() * 40);
        acknowledged = await killOne(folder, seed, groups, random() * 20);
      }
      const log = await openKillLog(folder);
      const count = Number(log.sourcePosition("feed"));
      // One commit may have been durable before anybody was told.
      expect([acknowledged, acknowledged + 1]).toContain(count);
      expect(stateOf(log)).toEqual(killState(seed, count));
      await log.close();
    },
    15_000,
  );
});
