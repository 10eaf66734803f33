import { describe, expect, it } from "vitest";
import { TestDriver } from "../../streams/testing/test-driver.ts";
import { nodeDrains, nodeHealth, nodeOverlay } from "../../streams/topics.ts";
import { failoverProcessor } from "./processor.ts";

const startMs = 1_800_000_000_000;

function check(driver: TestDriver, vantage: string, healthy: boolean, atMs: number): void {
  driver.send(
    nodeHealth,
    "SAO",
    {
      nodeId: "SAO",
      vantage,
      healthy,
      rttMs: healthy ? 12 : null,
      reason: healthy ? "" : "refused",
      checkSequence: 1,
    },
    { eventMs: atMs },
  );
}

function drain(driver: TestDriver, draining: boolean, atMs: number): void {
  const value = { nodeId: "SAO", draining, requestedBy: "test", reason: "" };
  driver.send(nodeDrains, "SAO", value, { eventMs: atMs });
}

describe("the failover processor", () => {
  it("writes the overlay in the commit of the second vantage point's verdict", () => {
    const driver = new TestDriver(failoverProcessor());
    for (const vantage of ["a", "b", "c"]) check(driver, vantage, true, startMs);
    const [seen] = driver.outputs(nodeOverlay);
    expect(seen?.value).toMatchObject({ alive: true, multiplier: 1, epoch: startMs, sequence: 1 });
    check(driver, "a", false, startMs + 500);
    expect(driver.outputs(nodeOverlay)).toEqual([]);
    check(driver, "b", false, startMs + 510);
    const [dead] = driver.outputs(nodeOverlay);
    expect(dead).toMatchObject({ key: "SAO", value: { alive: false, multiplier: 0, sequence: 2 } });
  });

  it("keeps its epoch, and begins a higher one when its history is lost", () => {
    const driver = new TestDriver(failoverProcessor());
    drain(driver, true, startMs);
    drain(driver, false, startMs + 60_000);
    const written = driver.outputs(nodeOverlay).map((output) => output.value);
    expect(written.map((value) => [value?.epoch, value?.sequence, value?.draining])).toEqual([
      [startMs, 1, true],
      [startMs, 2, false],
    ]);
    const next = new TestDriver(failoverProcessor());
    drain(next, true, startMs + 90_000);
    expect(next.outputs(nodeOverlay)[0]?.value?.epoch).toBeGreaterThan(startMs);
  });

  it("ends a drain when its request is removed", () => {
    const driver = new TestDriver(failoverProcessor());
    drain(driver, true, startMs);
    driver.remove(nodeDrains, "SAO", { timestampMs: startMs + 1 });
    expect(driver.outputs(nodeOverlay).at(-1)?.value?.draining).toBe(false);
  });

  it("refuses options that make no sense", () => {
    expect(() => failoverProcessor({ quorum: 1 })).toThrow();
    expect(() => failoverProcessor({ rampMultipliers: [0.5, 0.2, 1] })).toThrow();
    expect(() => failoverProcessor({ surprise: 1 } as never)).toThrow();
  });
});
