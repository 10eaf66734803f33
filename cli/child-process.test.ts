import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Child } from "./child-process.ts";

const ready = 'process.send({ event: "ready" }); setInterval(() => {}, 1000);';
const failing = "process.exitCode = 3;";

describe("a supervised process", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "ocdn-child-"));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Runs `source` until it ended so often, killing it when it is ready; gives how it ended and when it came back. */
  async function endings(source: string, count: number): Promise<[string, number | undefined][]> {
    const module = path.join(folder, `${count}.mjs`);
    await writeFile(module, source);
    const ended: [string, number | undefined][] = [];
    await new Promise<void>((resolve) => {
      const child = new Child({
        name: "it",
        module,
        configFile: "",
        onReady: ({ pid }) => process.kill(pid as number, "SIGKILL"),
        onExit: (_, how, backInMs) => {
          ended.push([how, backInMs]);
          if (ended.length === count) void child.stop().then(resolve);
        },
      });
      child.start();
    });
    return ended;
  }

  it("comes back at once when it is killed, again and again", async () => {
    expect(await endings(ready, 4)).toEqual(Array.from({ length: 4 }, () => ["SIGKILL", 0]));
  });

  it("comes back later and later when it ends by itself", async () => {
    expect(await endings(failing, 3)).toEqual([
      ["exit code 3", 100],
      ["exit code 3", 200],
      ["exit code 3", 400],
    ]);
  });
});
