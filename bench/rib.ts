import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ribProcessor } from "../processors/router/rib/processor.ts";
import { Decoder } from "../schemas/codec.ts";
import { isFailure } from "../schemas/failure.ts";
import { SchemaTable } from "../schemas/schema-table.ts";
import type { RecordBatch } from "../streams/batch.ts";
import { RecordCursor } from "../streams/chunk.ts";
import { EmbeddedLog } from "../streams/embedded/embedded-log.ts";
import { Engine } from "../streams/embedded/engine.ts";
import { Task } from "../streams/task.ts";
import { chunkOf } from "../streams/testing/test-driver.ts";
import { allTopics, bgpFlaps, bgpPeers, deadLetters, tableNames } from "../streams/topics.ts";
import { type BenchOptions, type BenchResult, printTable } from "./result.ts";
import { RibFeed } from "./rib-feed.ts";

const seed = 20_261_124;
const peers = 20;
const slots = 16;
const messagesPerBatch = 2_000;
/** Batches made before the clock starts; they are given away as they are sent. */
const batchesPerLap = 20;
/** Appends under way: as a source that does not wait for every answer. */
const window = 4;

interface Lap {
  updates: number;
  seconds: number;
  cpuSeconds: number;
}

/**
 * Folds generated BGP updates through the embedded engine with fsync: 1 M routes are loaded, then updates come as they
 * do all day. The generator keeps the state of every route and says what the rib must find. The bare fold is the same
 * task on the same messages without log, disk and engine.
 */
export async function run({ quick }: BenchOptions): Promise<BenchResult> {
  process.stdout.write(`seed ${seed}, ${peers} peers, ${slots} slots\n`);
  const laps = quick ? 6 : 30;
  const engine = await throughEngine(laps);
  const bare = bareFold(quick ? 3 : 10);
  printTable([
    row("engine, load", engine.load),
    row("engine, updates", engine.updates),
    row("bare fold, load", bare.load),
    row("bare fold, updates", bare.updates),
  ]);
  const found = engine.found;
  printTable([
    { what: "routes", expected: found.expected.routes, found: found.routes },
    {
      what: "flaps and origin changes",
      expected: found.expected.reannounced + found.expected.originChanges,
      found: found.flaps,
    },
    { what: "dead letters", expected: 0, found: found.deadLetters },
  ]);
  const exact =
    found.routes === found.expected.routes &&
    found.flaps === found.expected.reannounced + found.expected.originChanges &&
    found.deadLetters === 0;
  if (!exact) throw new Error("the rib found something else than the generator knows");
  return {
    bench: "rib",
    ours: Math.round(rate(engine.updates)),
    rival: null,
    ratio: null,
    unit: "updates/CPU-s",
    updatesPerSecond: Math.round(engine.updates.updates / engine.updates.seconds),
    loadedPerCpuSecond: Math.round(rate(engine.load)),
    bareFold: Math.round(rate(bare.updates)),
    routes: found.routes,
    peakRssMegabytes: Math.round(engine.peakRss / 1e6),
    seed,
    quick,
  };
}

function rate(lap: Lap): number {
  return lap.updates / lap.cpuSeconds;
}

function row(what: string, lap: Lap): Record<string, string | number> {
  return {
    what,
    updates: lap.updates,
    "updates/s": lap.updates / lap.seconds,
    "updates/CPU-s": rate(lap),
  };
}

function feedOf(schemas: SchemaTable): RibFeed {
  return new RibFeed({ seed, peers, prefixes: 51_000, slots, schemas });
}

interface Found {
  readonly expected: RibFeed["expected"];
  readonly routes: number;
  readonly flaps: number;
  readonly deadLetters: number;
}

async function throughEngine(
  laps: number,
): Promise<{ load: Lap; updates: Lap; found: Found; peakRss: number }> {
  const folder = mkdtempSync(join(tmpdir(), "opencdn-bench-rib-"));
  try {
    const log = await EmbeddedLog.open({ folder, slots, tables: tableNames, nowMs: Date.now });
    const engine = await Engine.open({ log, processors: [ribProcessor()], nowMs: Date.now });
    const sender = new Sender(engine);
    const feed = feedOf(log.schemas);
    const load = await measure(feed, sender, (messages) => feed.load(messages), Infinity);
    const updates = await measure(feed, sender, (messages) => feed.churn(messages), laps);
    await sender.send([feed.closing()]);
    const found = readBack(log, feed);
    await engine.close();
    await log.close();
    return { load, updates, found, peakRss: sender.peakRss };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sends batches as one source does, each with the position after the one before. */
class Sender {
  peakRss = 0;
  readonly #engine: Engine;
  #sent = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Resolves when all is folded and durable. */
  async send(batches: readonly RecordBatch[]): Promise<void> {
    const answers: Promise<unknown>[] = [];
    for (const batch of batches) {
      const previous = this.#sent === 0 ? undefined : String(this.#sent);
      this.#sent += 1;
      const sections = batch.sections();
      const append = { source: "bench", previous, position: String(this.#sent), sections };
      answers.push(this.#engine.submit(append));
      if (answers.length >= window) await answers.shift();
      this.peakRss = Math.max(this.peakRss, process.memoryUsage.rss());
    }
    await Promise.all(answers);
    await this.#engine.idle();
    this.peakRss = Math.max(this.peakRss, process.memoryUsage.rss());
  }
}

async function measure(
  feed: RibFeed,
  sender: Sender,
  make: (messages: number) => RecordBatch,
  laps: number,
): Promise<Lap> {
  const total: Lap = { updates: 0, seconds: 0, cpuSeconds: 0 };
  for (let lap = 0; lap < laps; lap++) {
    const before = feed.expected.updates;
    const batches = lapOf(make);
    if (batches.length === 0) break;
    const started = performance.now();
    const cpu = process.cpuUsage();
    await sender.send(batches);
    const used = process.cpuUsage(cpu);
    total.updates += feed.expected.updates - before;
    total.seconds += (performance.now() - started) / 1_000;
    total.cpuSeconds += (used.user + used.system) / 1e6;
  }
  return total;
}

function lapOf(make: (messages: number) => RecordBatch): RecordBatch[] {
  return Array.from({ length: batchesPerLap }, () => make(messagesPerBatch)).filter(
    (batch) => batch.sections().length > 0,
  );
}

function readBack(log: EmbeddedLog, feed: RibFeed): Found {
  let flaps = 0;
  let dead = 0;
  const routes = new Map<string, number>();
  const decoder = new Decoder(bgpPeers.schema, log.schemas);
  for (let slot = 0; slot < slots; slot++) {
    flaps += log.endOffset(bgpFlaps.name, slot);
    dead += log.endOffset(deadLetters.name, slot);
    for (const chunk of log.snapshot(bgpPeers.name, slot).chunks) {
      const cursor = new RecordCursor().open(chunk);
      while (cursor.next()) {
        const { buffer, valueStart, valueEnd } = cursor;
        const peer = decoder.decodeFrame(buffer as Buffer, valueStart, valueEnd);
        if (isFailure(peer)) throw new Error(peer.message);
        routes.set(peer.peer, peer.routes);
      }
    }
  }
  const sum = [...routes.values()].reduce((total, count) => total + count, 0);
  return { expected: feed.expected, routes: sum, flaps, deadLetters: dead };
}

/** The same messages through bare tasks: no log, no disk, no engine. */
function bareFold(laps: number): { load: Lap; updates: Lap } {
  const schemas = new SchemaTable();
  for (const topic of allTopics) schemas.register(topic.schema);
  const processor = ribProcessor();
  const tasks = Array.from({ length: slots }, (_, slot) => {
    const task = new Task({ processor, slot, slots, logId: "bench", schemas });
    task.restore(undefined, () => {});
    return task;
  });
  const feed = feedOf(schemas);
  const offsets = new Float64Array(slots);
  const fold = (batch: RecordBatch): void => {
    for (const section of batch.sections()) {
      const task = tasks[section.slot] as Task;
      const chunk = chunkOf(section, offsets[section.slot] as number, Date.now());
      offsets[section.slot] = chunk.baseOffset + chunk.count;
      task.take(0, new RecordCursor().open(chunk), chunk.count);
      task.seal();
      task.committed();
    }
  };
  const lapsOf = (make: (messages: number) => RecordBatch, most: number): Lap => {
    const total: Lap = { updates: 0, seconds: 0, cpuSeconds: 0 };
    for (let lap = 0; lap < most; lap++) {
      const before = feed.expected.updates;
      const batches = lapOf(make);
      if (batches.length === 0) break;
      const started = performance.now();
      const cpu = process.cpuUsage();
      for (const batch of batches) fold(batch);
      const used = process.cpuUsage(cpu);
      total.updates += feed.expected.updates - before;
      total.seconds += (performance.now() - started) / 1_000;
      total.cpuSeconds += (used.user + used.system) / 1e6;
    }
    return total;
  };
  return {
    load: lapsOf((messages) => feed.load(messages), Infinity),
    updates: lapsOf((messages) => feed.churn(messages), laps),
  };
}
