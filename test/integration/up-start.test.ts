import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RecordBatch } from "../../streams/batch.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import type { Log } from "../../streams/log.ts";
import { slotOfKey } from "../../streams/topic.ts";
import { pathSamples } from "../../streams/topics.ts";
import { opencdn, UpSystem, until } from "../kits/up-system.ts";

const brazil = "200.160.2.3";
const brazilians = Array.from({ length: 20 }, (_, index) => `200.160.${2 + index}.3`);
/** A terminal's user waits so long for the end after Ctrl-C, ms. */
const patienceMs = 10_000;

interface Topics {
  readonly logId: string;
  readonly topics: readonly { readonly topic: string; readonly records: number }[];
}

interface Decision {
  readonly key: string;
  readonly value: { readonly version: number };
}

interface Letter {
  readonly id: string;
  readonly redriven: boolean;
  readonly letter: { readonly sourceTopic: string; readonly code: string };
}

let system: UpSystem;

beforeAll(async () => {
  system = await UpSystem.start();
});

afterAll(async () => {
  await system?.dispose();
});

const letters = (): Promise<Letter[]> => system.json<Letter>("dead-letters", "list");

/** How often this value stands in a slot of path.samples.v1. */
async function copies(log: Log, slot: number, value: Buffer): Promise<number> {
  const cursor = new RecordCursor();
  let found = 0;
  for (let offset = 0; ; ) {
    const chunks = await log.read(pathSamples.name, slot, offset, 1_048_576);
    if (chunks.length === 0) return found;
    for (const chunk of chunks) {
      cursor.open(chunk, offset);
      while (cursor.next()) {
        offset = cursor.offset + 1;
        const { buffer, valueStart, valueEnd } = cursor;
        if (buffer.compare(value, 0, value.length, valueStart, valueEnd) === 0) found += 1;
      }
    }
  }
}

const decisionVersions = async (): Promise<ReadonlyMap<string, number>> => {
  const args = ["tail", "route.decisions.v1", "--from", "snapshot", "--once"];
  const records = await system.json<Decision>(...args);
  return new Map(records.map(({ key, value }) => [key, value.version]));
};

describe("a start beside a running system", () => {
  it("is refused on the same folder, naming who runs there", async () => {
    const { code, stdout, stderr } = await system.command("up", "--port", "0");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(`pid ${system.pid}`);
    expect(stderr).toContain("OCDN_FOLDER_OWNED");
    expect((await system.redirect(brazil)).status).toBe(302);
  });

  it("is refused to a second engine, which says who owns the log", async () => {
    const { pid } = await system.process("engine");
    const config = path.join(system.data, "run/engine.json");
    const engine = ["dist/cli/engine-main.js", "--config", config];
    const { status, stdout, stderr } = spawnSync(process.execPath, engine, { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({
      code: "OCDN_FOLDER_OWNED",
      msg: expect.stringContaining(`process ${pid} owns it`),
    });
    expect((await system.process("engine")).pid).toBe(pid);
  });

  it("says which port is taken and what to do", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "ocdn-busy-"));
    try {
      const port = String(system.ports.edge);
      const { code, stderr } = await opencdn(["--data", folder, "up", "--port", port]);
      expect(code).toBe(2);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toContain(`port ${port}`);
      expect(stderr).toContain("--port 0");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("a running system", () => {
  const everywhere = async (): Promise<string[]> => [
    ...new Set((await system.nodesOf(brazilians)).values()),
  ];

  it("sends no client to a node that drains, until the drain ends", async () => {
    await until("clients of SAO", async () => (await everywhere()).includes("SAO") || undefined);
    expect((await system.command("node", "drain", "SAO")).code).toBe(0);
    const others = await until("the drain", async () => {
      const nodes = await everywhere();
      return nodes.includes("SAO") ? undefined : nodes;
    });
    expect(others).not.toContain("");
    expect((await system.command("node", "undrain", "SAO")).code).toBe(0);
    await until("clients of SAO", async () => (await everywhere()).includes("SAO") || undefined);
    const unknown = await system.command("node", "drain", "SAU");
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining("SAO") });
  });

  it("sets an undecodable record aside and restores it once, however often it is asked", async () => {
    const log = await system.log();
    try {
      const key = Buffer.from("BR");
      const value = Buffer.from("no frame of ours, whatever reads it");
      const slot = slotOfKey(pathSamples, log.slots, key);
      const batch = new RecordBatch();
      batch.add(pathSamples.name, slot, key, 0, key.length, value, 0, value.length);
      await log.append({ source: "test/raw", previous: undefined, position: "1", batch });
      const of = (all: readonly Letter[]) =>
        all.filter(({ letter }) => letter.sourceTopic === pathSamples.name);
      // Two processors read the topic, and each refuses the record.
      const first = await until("the dead letters", async () => {
        const found = of(await letters());
        return found.length > 1 ? found : undefined;
      });
      expect(first.every(({ redriven }) => !redriven)).toBe(true);
      expect(await copies(log, slot, value)).toBe(1);

      const { id } = first[0] as Letter;
      const second = (first[1] as Letter).id;
      const redrive = (...ids: readonly string[]) =>
        system.json<{ redriven: number; alreadyRedriven: number }>(
          "dead-letters",
          "redrive",
          ...ids,
        );
      const answers = (await Promise.all([redrive(id), redrive(id), redrive(second)])).flat();
      expect(answers.reduce((sum, { redriven }) => sum + redriven, 0)).toBe(1);
      expect(await redrive(id, second)).toEqual([{ redriven: 0, alreadyRedriven: 2 }]);
      expect(await copies(log, slot, value)).toBe(2);
      // The restored one is as bad as it was: it is refused again, which is another record to decide about.
      const later = await until("its new letters", async () => {
        const found = of(await letters());
        return found.length === 4 ? found : undefined;
      });
      const redriven = later.filter((one) => one.redriven).map((one) => one.id);
      expect(redriven.sort()).toEqual([id, second].sort());
      // All of them: ends although what it restores is refused once more.
      expect(await redrive()).toEqual([{ redriven: 1, alreadyRedriven: 3 }]);
      expect(await copies(log, slot, value)).toBe(3);
      expect((await system.redirect(brazil)).status).toBe(302);
    } finally {
      await log.close();
    }
  });
});

describe("a stop by Ctrl-C", () => {
  it("is clean, and the next start goes on where it stopped", async () => {
    const [before] = await system.json<Topics>("topics");
    const began = performance.now();
    expect(await system.signal("SIGINT")).toEqual({ code: 0 });
    expect(performance.now() - began).toBeLessThan(patienceMs);

    const [stopped] = await system.json<Topics>("topics");
    expect(stopped?.logId).toBe(before?.logId);
    const counts = new Map(stopped?.topics.map(({ topic, records }) => [topic, records]));
    for (const { topic, records } of before?.topics ?? []) {
      expect(counts.get(topic), topic).toBeGreaterThanOrEqual(records);
    }
    const kept = await decisionVersions();
    expect(kept.has("BR|web")).toBe(true);
    expect((await system.command("replay", "verify")).code).toBe(0);

    const { folder } = system;
    await system.dispose({ keepFolder: true });
    system = await UpSystem.start({ folder });
    const [after] = await system.json<Topics>("topics");
    expect(after?.logId).toBe(before?.logId);
    expect((await system.redirect(brazil)).status).toBe(302);
    const now = await decisionVersions();
    expect(now.size).toBeGreaterThanOrEqual(kept.size);
    for (const [key, version] of kept) expect(now.get(key), key).toBeGreaterThanOrEqual(version);
    expect(system.err).not.toMatch(/error|ended/i);
  });
});
