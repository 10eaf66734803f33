import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyFolder } from "../../cli/commands/replay.ts";
import { estimatesProcessor } from "../../processors/router/estimates/processor.ts";
import { RecordBatch } from "../../streams/batch.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import { openDirectLog } from "../../streams/embedded/direct-log.ts";
import { EmbeddedLog } from "../../streams/embedded/embedded-log.ts";
import { Engine } from "../../streams/embedded/engine.ts";
import { hex16 } from "../../streams/identity.ts";
import { SourceWriter } from "../../streams/source-writer.ts";
import { cellEstimates, pathSamples, tableNames, taskCommits } from "../../streams/topics.ts";

const processors = [estimatesProcessor()];

/** One byte of a segment file is flipped on the disk, and `opencdn replay verify` names the record. */
describe("replay verify on a damaged folder", () => {
  let base = "";
  let folder = "";
  let pristine: Buffer;
  let segment = "";

  beforeAll(async () => {
    base = mkdtempSync(path.join(tmpdir(), "opencdn-damage-"));
    folder = path.join(base, "log");
    const log = await EmbeddedLog.open({ folder, slots: 1, tables: tableNames, nowMs: Date.now });
    const engine = await Engine.open({ log, processors, nowMs: Date.now });
    const writer = new SourceWriter(log, "test");
    for (let group = 0; group < 12; group++) {
      const batch = new RecordBatch();
      for (let i = 0; i < 5; i++) {
        const sample = {
          cell: "BR",
          nodeId: "SAO",
          rttMs: 10 + 40 * ((group * 5 + i) % 7),
          lossRatio: 0,
          jitterMs: 0,
          sampleCount: 1,
          origin: "PROBE" as const,
          vantage: `vantage-${group}-${i}`,
          synthetic: false,
        };
        writer.add(
          batch,
          pathSamples,
          "BR",
          sample,
          1_700_000_000_000 + group * 1_000 + i,
          `${group}/${i}`,
        );
      }
      const previous = group === 0 ? undefined : String(group - 1);
      await engine.submit({
        source: "test",
        previous,
        position: String(group),
        sections: batch.sections(),
      });
      await engine.idle();
    }
    await engine.close();
    await log.close();
    const file = readdirSync(path.join(folder, "segments")).find((name) => name.endsWith(".seg"));
    segment = path.join(folder, "segments", file ?? "");
    pristine = readFileSync(segment);
  });

  afterAll(() => rmSync(base, { recursive: true, force: true }));

  const verify = (): Promise<void> =>
    verifyFolder(folder, () => openDirectLog({ folder, nowMs: Date.now }), processors, {
      json: true,
    });

  /** Flips the last byte of the value of the record at `offset`, found in the file by its event id. */
  async function flip(topic: string, offset: number): Promise<void> {
    writeFileSync(segment, pristine);
    const log = await openDirectLog({ folder, nowMs: Date.now });
    const cursor = new RecordCursor();
    let at = -1;
    for (const chunk of await log.read(topic, 0, offset, 1)) {
      cursor.open(chunk, offset);
      cursor.next();
      const value = cursor.buffer.subarray(cursor.valueStart, cursor.valueEnd);
      expect(hex16(value, 5)).toHaveLength(32);
      at = pristine.indexOf(value) + value.length - 1;
      break;
    }
    await log.close();
    expect(at).toBeGreaterThan(0);
    const damaged = Buffer.from(pristine);
    damaged[at] = (damaged[at] as number) ^ 1;
    writeFileSync(segment, damaged);
  }

  it("is green on what was written", async () => {
    await expect(verify()).resolves.toBeUndefined();
  });

  it.each([
    ["input", pathSamples.name, 23],
    ["output", cellEstimates.name, 7],
  ] as const)("names the %s that lies there with other bytes", async (what, topic, offset) => {
    await flip(topic, offset);
    const text = `${what} differs first at ${topic} slot 0 offset ${offset}:`;
    await expect(verify()).rejects.toMatchObject({ code: "OCDN_REPLAY_DIVERGED" });
    await expect(verify()).rejects.toThrow(text);
    await expect(verify()).rejects.toThrow(/checksum of a chunk differs \(.* slot 0 offsets/);
  });

  it("names the journal entry that lies there with other bytes", async () => {
    await flip(taskCommits.name, 4);
    await expect(verify()).rejects.toThrow(`${taskCommits.name} slot 0 offset 4: `);
  });
});
