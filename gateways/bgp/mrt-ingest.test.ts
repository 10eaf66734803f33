import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RecordCursor } from "../../streams/chunk.ts";
import { openDirectLog } from "../../streams/embedded/direct-log.ts";
import type { Log } from "../../streams/log.ts";
import { runSource } from "../../streams/source-runner.ts";
import { bgpUpdates } from "../../streams/topics.ts";
import { openMrtSource } from "./mrt-source.ts";
import { MrtGenerator } from "./testing/mrt-generator.ts";

const folder = mkdtempSync(join(tmpdir(), "opencdn-mrt-ingest-"));
afterAll(() => rmSync(folder, { recursive: true }));

const generator = new MrtGenerator(41);
const path = join(folder, "feed.mrt");
writeFileSync(path, Buffer.concat([generator.table(1_500), generator.updates(1_500)]));

function openLog(name: string): Promise<Log> {
  return openDirectLog({
    folder: join(folder, name),
    logId: "the same log",
    historical: true,
    sync: false,
    nowMs: Date.now,
    topics: [bgpUpdates],
  });
}

/** Key and bytes of every record by slot, in order. */
async function contents(log: Log): Promise<string[]> {
  const found: string[] = [];
  const cursor = new RecordCursor();
  for (let slot = 0; slot < log.slots; slot++) {
    for (let offset = 0; ; ) {
      const chunks = await log.read(bgpUpdates.name, slot, offset, 1_048_576);
      if (chunks.length === 0) break;
      for (const chunk of chunks) {
        cursor.open(chunk, offset);
        while (cursor.next()) {
          const bytes = cursor.buffer.subarray(cursor.keyStart, cursor.valueEnd);
          found.push(`${slot} ${cursor.offset} ${createHash("md5").update(bytes).digest("hex")}`);
        }
        offset = chunk.baseOffset + chunk.count;
      }
    }
  }
  return found;
}

describe("ingesting an MRT file", () => {
  it("adds each event once, however often it is interrupted and repeated", async () => {
    const whole = await openLog("whole");
    const source = await openMrtSource({ path, collector: "rrc00" });
    const { appended } = await runSource({ log: whole, source });
    const expected = await contents(whole);
    await whole.close();
    expect(appended).toBe(expected.length);
    expect(appended).toBeGreaterThan(3_000);

    const broken = await openLog("broken");
    for (let run = 0; run < 20; run++) {
      const stop = new AbortController();
      const again = await openMrtSource({ path, collector: "rrc00" });
      const onProgress = (): void => stop.abort();
      await runSource({ log: broken, source: again, signal: stop.signal, onProgress, inFlight: 1 });
    }
    const again = await openMrtSource({ path, collector: "rrc00" });
    const last = await runSource({ log: broken, source: again });
    expect(last).toMatchObject({ appended: 0, lastPosition: "end" });
    expect(await contents(broken)).toEqual(expected);
    await broken.close();
  });
});
