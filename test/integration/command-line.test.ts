import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MrtGenerator } from "../../gateways/bgp/testing/mrt-generator.ts";
import { opencdn } from "../kits/up-system.ts";

describe("the command line", () => {
  let folder = "";

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "ocdn-words-"));
    await writeFile(path.join(folder, "key.yaml"), "demonstration:\n  downSecond: 3\n");
    await writeFile(path.join(folder, "part.yaml"), "edge:\n  debugHeader: true\n");
    await writeFile(path.join(folder, "feed.mrt"), new MrtGenerator(1).updates(20));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = (...args: readonly string[]) => opencdn(["--data", folder, ...args]);

  it.each([
    [["topics", "--jsn"], "unknown option '--jsn', did you mean --json? (OCDN_USAGE)"],
    [["ingst", "mrt"], "unknown command 'ingst', did you mean ingest? (OCDN_USAGE)"],
    [["tail", "node.helth.v1"], "did you mean node.health.v1? (OCDN_UNKNOWN_TOPIC)"],
    [["--config", "key.yaml", "up"], "downSecond, did you mean downSeconds? (OCDN_CONFIG)"],
    [["--config", "part.yaml", "up", "--port", "0"], "did you mean debugHeaders? (OCDN_CONFIG)"],
    [["topics", "more"], "expected 0 arguments but got 1; `opencdn --help` shows what there is"],
    [["ingest", "mrt", "feed.mrt", "--log-id", "x"], "--log-id goes with --log NAME (OCDN_USAGE)"],
  ])("answers %j in one sentence with the nearest right word", async (args, text) => {
    const files = args.map((word) => (/\.(yaml|mrt)$/.test(word) ? path.join(folder, word) : word));
    const { code, stdout, stderr } = await run(...files);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(text);
  });

  it("gives programs the same as JSON", async () => {
    const { code, stdout, stderr } = await run("topics", "--jsn", "--json");
    expect({ code, stderr }).toEqual({ code: 2, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: "OCDN_USAGE",
        message: "reading the command line: unknown option '--jsn', did you mean --json?",
      },
    });
  });

  it("makes a log of the identity that is asked for, and no other of that name", async () => {
    const ingest = (logId: string) =>
      run("ingest", "mrt", path.join(folder, "feed.mrt"), "--log", "a", "--log-id", logId);
    expect((await ingest("one")).code).toBe(0);
    const { code, stdout } = await run("topics", "--log", "a", "--json");
    expect({ code, logId: JSON.parse(stdout).logId }).toEqual({ code: 0, logId: "one" });
    expect(await ingest("two")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("it is there with the identity one"),
    });
  });
});
