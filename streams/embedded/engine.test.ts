import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeDrainSchema } from "../../schemas/generated/events.ts";
import { RecordBatch } from "../batch.ts";
import { OpenCdnError } from "../errors.ts";
import { keyed, type Processor } from "../processor.ts";
import { verifyTask } from "../replay/verify.ts";
import { SourceWriter } from "../source-writer.ts";
import { recordStoreSpec } from "../store.ts";
import type { TelemetryEvent } from "../telemetry.ts";
import { nodeDrains, nodeOverlay, tableNames } from "../topics.ts";
import { EmbeddedLog } from "./embedded-log.ts";
import { Engine } from "./engine.ts";

const drains = recordStoreSpec("drains", nodeDrainSchema);

/** Counts drains of a node in its sequence; a second processor copies what the first one writes. */
function counting(fault: { throws: boolean } = { throws: false }): Processor[] {
  return [
    {
      name: "counting",
      logicVersion: 1,
      inputs: [
        keyed(nodeDrains, (event, context) => {
          if (fault.throws && event.key === "poison") throw new Error("poison");
          const store = context.records(drains);
          const count = Number(store.get(event.key)?.reason ?? "0") + 1;
          const drain = event.value;
          if (drain !== null) store.put(event.key, { ...drain, reason: String(count) });
          context.emit(nodeOverlay, event.key, {
            nodeId: event.key,
            alive: true,
            draining: true,
            multiplier: 1,
            epoch: 1,
            sequence: count,
            reason: "",
          });
        }),
      ],
      outputs: [nodeOverlay],
      stores: [drains],
    },
  ];
}

describe("the engine", () => {
  let folder = "";
  let log: EmbeddedLog;
  let engine: Engine;
  let events: TelemetryEvent[] = [];

  async function open(processors: readonly Processor[] = counting()): Promise<void> {
    log = await EmbeddedLog.open({
      folder,
      slots: 2,
      tables: tableNames,
      nowMs: Date.now,
      sync: false,
    });
    events = [];
    engine = await Engine.open({
      log,
      processors,
      nowMs: Date.now,
      emit: (event) => events.push(event),
    });
  }

  async function close(): Promise<void> {
    await engine.close();
    await log.close();
  }

  function batch(keys: readonly string[], from: number): RecordBatch {
    const records = new RecordBatch();
    const writer = new SourceWriter(log, "test");
    keys.forEach((key, i) => {
      writer.add(
        records,
        nodeDrains,
        key,
        { nodeId: key, draining: true, requestedBy: "t", reason: "" },
        1_700_000_000_000 + i,
        String(from + i),
      );
    });
    return records;
  }

  async function send(keys: readonly string[], from: number): Promise<string> {
    const previous = from === 0 ? undefined : String(from);
    const position = String(from + keys.length);
    const outcome = await engine.submit({
      source: "test",
      previous,
      position,
      sections: batch(keys, from).sections(),
    });
    return outcome.kind;
  }

  const written = (): number =>
    [0, 1].reduce((sum, slot) => sum + log.endOffset(nodeOverlay.name, slot), 0);

  beforeEach(() => {
    folder = path.join(mkdtempSync(path.join(tmpdir(), "opencdn-engine-")), "log");
  });

  afterEach(() => {
    rmSync(path.dirname(folder), { recursive: true, force: true });
  });

  it("takes what is appended, goes on after a restart, and replays to the same bytes", async () => {
    await open();
    expect(await send(["A", "B", "A"], 0)).toBe("appended");
    await engine.idle();
    expect(written()).toBe(3);
    await close();
    await open();
    expect(events[0]).toMatchObject({ kind: "engine.ready" });
    expect(await send(["A"], 3)).toBe("appended");
    await engine.idle();
    expect(written()).toBe(4);
    const recorded = {
      logId: log.logId,
      slots: 2,
      schemas: log.schemas,
      read: async (topic: string, slot: number, offset: number, most: number) =>
        log.read(topic, slot, offset, most),
    };
    for (let slot = 0; slot < 2; slot++) {
      const report = await verifyTask({
        log: recorded,
        processor: counting()[0] as Processor,
        slot,
      });
      expect(report.divergence).toBeUndefined();
    }
    await close();
  });

  it("tells a repeated append from a conflicting one", async () => {
    await open();
    expect(await send(["A"], 0)).toBe("appended");
    expect(await send(["A"], 0)).toBe("duplicate");
    const stranger = await engine.submit({
      source: "test",
      previous: "7",
      position: "8",
      sections: batch(["A"], 7).sections(),
    });
    expect(stranger).toEqual({ kind: "conflict", position: "1" });
    await engine.idle();
    expect(written()).toBe(1);
    await close();
  });

  it("writes a dead letter for a record that its handler refuses, and goes on", async () => {
    await open(counting({ throws: true }));
    await send(["A", "poison", "A"], 0);
    await engine.idle();
    expect(written()).toBe(2);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "task.deadLetter", processor: "counting" }),
    );
    await close();
  });

  it("undoes and does again what a full disk refused, once there is room", async () => {
    await open();
    await send(["A"], 0);
    await engine.idle();
    const commit = log.commit.bind(log);
    let refusals = 1;
    log.commit = async (group) => {
      if (group.drafts.length > 0 && refusals-- > 0)
        throw new OpenCdnError("OCDN_DISK_FULL", "writing: no space is left");
      return await commit(group);
    };
    await send(["A", "B"], 1);
    await expect.poll(written, { timeout: 4_000 }).toBe(3);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "engine.commitFailed", code: "OCDN_DISK_FULL" }),
    );
    await close();
  });

  it("stops for good when it was fenced", async () => {
    await open();
    log.commit = () =>
      Promise.reject(new OpenCdnError("OCDN_FENCED", "committing: another owner took over"));
    await expect(send(["A"], 0)).rejects.toMatchObject({ code: "OCDN_FENCED" });
    await expect(send(["A"], 0)).rejects.toMatchObject({ code: "OCDN_FENCED" });
    expect(events).toContainEqual(expect.objectContaining({ kind: "engine.fatal" }));
    await close();
  });
});
