import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { identityOf, isAlive } from "../../streams/process-identity.ts";
import { readRun } from "./run-file.ts";
import type { ServerPlan } from "./server-plan.ts";
import { launch, stopServer, tailOf, untilHealthy } from "./supervise.ts";

let folder: string;
let logFile: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "ocdn-supervise-"));
  logFile = path.join(folder, "logs/redis.log");
});

afterEach(() => rm(folder, { recursive: true }));

/** A server that is a line of shell; its environment is what the plan says and nothing else. */
function planOf(script: string, check: () => Promise<void>): ServerPlan {
  return {
    name: "redis",
    version: "1",
    port: 9,
    program: "sh",
    args: ["-c", script],
    env: { PATH: process.env["PATH"] ?? "", ONLY: "this" },
    cwd: folder,
    prepare: async () => {},
    check,
  };
}

const well = async (): Promise<void> => {};
const never = (): Promise<void> => Promise.reject(new Error("not yet"));

it("starts a server in a group of its own, with a pid file, and ends the whole group", async () => {
  const plan = planOf('echo "$ONLY $HOME."; sleep 60 & echo $! > child; wait', async () => {
    await readFile(path.join(folder, "child"), "utf8").then((text) => {
      if (text === "") throw new Error("not yet");
    });
  });
  const record = await launch(plan, { logFile, runFolder: folder });
  await untilHealthy(plan, record, 5_000);
  expect(await readRun(folder, "redis")).toEqual({ record, alive: true });
  const child = identityOf(Number(await readFile(path.join(folder, "child"), "utf8")));
  if (child === undefined) throw new Error("the server has no child");
  expect(await tailOf(logFile)).toContain("this .");
  expect(await stopServer(record, { runFolder: folder, withinMs: 5_000 })).toBe("stopped");
  while (isAlive(child)) await new Promise(setImmediate);
  expect(await readRun(folder, "redis")).toBeUndefined();
});

it("kills a server that does not end by itself", async () => {
  const plan = planOf("trap '' TERM; echo > ready; while :; do sleep 0.05; done", async () => {
    await readFile(path.join(folder, "ready"));
  });
  const record = await launch(plan, { logFile, runFolder: folder });
  await untilHealthy(plan, record, 5_000);
  expect(await stopServer(record, { runFolder: folder, withinMs: 200 })).toBe("killed");
  expect(isAlive(record)).toBe(false);
  expect(await stopServer(record, { runFolder: folder, withinMs: 200 })).toBe("gone");
});

it("never signals another process that got the pid", async () => {
  const plan = planOf("exec sleep 60", well);
  const record = await launch(plan, { logFile, runFolder: folder });
  const reused = { ...record, startTicks: record.startTicks + 1 };
  expect(await stopServer(reused, { runFolder: folder, withinMs: 200 })).toBe("gone");
  expect(isAlive(record)).toBe(true);
  await stopServer(record, { runFolder: folder, withinMs: 5_000 });
});

it("says that a server ended, also when another answers in its place, or that it is late", async () => {
  const dead = planOf("echo why >&2; exit 3", well);
  const record = await launch(dead, { logFile, runFolder: folder });
  while (isAlive(record)) await new Promise(setImmediate);
  const ended = untilHealthy(dead, record, 5_000);
  await expect(ended).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
  expect((await tailOf(logFile)).at(-1)).toBe("why");
  const late = planOf("exec sleep 60", never);
  const slow = await launch(late, { logFile, runFolder: folder });
  await expect(untilHealthy(late, slow, 1)).rejects.toMatchObject({ code: "OCDN_TIMEOUT" });
  await stopServer(slow, { runFolder: folder, withinMs: 5_000 });
  const missing = { ...late, program: "opencdn-no-such-program" };
  const options = { logFile, runFolder: folder };
  await expect(launch(missing, options)).rejects.toMatchObject({ code: "OCDN_NOT_FOUND" });
});

it("puts a large log aside, and shows the end of one of any size", async () => {
  await mkdir(path.dirname(logFile));
  await writeFile(logFile, Array.from({ length: 5_000 }, (_, at) => `line ${at}`).join("\n"));
  const lines = await tailOf(logFile);
  expect([lines.length, lines.at(-1)]).toEqual([25, "line 4999"]);
  expect(await tailOf(path.join(folder, "none"))).toEqual([]);
  await truncate(logFile, 17 * 1_048_576);
  const plan = planOf("exit 0", well);
  const record = await launch(plan, { logFile, runFolder: folder });
  await stopServer(record, { runFolder: folder, withinMs: 5_000 });
  expect((await readFile(logFile)).length).toBeLessThan(1_000);
  expect((await readFile(`${logFile}.old`)).length).toBe(17 * 1_048_576);
});
