import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { distanceKm } from "../../domain/distance.ts";
import { vantageSchema } from "../../gateways/probes/config.ts";
import { demonstrationPlaces, placesOfPart } from "../../gateways/probes/places.ts";
import { Vantage } from "../../gateways/probes/vantage.ts";
import type { NodeHealth } from "../../schemas/generated/events.ts";
import { nodeHealth, nodeInventory, pathSamples } from "../../streams/topics.ts";
import { EdgeKit, eventually } from "../kits/edge-site.ts";
import { nodeOf } from "../kits/fleet.ts";

const sites = {
  TYO: { latitude: 35.7, longitude: 139.7 },
  SAO: { latitude: -23.5, longitude: -46.6 },
};

let kit: EdgeKit;
let canary: Server;
let vantage: Vantage;
const nodes = new Map<string, Server>();

async function serve(port = 0): Promise<Server> {
  const server = createServer((_, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** Verdicts of a node since a time. */
async function verdictsOf(nodeId: string, sinceMs: number): Promise<NodeHealth[]> {
  const all = await kit.readAll(nodeHealth);
  return all.filter((verdict) => verdict.nodeId === nodeId && verdict.eventMs >= sinceMs);
}

beforeAll(async () => {
  kit = await EdgeKit.open();
  const log = await kit.startEngine();
  canary = await serve();
  for (const nodeId of Object.keys(sites)) nodes.set(nodeId, await serve());
  for (const [nodeId, site] of Object.entries(sites)) {
    const baseUrl = `http://127.0.0.1:${portOf(nodes.get(nodeId) as Server)}`;
    await kit.write([[nodeInventory as never, nodeId, nodeOf(nodeId, { ...site, baseUrl })]]);
  }
  vantage = new Vantage(
    vantageSchema.parse({
      folder: kit.data,
      name: "v1",
      canaries: [`http://127.0.0.1:${portOf(canary)}/`],
      pathIntervalMs: 500,
      demonstration: { seed: 7, part: 0, parts: 3 },
    }),
  );
  await vantage.start();
  vantage.attach(log);
});

afterAll(async () => {
  await vantage.close();
  await stop(canary).catch(() => undefined);
  for (const server of nodes.values()) await stop(server).catch(() => undefined);
  await kit.close();
});

describe("a vantage process of the demonstration", () => {
  it("has a synthetic sample of every path at once, ordered as distances are", async () => {
    const places = placesOfPart(0, 3);
    const samples = await eventually("a sample of each path", async () => {
      const all = await kit.readAll(pathSamples);
      const paths = new Set(all.map(({ cell, nodeId }) => `${cell}>${nodeId}`));
      return paths.size === places.length * nodes.size ? all : undefined;
    });
    expect(places.map(({ cell }) => cell)).toContain("JP");
    const rttOf = (cell: string, nodeId: string): number =>
      samples.find((sample) => sample.cell === cell && sample.nodeId === nodeId)?.rttMs ?? -1;
    expect(rttOf("JP", "TYO")).toBeLessThan(rttOf("JP", "SAO"));
    expect(
      samples.every(
        ({ synthetic, vantage: by, origin }) => synthetic && by === "v1" && origin === "PROBE",
      ),
    ).toBe(true);
    for (const { cell, nodeId, rttMs } of samples) {
      const place = demonstrationPlaces.find((one) => one.cell === cell);
      if (place === undefined) throw new Error(cell);
      const km = distanceKm(place, sites[nodeId as keyof typeof sites]);
      expect(rttMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan((2 * km) / 200);
    }
  });

  it("writes a verdict a check, and the death and return of a node", async () => {
    const startMs = Date.now();
    const healthy = await eventually("good verdicts", async () => {
      const verdicts = await verdictsOf("SAO", startMs);
      return verdicts.length >= 3 ? verdicts : undefined;
    });
    expect(healthy.every((verdict) => verdict.healthy && verdict.vantage === "v1")).toBe(true);
    const sequences = healthy.map(({ checkSequence }) => checkSequence);
    expect(sequences).toEqual([...sequences].sort((left, right) => left - right));
    const server = nodes.get("SAO") as Server;
    const port = portOf(server);
    await stop(server);
    const diedMs = Date.now();
    const [dead] = await eventually("a bad verdict", async () => {
      const bad = (await verdictsOf("SAO", diedMs)).filter((verdict) => !verdict.healthy);
      return bad.length > 0 ? bad : undefined;
    });
    expect(dead).toMatchObject({ reason: "ECONNREFUSED", rttMs: null });
    const others = await verdictsOf("TYO", diedMs);
    expect(others.every((verdict) => verdict.healthy)).toBe(true);
    nodes.set("SAO", await serve(port));
    const backMs = Date.now();
    await eventually("a good verdict again", async () => {
      const good = (await verdictsOf("SAO", backMs)).filter((verdict) => verdict.healthy);
      return good.length > 0 ? true : undefined;
    });
  });

  it("finds a node that accepts and never answers", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", () => resolve()));
    const baseUrl = `http://127.0.0.1:${portOf(silent)}`;
    await kit.write([[nodeInventory as never, "HUNG", nodeOf("HUNG", { ...sites.TYO, baseUrl })]]);
    const verdict = await eventually(
      "a verdict on the silent node",
      async () => (await verdictsOf("HUNG", 0))[0],
    );
    expect(verdict).toMatchObject({ healthy: false, reason: "TIMEOUT" });
    nodes.set("HUNG", silent);
  });

  it("says nothing when it is blind", async () => {
    const canaryPort = portOf(canary);
    await stop(canary);
    for (const server of nodes.values()) await stop(server);
    // Checks under way at this moment may still be of the time before.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const blindMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const verdicts = (await kit.readAll(nodeHealth)).filter(({ eventMs }) => eventMs >= blindMs);
    expect(verdicts).toEqual([]);
    canary = await serve(canaryPort);
    const bad = await eventually("verdicts with sight regained", async () => {
      const all = (await kit.readAll(nodeHealth)).filter(({ eventMs }) => eventMs >= blindMs);
      return all.length >= 3 ? all : undefined;
    });
    expect(bad.every((verdict) => !verdict.healthy)).toBe(true);
  });
});
