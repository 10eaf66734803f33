import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkFree, choosePorts, defaultPorts, readPorts, writePorts } from "./ports.ts";

describe("ports", () => {
  it("are the defaults, then what was chosen before, then what is wanted", async () => {
    expect(await choosePorts({}, undefined)).toEqual(defaultPorts);
    const before = { ...defaultPorts, kafka: 20_000, redis: 20_001 };
    expect(await choosePorts({ redis: 20_002 }, before)).toEqual({ ...before, redis: 20_002 });
  });

  it("are free ones for 0, and stay then", async () => {
    const wanted = { kafka: 0, controller: 0, registry: 0, connect: 0, redis: 0 };
    const chosen = await choosePorts(wanted, undefined);
    expect(new Set(Object.values(chosen)).size).toBe(5);
    for (const [name, port] of Object.entries(chosen)) await checkFree(name, port);
    expect(await choosePorts(wanted, chosen)).toEqual(chosen);
  });

  it("are refused when one is wanted twice or taken", async () => {
    await expect(choosePorts({ redis: 19_092 }, undefined)).rejects.toThrow(/cannot both have/);
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as { port: number };
    await expect(checkFree("redis", port)).rejects.toMatchObject({ code: "OCDN_CONFIG" });
    await new Promise((resolve) => server.close(resolve));
    expect(await checkFree("redis", port)).toBeUndefined();
  });

  it("are kept in a file; a damaged one is named", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "ocdn-ports-"));
    const file = path.join(folder, "ports.json");
    expect(await readPorts(file)).toBeUndefined();
    await writePorts(file, defaultPorts);
    expect(await readPorts(file)).toEqual(defaultPorts);
    for (const text of ["", "{", "{}", JSON.stringify({ ...defaultPorts, kafka: 70_000 })]) {
      await writeFile(file, text);
      await expect(readPorts(file)).rejects.toThrow(/ports\.json is damaged/);
    }
    await rm(folder, { recursive: true });
  });
});
