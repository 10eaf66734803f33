import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { PathSample } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import { pathAgent } from "./http-check.ts";
import { PathProber } from "./path-prober.ts";
import { demonstrationPlaces, placesOfPart } from "./places.ts";

const servers: Server[] = [];
const probers: PathProber[] = [];
afterEach(() => {
  for (const prober of probers.splice(0)) prober.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function nodeUrl(): Promise<URL> {
  const server = createServer((_, response) => response.end("ok"));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/_opencdn/health`);
}

interface Setup {
  readonly prober: PathProber;
  readonly samples: Emitted<PathSample>[];
  /** Resolves when there are this many samples. */
  readonly until: (count: number) => Promise<void>;
}

function setUp(targets: Map<string, URL>, isBlind = (): boolean => false): Setup {
  const samples: Emitted<PathSample>[] = [];
  let wake: () => void = () => undefined;
  const prober = new PathProber({
    vantage: "v1",
    cells: ["JP", "BR"],
    targets: () => targets,
    agentOf: () => pathAgent(undefined),
    synthetic: true,
    isBlind,
    write: (sample) => {
      samples.push(sample);
      wake();
    },
    intervalMs: 200,
  });
  probers.push(prober);
  const until = async (count: number): Promise<void> => {
    while (samples.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { prober, samples, until };
}

describe("path rounds", () => {
  it("give one sample a round for each cell and node, at once and again", async () => {
    const { prober, samples, until } = setUp(new Map([["TYO", await nodeUrl()]]));
    prober.refresh();
    prober.refresh();
    expect(prober.pathCount).toBe(2);
    await until(2);
    expect(samples.map(({ cell }) => cell).sort()).toEqual(["BR", "JP"]);
    expect(samples[0]).toMatchObject({
      nodeId: "TYO",
      lossRatio: 0,
      sampleCount: 2,
      origin: "PROBE",
      vantage: "v1",
      synthetic: true,
    });
    expect(samples[0]?.rttMs).toBeGreaterThan(0);
    await until(4);
    expect(samples.at(-1)?.sampleCount).toBe(4);
  });

  it("begin and end with their nodes", async () => {
    const targets = new Map([["TYO", await nodeUrl()]]);
    const { prober, samples, until } = setUp(targets);
    prober.refresh();
    await until(2);
    targets.delete("TYO");
    targets.set("SAO", await nodeUrl());
    prober.refresh();
    expect(prober.pathCount).toBe(2);
    const seen = samples.length;
    await until(seen + 2);
    expect(samples.slice(seen).every(({ nodeId }) => nodeId === "SAO")).toBe(true);
  });

  it("write nothing for a node that refuses, and nothing while blind", async () => {
    const live = await nodeUrl();
    let blind = true;
    const targets = new Map([
      ["OFF", new URL("http://127.0.0.1:1/")],
      ["TYO", live],
    ]);
    const { prober, samples, until } = setUp(targets, () => blind);
    prober.refresh();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(samples).toEqual([]);
    blind = false;
    await until(2);
    expect(samples.every(({ nodeId }) => nodeId === "TYO")).toBe(true);
  });
});

describe("the demonstration's places", () => {
  it("are each measured by exactly one of three processes", () => {
    const cells = [0, 1, 2].flatMap((part) => placesOfPart(part, 3).map(({ cell }) => cell));
    expect(cells.sort()).toEqual(demonstrationPlaces.map(({ cell }) => cell).sort());
    expect(new Set(cells).size).toBe(cells.length);
  });
});
