import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CellRequests, PathSample } from "../../../schemas/generated/events.ts";
import type { Emitted } from "../../../streams/processor.ts";
import { TestDriver } from "../../../streams/testing/test-driver.ts";
import { cellEstimates, cellRequests, deadLetters, pathSamples } from "../../../streams/topics.ts";
import { estimatesOptions } from "./config.ts";
import { decayed, emptyEstimate, withDemand, withSample } from "./estimate.ts";
import { estimatesProcessor } from "./processor.ts";

const options = estimatesOptions.parse({});
const t0 = 1_700_000_000_000;

function sample(
  cell: string,
  rttMs: number | null,
  more: Partial<PathSample> = {},
): Emitted<PathSample> {
  return {
    cell,
    nodeId: "FRA",
    rttMs,
    lossRatio: rttMs === null ? 1 : 0,
    jitterMs: 0,
    sampleCount: 1,
    origin: "PROBE",
    vantage: "v",
    synthetic: false,
    ...more,
  };
}

function requests(cell: string, count: number): Emitted<CellRequests> {
  return {
    cell,
    gatewayId: "g",
    serviceId: "web",
    intervalMs: 1_000,
    nodes: [{ nodeId: "FRA", requests: count, bytesSent: 0 }],
  };
}

describe("an estimate", () => {
  it("stays between the samples that made it, for any samples", () => {
    const value = fc.double({ min: 0, max: 5_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), (rtts) => {
        let estimate = emptyEstimate("DE");
        rtts.forEach((rtt, i) => {
          estimate = withSample(estimate, sample("DE", rtt), t0 + i, options, true);
        });
        const node = estimate.nodes[0];
        expect(node?.rttMs).toBeGreaterThanOrEqual(Math.min(...rtts) - 1e-9);
        expect(node?.rttMs).toBeLessThanOrEqual(Math.max(...rtts) + 1e-9);
        expect(node?.rttSigmaMs).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("follows a step of the path within a few samples", () => {
    let estimate = emptyEstimate("DE");
    for (let i = 0; i < 20; i++)
      estimate = withSample(estimate, sample("DE", 20), t0 + i, options, true);
    for (let i = 0; i < 4; i++)
      estimate = withSample(estimate, sample("DE", 120), t0 + i, options, true);
    expect(estimate.nodes[0]?.rttMs).toBeGreaterThan(110);
  });

  it("learns loss from a lost sample and keeps the RTT", () => {
    const known = withSample(emptyEstimate("DE"), sample("DE", 20), t0, options, true);
    const lost = withSample(known, sample("DE", null), t0, options, true);
    expect(lost.nodes[0]).toMatchObject({ rttMs: 20, lossRatio: options.lossGain });
    expect(withSample(emptyEstimate("DE"), sample("DE", null), t0, options, true).nodes).toEqual(
      [],
    );
  });

  it("tends to the true rate of a steady demand, and to nothing without", () => {
    let estimate = emptyEstimate("DE");
    for (let s = 0; s < 300; s++)
      estimate = withDemand(decayed(estimate, 1_000, options), "web", 50, options);
    expect(estimate.demandRps).toBeGreaterThan(45);
    expect(estimate.demandRps).toBeLessThan(55);
    expect(decayed(estimate, 1e7, options).services).toEqual([]);
  });
});

describe("the estimates processor", () => {
  it("writes the cell and the wider ones of its country, once a commit", () => {
    const driver = new TestDriver(estimatesProcessor());
    for (let i = 0; i < 10; i++)
      driver.send(pathSamples, "BR/sp/1", sample("BR/sp/1", 30), { eventMs: t0 + i });
    expect(
      driver
        .outputs(cellEstimates)
        .map((output) => output.key)
        .sort(),
    ).toEqual(["BR", "BR/sp", "BR/sp/1"]);
    driver.send(pathSamples, "BR/sp/1", sample("BR/sp/1", 30.1), { eventMs: t0 + 20 });
    expect(driver.outputs(cellEstimates)).toEqual([]);
    driver.send(pathSamples, "BR/sp/1", sample("BR/sp/1", 60), { eventMs: t0 + 30 });
    const moved = driver.outputs(cellEstimates);
    expect(moved.map((output) => output.key).sort()).toEqual(["BR", "BR/sp", "BR/sp/1"]);
    const rtt = (key: string): number =>
      moved.find((output) => output.key === key)?.value?.nodes[0]?.rttMs ?? 0;
    expect(rtt("BR/sp/1")).toBeGreaterThan(rtt("BR"));
  });

  it("lets demand decay by timers when requests stop", () => {
    const driver = new TestDriver(estimatesProcessor());
    for (let s = 0; s < 60; s++)
      driver.send(cellRequests, "BR", requests("BR", 20), { eventMs: t0 + s * 1_000 });
    const busy = driver.outputs(cellEstimates).at(-1)?.value?.demandRps ?? 0;
    expect(busy).toBeGreaterThan(10);
    driver.send(cellRequests, "AR", requests("AR", 1), { eventMs: t0 + 600_000 });
    const quiet = driver
      .outputs(cellEstimates)
      .filter((output) => output.key === "BR")
      .at(-1);
    expect(quiet?.value?.demandRps).toBe(0);
  });

  it("takes no harm from cells and numbers that are none", () => {
    const driver = new TestDriver(estimatesProcessor());
    for (const cell of ["", "//", "a".repeat(200), "DE/x/0"])
      driver.send(pathSamples, "DE", sample(cell, 5), { eventMs: t0 });
    for (const rtt of [Number.NaN, Number.POSITIVE_INFINITY, -5])
      driver.send(pathSamples, "DE", sample("DE", rtt), { eventMs: t0 });
    expect(driver.outputs(cellEstimates)).toEqual([]);
    expect(driver.outputs(deadLetters)).toEqual([]);
  });
});
