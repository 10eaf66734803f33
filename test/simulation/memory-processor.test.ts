import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TestDriver } from "../../streams/testing/test-driver.ts";
import { alerts, nodeMetrics } from "../../streams/topics.ts";
import { memoryProcessor } from "../kits/memory-processor.ts";

const startMs = 1_800_000_000_000;

function sample(driver: TestDriver, memoryRatio: number, atMs: number): void {
  const counts = { connections: 0, connects: 0, reconnects: 0, requests: 0, bytesSent: 0 };
  const rest = { cpuRatio: 0.1, eventLoopDelayMs: 1, intervalMs: 10_000, synthetic: false };
  const metrics = { nodeId: "SAO", memoryRatio, ...counts, ...rest };
  driver.send(nodeMetrics, "SAO", metrics, { eventMs: atMs });
}

describe("the example of the guide", () => {
  it("fires on the third sample in a row and not before", () => {
    const driver = new TestDriver(memoryProcessor());
    for (const [index, ratio] of [0.95, 0.95, 0.5, 0.95, 0.95].entries()) {
      sample(driver, ratio, startMs + index * 10_000);
    }
    expect(driver.outputs(alerts)).toEqual([]);
    sample(driver, 0.97, startMs + 50_000);
    const [fired] = driver.outputs(alerts);
    expect(fired).toMatchObject({
      key: "node-memory|SAO",
      value: { state: "FIRING", startedMs: startMs + 30_000, value: 0.97, samples: 3 },
    });
  });

  it("is quoted by the guide as it stands", () => {
    const read = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");
    const guide = read("../../docs/guides/writing-a-processor.md");
    expect(guide).toContain(read("../kits/memory-processor.ts"));
  });
});
