import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { EdgeKit, eventually } from "../kits/edge-site.ts";
import { getRaw } from "../kits/raw-http.ts";

const database = "../shared/data/geoip/test-data/GeoIP2-City-Test.mmdb";
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

let kit: EdgeKit;
const children: ChildProcess[] = [];

interface Started {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly exited: Promise<number | null>;
}

/** Starts a role as its own process, as a supervisor does. */
async function start(module: string, config: unknown, argv?: readonly string[]): Promise<Started> {
  const file = join(kit.folder, `${module.replaceAll("/", "-")}.json`);
  await writeFile(file, typeof config === "string" ? config : JSON.stringify(config));
  const args = ["--import", tsx, module, ...(argv ?? ["--config", file])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
  children.push(child);
  let out = "";
  let err = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => (out += part));
  child.stderr?.setEncoding("utf8").on("data", (part: string) => (err += part));
  const exited = once(child, "exit").then(([code]) => code as number | null);
  return { child, out: () => out, err: () => err, exited };
}

async function ready({ out }: Started): Promise<Record<string, number | string>> {
  const line = await eventually("the ready line", () =>
    out()
      .split("\n")
      .find((one) => one.includes('"ready"')),
  );
  return JSON.parse(line);
}

const site = () => ({
  folder: kit.data,
  port: 0,
  keyRing: { file: join(kit.folder, "keys.json") },
  geo: { cityDatabases: [database], asnDatabases: [], cacheFolder: kit.folder },
});

beforeAll(async () => {
  kit = await EdgeKit.open();
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

afterAll(() => kit.close());

describe.skipIf(!existsSync(database))(`processes (skipped: needs ${database})`, () => {
  it("a gateway without an engine says once that it waits, listens, and stops in order", async () => {
    const started = await start("gateways/edge/main.ts", {
      ...site(),
      adminPort: 0,
      tablesFile: join(kit.folder, "t.bin"),
    });
    const line = await ready(started);
    expect(line).toMatchObject({
      event: "ready",
      role: "edge",
      gatewayId: "edge-1",
      pid: started.child.pid,
    });
    expect((await getRaw(Number(line["port"]), "/")).status).toBe(404);
    expect((await getRaw(Number(line["adminPort"]), "/_opencdn/ready")).status).toBe(503);
    await eventually("the log line", () =>
      started.err().includes("waiting for the engine") ? true : undefined,
    );
    started.child.kill("SIGTERM");
    expect(await started.exited).toBe(0);
    expect(started.err().trim().split("\n").length).toBe(1);
    expect(started.out().trim().split("\n").length).toBe(1);
  });

  it("a node says its port, also to its parent, and stops when the parent is gone", async () => {
    const started = await start("gateways/edge/node-main.ts", {
      ...site(),
      nodeId: "TYO",
      bootstrapUrl: "http://127.0.0.1:1",
      defaultService: "web",
    });
    const [message] = await once(started.child, "message");
    expect(message).toMatchObject({ event: "ready", role: "node", nodeId: "TYO" });
    expect((await getRaw(message.port, "/hello.txt")).status).toBe(200);
    started.child.disconnect();
    expect(await started.exited).toBe(0);
  });

  it("a vantage process starts, leaves Ctrl-C to its parent, and stops on its word", async () => {
    const started = await start("gateways/probes/main.ts", {
      folder: kit.data,
      name: "v1",
      canaries: ["http://127.0.0.1:1"],
    });
    expect(await ready(started)).toMatchObject({ role: "vantage", name: "v1" });
    started.child.kill("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(started.child.exitCode).toBeNull();
    started.child.kill("SIGTERM");
    expect(await started.exited).toBe(0);
  });

  it.each([
    [
      "an unknown option",
      { folder: "x", prt: 1 },
      undefined,
      "there is no option prt, did you mean port?",
    ],
    ["a missing one", {}, undefined, "folder: "],
    ["text that is no JSON", "{", undefined, "reading the configuration "],
    ["no option", {}, [], "call it with --config FILE"],
  ])("%s ends with code 2 and one sentence", async (_, config, argv, message) => {
    const started = await start("gateways/edge/main.ts", config, argv);
    expect(await started.exited).toBe(2);
    expect(started.err()).toContain(message);
    expect(started.err().trim().split("\n").length).toBe(1);
  });

  it("a key ring that is missing ends with code 1, and no secret is ever said", async () => {
    const started = await start("gateways/edge/main.ts", {
      ...site(),
      keyRing: { file: join(kit.folder, "none.json") },
    });
    expect(await started.exited).toBe(1);
    expect(started.err()).toContain("OCDN_KEY_RING");
    for (const key of kit.keys.keys)
      expect(started.err()).not.toContain(key.secret.export().toString("base64"));
  });
});
