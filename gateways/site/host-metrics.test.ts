import { describe, expect, it } from "vitest";
import { HostMetrics } from "./host-metrics.ts";

function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    // uses the CPU
  }
}

describe("host metrics", () => {
  it("sees the CPU time that this process used", () => {
    const metrics = new HostMetrics("process");
    burn(60);
    const busy = metrics.take();
    expect(busy.cpuRatio).toBeGreaterThan(0);
    expect(busy.cpuRatio).toBeLessThanOrEqual(1);
    expect(busy.memoryRatio).toBeGreaterThan(0);
    expect(busy.memoryRatio).toBeLessThan(1);
    metrics.close();
  });

  it("sees the machine's memory and CPU between two calls", async () => {
    const metrics = new HostMetrics("host");
    burn(60);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const sample = metrics.take();
    expect(sample.cpuRatio).toBeGreaterThan(0);
    expect(sample.cpuRatio).toBeLessThanOrEqual(1);
    expect(sample.memoryRatio).toBeGreaterThan(0);
    expect(sample.eventLoopDelayMs).toBeGreaterThanOrEqual(0);
    metrics.close();
  });

  it("sees an event loop that was held up", async () => {
    const metrics = new HostMetrics("process");
    await new Promise((resolve) => setTimeout(resolve, 60));
    metrics.take();
    burn(150);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(metrics.take().eventLoopDelayMs).toBeGreaterThan(5);
    metrics.close();
  });
});
