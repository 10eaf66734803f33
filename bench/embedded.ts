import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Decoder } from "../schemas/codec.ts";
import { isFailure } from "../schemas/failure.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import type { RecordBatch } from "../streams/batch.ts";
import { RecordCursor } from "../streams/chunk.ts";
import { EmbeddedLog } from "../streams/embedded/embedded-log.ts";
import { Engine } from "../streams/embedded/engine.ts";
import { keyText } from "../streams/identity.ts";
import { chunkOf } from "../streams/testing/test-driver.ts";
import { edgeEvents, tableNames, taskCommits } from "../streams/topics.ts";
import { makeBatches, windowMs, windowProcessor, windows } from "./embedded-events.ts";
import { journalSeconds } from "./embedded-journal.ts";
import { type BenchOptions, type BenchResult, cpuSeconds, median, printTable } from "./result.ts";

const slots = 4;
/** Appends under way, as a source that does not wait for each answer. */
const inFlight = 4;

/** Count and sum by key and window start. */
type Windows = Map<string, { count: number; sum: number }>;

interface EngineRun {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly commitMs: readonly number[];
  readonly journalBytes: number;
  readonly journalEntries: number;
  readonly found: Windows;
}

/**
 * The keyed one-minute window count and mean, exactly once: events are appended, made durable, taken by the window's
 * tasks, journalled, and the closed windows made durable. Beside it a plain loop over the same bytes, with the same decoder
 * and a Map. Both must find the same windows.
 */
export async function run({ quick }: BenchOptions): Promise<BenchResult> {
  const count = quick ? 300_000 : 1_000_000;
  const rounds = quick ? 2 : 3;
  const runs: EngineRun[] = [];
  const plain: number[] = [];
  const journal: number[] = [];
  let bytes = 0;
  for (let round = -1; round < rounds; round++) {
    const folder = mkdtempSync(join(tmpdir(), "opencdn-bench-embedded-"));
    try {
      const log = await EmbeddedLog.open({ folder, slots, tables: tableNames, nowMs: Date.now });
      await log.registerSchemas([windows.schema as never, edgeEvents.schema as never]);
      const { batches, valueBytes } = makeBatches(count, log);
      bytes = valueBytes;
      // Before and after the engine, and what it keeps is let go: the machine's mood is the same for both.
      const before = await cpuSeconds(() => plainLoop(batches, log.schemas, new Map()));
      const engine = await throughEngine(log, batches);
      const expected: Windows = new Map();
      const after = await cpuSeconds(() => plainLoop(batches, log.schemas, expected));
      compare(engine.found, expected);
      if (round < 0) continue;
      runs.push(engine);
      plain.push((2 * count) / (before + after));
      const { journalEntries: commits, found } = engine;
      const { schemas } = log;
      journal.push(await journalSeconds({ batches, schemas, commits, outputs: found.size }));
      found.clear();
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  return report({ count, quick, runs, plain, journal, bytes });
}

async function throughEngine(
  log: EmbeddedLog,
  batches: readonly RecordBatch[],
): Promise<EngineRun> {
  const commitMs: number[] = [];
  const engine = await Engine.open({
    log,
    processors: [windowProcessor()],
    nowMs: Date.now,
    emit: (event) => {
      if (event.kind === "engine.commit") commitMs.push(event.tookMs);
    },
  });
  const started = performance.now();
  const used = await cpuSeconds(async () => {
    const answers: Promise<unknown>[] = [];
    for (const [index, batch] of batches.entries()) {
      const previous = index === 0 ? undefined : String(index);
      const append = {
        source: "bench",
        previous,
        position: String(index + 1),
        sections: batch.sections(),
      };
      answers.push(engine.submit(append));
      if (answers.length >= inFlight) await answers.shift();
    }
    await Promise.all(answers);
    await engine.idle();
  });
  const seconds = (performance.now() - started) / 1_000;
  const found = readWindows(log);
  const journal = log.topics().filter((status) => status.topic === taskCommits.name);
  const journalBytes = journal.reduce((sum, status) => sum + status.sizeBytes, 0);
  const journalEntries = journal.reduce((sum, status) => sum + status.endOffset, 0);
  await engine.close();
  await log.close();
  return { seconds, cpuSeconds: used, commitMs, journalBytes, journalEntries, found };
}

/** The rival: decode each record of the same bytes and count in a Map; no log, no disk, no journal. */
function plainLoop(batches: readonly RecordBatch[], schemas: SchemaTable, into: Windows): void {
  const decoder = new Decoder(edgeEvents.schema, schemas);
  const cursor = new RecordCursor();
  for (const batch of batches) {
    for (const section of batch.sections()) {
      cursor.open(chunkOf(section, 0, 0));
      while (cursor.next()) {
        const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
        const event = decoder.decodeFrame(buffer, valueStart, valueEnd);
        if (isFailure(event)) throw new Error(event.message);
        const start = event.eventMs - (event.eventMs % windowMs);
        const key = `${start} ${keyText(buffer, keyStart, keyEnd)}`;
        const window = into.get(key);
        if (window === undefined) into.set(key, { count: 1, sum: event.durationMs });
        else {
          window.count += 1;
          window.sum += event.durationMs;
        }
      }
    }
  }
}

function readWindows(log: EmbeddedLog): Windows {
  const found: Windows = new Map();
  const decoder = new Decoder(windows.schema, log.schemas);
  const cursor = new RecordCursor();
  for (let slot = 0; slot < slots; slot++) {
    for (let offset = 0; offset < log.endOffset(windows.name, slot); ) {
      for (const chunk of log.read(windows.name, slot, offset, 4_194_304)) {
        cursor.open(chunk, offset);
        while (cursor.next()) {
          offset = cursor.offset + 1;
          const window = decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
          if (isFailure(window)) throw new Error(window.message);
          const key = `${window.startMs} ${window.key}`;
          if (found.has(key)) throw new Error(`window ${key} was closed twice`);
          found.set(key, { count: window.count, sum: window.mean * window.count });
        }
      }
    }
  }
  return found;
}

/** The last window of each slot stays open; every other must be there, with the same count and mean. */
function compare(found: Windows, expected: Windows): void {
  let compared = 0;
  for (const [key, { count, sum }] of expected) {
    if (key.includes("closing-")) continue;
    const window = found.get(key);
    if (window?.count !== count || Math.abs(window.sum - sum) > 1e-6 * Math.max(1, sum)) {
      throw new Error(`window ${key}: the engine has ${window?.count}, the plain loop ${count}`);
    }
    compared += 1;
  }
  if (compared === 0) throw new Error("no window was compared");
}

function report(options: {
  readonly count: number;
  readonly quick: boolean;
  readonly runs: readonly EngineRun[];
  readonly plain: readonly number[];
  readonly journal: readonly number[];
  readonly bytes: number;
}): BenchResult {
  const { count, runs, quick } = options;
  const ours = median(runs.map((run) => count / run.cpuSeconds));
  const rival = median(options.plain);
  const ratio = median(
    runs.map((run, index) => count / run.cpuSeconds / (options.plain[index] as number)),
  );
  const wall = median(runs.map((run) => count / run.seconds));
  const journalRatio = median(
    options.journal.map((seconds, index) => seconds / (runs[index] as EngineRun).cpuSeconds),
  );
  const journalBytes = median(runs.map((run) => run.journalBytes / count));
  const commits = runs.flatMap((run) => run.commitMs).sort((a, b) => a - b);
  const at = (quantile: number): number => commits[Math.floor(commits.length * quantile)] ?? 0;
  process.stdout.write(
    `${count} events of ${Math.round(options.bytes)} bytes with key, one a second from each of 10,000 keys, ${slots} slots\n`,
  );
  printTable([
    { what: "engine, exactly once", "events/CPU-s": ours, "events/s": wall },
    {
      what: "the same less the journal",
      "events/CPU-s": ours / (1 - journalRatio),
      "events/s": "",
    },
    { what: "plain loop, same bytes", "events/CPU-s": rival, "events/s": "" },
  ]);
  printTable([
    { what: "journal, CPU of the whole in %", figure: 100 * journalRatio },
    { what: "journal, bytes a record", figure: journalBytes },
    { what: "commit p50, ms", figure: at(0.5) },
    { what: "commit p99, ms", figure: at(0.99) },
  ]);
  return {
    bench: "embedded",
    ours: Math.round(ours),
    rival: Math.round(rival),
    ratio: Number(ratio.toFixed(3)),
    unit: "events/CPU-s",
    eventsPerSecond: Math.round(wall),
    journalCpuRatio: Number(journalRatio.toFixed(4)),
    journalBytesPerRecord: Number(journalBytes.toFixed(3)),
    commitP50Ms: Number(at(0.5).toFixed(1)),
    commitP99Ms: Number(at(0.99).toFixed(1)),
    quick,
  };
}
