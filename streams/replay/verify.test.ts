import { describe, expect, it } from "vitest";
import { type NodeOverlay, nodeOverlaySchema } from "../../schemas/generated/events.ts";
import type { Chunk } from "../chunk.ts";
import { keyed, type Processor } from "../processor.ts";
import { recordStoreSpec } from "../store.ts";
import { TopologyDriver } from "../testing/topology-driver.ts";
import { nodeDrains, nodeOverlay, taskCommits } from "../topics.ts";
import { type VerifyReport, verifyTask } from "./verify.ts";

const known = recordStoreSpec("known", nodeOverlaySchema);

function overlay(
  nodeId: string,
  sequence: number,
  draining: boolean,
): Omit<NodeOverlay, "eventId" | "eventMs" | "logicVersion"> {
  return { nodeId, alive: true, draining, multiplier: 1, epoch: 1, sequence, reason: "TEST" };
}

/** Writes an overlay entry a drain, and one a tick with the tick's time as its sequence. */
const processor: Processor = {
  name: "drainer",
  logicVersion: 1,
  inputs: [
    keyed(nodeDrains, (event, context) => {
      const store = context.records(known);
      const sequence = (store.get(event.key)?.sequence ?? 0) + 1;
      const next = overlay(event.key, sequence, event.value?.draining ?? false);
      store.put(event.key, {
        ...next,
        eventId: Buffer.alloc(16),
        eventMs: event.eventMs,
        logicVersion: 1,
      });
      context.emit(nodeOverlay, event.key, next);
    }),
  ],
  outputs: [nodeOverlay],
  stores: [known],
  tickMs: 1_000,
  onTick: (context) =>
    context.emit(nodeOverlay, "tick", overlay("tick", context.tickMs, context.random() < 0.5)),
};

const nowMs = 1_700_000_000_000;

function recorded(): TopologyDriver {
  const driver = new TopologyDriver([processor], { slots: 1, nowMs });
  for (let i = 0; i < 30; i++) {
    for (let k = 0; k < 3; k++) {
      driver.send(nodeDrains, `N${k}`, {
        nodeId: `N${k}`,
        draining: i % 2 === 0,
        requestedBy: "t",
        reason: `r${i}`,
      });
    }
    driver.settle();
    if (i % 5 === 0) driver.advance(1_000);
  }
  return driver;
}

const verify = (driver: TopologyDriver): Promise<VerifyReport> =>
  verifyTask({ log: driver, processor, slot: 0 });

/** The record at `offset` of a topic: its chunk and where its value lies. */
function locate(
  driver: TopologyDriver,
  topic: string,
  offset: number,
): { chunk: Chunk; start: number; end: number } {
  const chunk = driver.chunks(topic, 0, offset)[0] as Chunk;
  let at = chunk.start;
  for (let i = chunk.baseOffset; ; i++) {
    const start = at + 6 + chunk.view.getUint16(at + 4, true);
    const end = start + chunk.view.getUint32(at, true);
    if (i === offset) return { chunk, start, end };
    at = end;
  }
}

function flip(driver: TopologyDriver, topic: string, offset: number, fromEnd: number): void {
  const { chunk, end } = locate(driver, topic, offset);
  chunk.buffer[end - fromEnd] = (chunk.buffer[end - fromEnd] as number) ^ 1;
}

/** Position in the log's buffer of the packed steps of a journal entry. */
function flipSteps(driver: TopologyDriver, offset: number, pick: (steps: Buffer) => number): void {
  const { chunk, start, end } = locate(driver, taskCommits.name, offset);
  const value = chunk.buffer.subarray(start, end);
  // header, "drainer", slot, commit, firstOfProcess, then steps: found by the length of the fields before.
  let at = 5 + 16;
  const skipLong = (): void => {
    while ((value[at] as number) >= 128) at += 1;
    at += 1;
  };
  skipLong();
  skipLong();
  at += 1 + (value[at] as number) / 2;
  skipLong();
  skipLong();
  at += 1;
  const length = (value[at] as number) / 2;
  const steps = value.subarray(at + 1, at + 1 + length);
  const index = pick(steps);
  steps[index] = (steps[index] as number) ^ 1;
}

describe("replay verify", () => {
  it("gives the same bytes and digests for what was recorded", async () => {
    const driver = recorded();
    const report = await verify(driver);
    expect(report.divergence).toBeUndefined();
    expect(report).toMatchObject({ records: 90, ticks: 6, outputs: 96 });
    expect(report.commits).toBe(driver.runs[0]?.task.counts.commits);
    expect(Object.keys(report.digests).sort()).toEqual(["known", "~time"]);
  });

  it("names the input of which one byte was flipped", async () => {
    const driver = recorded();
    flip(driver, nodeDrains.name, 40, 1);
    expect((await verify(driver)).divergence).toMatchObject({
      what: "input",
      topic: nodeDrains.name,
      offset: 40,
      width: 1,
    });
  });

  it("names the record at which a flipped order differs", async () => {
    const driver = recorded();
    // 0 run, 0 input, 0 slot, offset, count: another offset is another order.
    flipSteps(driver, 10, (steps) => (steps[0] === 0 ? 3 : 0));
    const { divergence } = await verify(driver);
    expect(divergence?.what).toBe("input");
    expect(divergence?.topic).toBe(nodeDrains.name);
  });

  it("names the output that a flipped tick moves", async () => {
    const driver = recorded();
    const ticking = driver
      .records(taskCommits)
      .findIndex(
        (record) => (record.value?.steps[0] ?? 0) === 1 && (record.value?.commit ?? 0) > 5,
      );
    expect(ticking).toBeGreaterThan(0);
    flipSteps(driver, ticking, () => 2);
    const { divergence } = await verify(driver);
    expect(divergence).toMatchObject({ what: "output", topic: nodeOverlay.name });
    expect(divergence?.message).toContain("tick");
  });

  it("names the output of which one byte was flipped", async () => {
    const driver = recorded();
    flip(driver, nodeOverlay.name, 33, 2);
    expect((await verify(driver)).divergence).toMatchObject({
      what: "output",
      topic: nodeOverlay.name,
      offset: 33,
      width: 1,
    });
  });

  it("names the journal entry whose other bytes were flipped", async () => {
    const driver = recorded();
    flip(driver, taskCommits.name, 12, 1);
    const { divergence } = await verify(driver);
    expect(divergence?.what).toBe("journal");
    expect(divergence?.offset).toBeGreaterThanOrEqual(12);
  });
});
