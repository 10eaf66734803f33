import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Place } from "../../domain/geo-table.ts";
import { check, pathAgent } from "./http-check.ts";
import { pathModel } from "./latency-model.ts";
import { LatencyProxy } from "./latency-proxy.ts";

const berlin: Place = { latitude: 52.5, longitude: 13.4 };
const frankfurt: Place = { latitude: 50.1, longitude: 8.7 };
const tokyo: Place = { latitude: 35.7, longitude: 139.7 };
const place = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
});

describe("the latency model", () => {
  it("never beats light, bounds loss, and repeats with its seed", () => {
    fc.assert(
      fc.property(place, place, fc.nat(), (from, to, seed) => {
        const name = { cell: "DE", nodeId: "FRA" };
        const path = pathModel(seed, name, from, to);
        const again = pathModel(seed, name, from, to);
        expect(path.lossRatio).toBeLessThan(0.01);
        for (let packet = 0; packet < 20; packet++) {
          const oneWayMs = path.nextOneWayMs();
          expect(oneWayMs).toBeGreaterThanOrEqual(path.km / 200);
          expect(again.nextOneWayMs()).toBe(oneWayMs);
          expect(again.nextIsLost()).toBe(path.nextIsLost());
        }
      }),
    );
  });

  it("loses about as many packets as it says", () => {
    const path = pathModel(1, { cell: "DE", nodeId: "TYO" }, berlin, tokyo);
    let lost = 0;
    for (let packet = 0; packet < 100_000; packet++) if (path.nextIsLost()) lost += 1;
    expect(lost / 100_000 / path.lossRatio).toBeGreaterThan(0.8);
    expect(lost / 100_000 / path.lossRatio).toBeLessThan(1.2);
  });
});

describe("the latency proxy", () => {
  let node: Server;
  let proxy: LatencyProxy;
  let proxyPort = 0;
  let nodePort = 0;

  beforeAll(async () => {
    node = createServer((_, response) => response.end("ok"));
    await new Promise<void>((resolve) => node.listen(0, "127.0.0.1", () => resolve()));
    nodePort = (node.address() as AddressInfo).port;
    proxy = new LatencyProxy({
      seed: 1,
      placeOf: (cell) => (cell === "DE" ? berlin : undefined),
      targetOf: (nodeId) =>
        nodeId === "FRA"
          ? { host: "127.0.0.1", port: nodePort, ...frankfurt }
          : nodeId === "OFF"
            ? { host: "127.0.0.1", port: 1, ...frankfurt }
            : undefined,
    });
    proxyPort = await proxy.listen();
  });

  afterAll(async () => {
    await proxy.close();
    node.closeAllConnections();
    node.close();
  });

  const ask = async (nodeId: string, from = "DE", times = 1): Promise<unknown[]> => {
    const agent = pathAgent({ proxyPort, nodeId, from, carry: "stream" });
    const url = new URL("http://node.invalid/_opencdn/health");
    const results = [];
    for (let at = 0; at < times; at++) results.push(await check({ url, timeoutMs: 1_500, agent }));
    agent.destroy();
    return results;
  };

  it("delays every round trip on one tunnel by at least the model's fixed part", async () => {
    const { fixedRttMs } = pathModel(1, { cell: "DE", nodeId: "FRA" }, berlin, frankfurt);
    expect(fixedRttMs).toBeGreaterThan(8);
    for (const result of await ask("FRA", "DE", 5)) {
      expect(result).toMatchObject({ kind: "answered", status: 200 });
      expect((result as { rttMs: number }).rttMs).toBeGreaterThan(fixedRttMs - 1);
    }
  });

  it("says refused for a closed port, an unknown node and an unknown cell", async () => {
    expect(await ask("OFF")).toEqual([{ kind: "refused", reason: "ECONNREFUSED" }]);
    expect(await ask("XXX")).toEqual([{ kind: "refused", reason: "TUNNEL_404" }]);
    expect(await ask("FRA", "XX")).toEqual([{ kind: "refused", reason: "TUNNEL_404" }]);
  });

  it("is no open proxy", async () => {
    const url = new URL(`http://127.0.0.1:${proxyPort}/http://127.0.0.1:${nodePort}/`);
    expect(await check({ url, timeoutMs: 1_000 })).toMatchObject({ status: 405 });
    expect(await ask(`127.0.0.1:${nodePort}`)).toEqual([{ kind: "refused", reason: "TUNNEL_404" }]);
  });
});
