import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { type Chunk, RecordCursor } from "../../streams/chunk.ts";
import { connectLog } from "../../streams/embedded/client.ts";
import { openLog } from "../../streams/embedded/direct-log.ts";
import { Child } from "../../streams/embedded/testing/child.ts";
import { randomNumbers } from "../../streams/embedded/testing/kill-plan.ts";
import { eventIdBytes, frameHeaderBytes, hex16 } from "../../streams/identity.ts";
import type { Log } from "../../streams/log.ts";
import { EventProducer } from "../../streams/producer.ts";
import type { Source, SourceEvent } from "../../streams/source.ts";
import { runSource } from "../../streams/source-runner.ts";
import { nodeHealth, nodePrices } from "../../streams/topics.ts";
import { killCount, runSeed } from "../kits/seed.ts";

const kills = killCount(12);
const sourceRecords = 4_000;
/** A kill, a start and a moment of work take about two seconds on a busy machine. */
const timeoutMs = 60_000 + kills * 5_000;

const ownerScript = new URL("../kits/owner-process.ts", import.meta.url);

/** The owner of a folder, started again each time it is killed. */
class Owner {
  readonly #folder: string;
  #child: Child;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#child = new Child(ownerScript, folder);
  }

  static async start(folder: string): Promise<Owner> {
    const owner = new Owner(folder);
    await owner.#ready();
    return owner;
  }

  async killAndRestart(): Promise<void> {
    await this.kill();
    this.#child = new Child(ownerScript, this.#folder);
    await this.#ready();
  }

  async kill(): Promise<void> {
    await this.#child.kill("SIGKILL");
  }

  async #ready(): Promise<void> {
    expect(await this.#child.line()).toBe("ready");
  }
}

interface Seen {
  readonly place: string;
  readonly offset: number;
  readonly key: string;
  readonly id: string;
  readonly price: number | undefined;
}

function seenIn(chunk: Chunk, log: Log): Seen[] {
  const decoder = new Decoder(nodePrices.schema, log.schemas);
  const cursor = new RecordCursor().open(chunk);
  const seen: Seen[] = [];
  while (cursor.next()) {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd, offset } = cursor;
    const idStart = valueStart + frameHeaderBytes;
    if (idStart + eventIdBytes > valueEnd) throw new Error("a record is too short");
    let price: number | undefined;
    if (chunk.topic === nodePrices.name) {
      const value = decoder.decodeFrame(buffer, valueStart, valueEnd);
      if (isFailure(value)) throw new Error(value.message);
      price = value.priceMs;
    }
    const key = buffer.toString("utf8", keyStart, keyEnd);
    seen.push({
      place: `${chunk.topic}/${chunk.slot}`,
      offset,
      key,
      id: hex16(buffer, idStart),
      price,
    });
  }
  return seen;
}

/** Everything that a follower was given, and whether anything was skipped. */
class Notebook {
  readonly tail: Seen[] = [];
  readonly prices = new Map<string, number | undefined>();
  dropped = 0;
  caughtUp = 0;
  readonly close: () => void;
  readonly offsets: () => number;

  constructor(log: Log, topic: string, from: "earliest" | "snapshot") {
    const follower = log.follow({
      topics: [topic],
      from,
      onChunk: (chunk, snapshot) => {
        const seen = seenIn(chunk, log);
        for (const { key, price } of seen) this.prices.set(key, price);
        if (!snapshot) this.tail.push(...seen);
      },
      onDropped: (count) => {
        this.dropped += count;
      },
      onCaughtUp: () => {
        this.caughtUp += 1;
      },
    });
    this.close = () => follower.close();
    this.offsets = () => follower.positions().reduce((sum, { offset }) => sum + offset, 0);
  }
}

/** Writes until stopped; what the log acknowledged is its ledger. */
class Gateway {
  readonly ledger: string[] = [];
  readonly #producer: EventProducer;
  readonly #name: string;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(log: Log, name: string) {
    this.#name = name;
    this.#producer = new EventProducer({
      log,
      name,
      batchMs: 5,
      flushMs: 30_000,
      onAcknowledged: (ids) => this.ledger.push(...ids.map((id) => hex16(id))),
    });
    this.#timer = setInterval(() => {
      for (let i = 0; i < 4; i++) this.#send();
    }, 5);
  }

  get sent(): number {
    return this.#sent;
  }

  get dropped(): number {
    return this.#producer.dropped;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#producer.flush();
    await this.#producer.close();
  }

  #send(): void {
    this.#sent += 1;
    const nodeId = `${this.#name}-${this.#sent % 37}`;
    const price = {
      nodeId,
      priceMs: this.#sent,
      predictedRps: 0,
      capacityRps: 0,
      utilisation: 0,
    };
    this.#producer.send(nodePrices, nodeId, price, 1_000 + this.#sent);
  }
}

/** Health checks of a recorded day, a few at a time. */
function recordedChecks(): Source {
  return {
    name: "file/checks",
    historical: false,
    async *read(after) {
      let next = after === undefined ? 0 : Number(after) + 1;
      while (next < sourceRecords) {
        const events: SourceEvent<never>[] = [];
        for (const end = Math.min(next + 20, sourceRecords); next < end; next++) {
          events.push(checkEvent(next));
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
        yield { events, position: String(next - 1) };
      }
    },
  };
}

function checkEvent(index: number): SourceEvent<never> {
  const nodeId = `node-${index % 11}`;
  const value = {
    nodeId,
    vantage: "v",
    healthy: true,
    rttMs: 1,
    reason: "",
    checkSequence: index,
  };
  const position = String(index);
  return {
    topic: nodeHealth,
    key: nodeId,
    value,
    eventMs: index,
    position,
  } as unknown as SourceEvent<never>;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}

function endOf(rows: readonly { topic: string; endOffset: number }[], topic: string): number {
  return rows.filter((row) => row.topic === topic).reduce((sum, row) => sum + row.endOffset, 0);
}

/** Each slot's records are there from the first on, without a gap or a repetition. */
function expectWhole(tail: readonly Seen[]): void {
  const next = new Map<string, number>();
  for (const { place, offset } of tail) {
    expect(offset).toBe(next.get(place) ?? 0);
    next.set(place, offset + 1);
  }
}

describe("kill -9 of the owner under producers, a source and followers", () => {
  let folder: string;
  let owner: Owner;
  const logs: Log[] = [];

  async function connect(name: string): Promise<Log> {
    const log = await connectLog({ folder, name, timeoutMs: 5_000 });
    logs.push(log);
    return log;
  }

  beforeEach(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "ocdn-kill-"));
    owner = await Owner.start(folder);
  });

  afterEach(async () => {
    for (const log of logs.splice(0)) await log.close();
    await owner.kill();
    rmSync(folder, { recursive: true });
  });

  it(
    `keeps every acknowledged event once, and followers miss nothing (OPENCDN_SEED=${runSeed} OPENCDN_KILLS=${kills})`,
    async () => {
      const random = randomNumbers(runSeed);
      const reader = await connect("reader");
      const prices = new Notebook(reader, nodePrices.name, "earliest");
      const health = new Notebook(reader, nodeHealth.name, "earliest");
      const table = new Notebook(reader, nodePrices.name, "snapshot");
      const gateways = [
        new Gateway(await connect("edge/a"), "edge/a"),
        new Gateway(await connect("edge/b"), "edge/b"),
      ];
      const ingest = runSource({ log: await connect("ingest"), source: recordedChecks() });
      for (let kill = 0; kill < kills; kill++) {
        await new Promise((resolve) => setTimeout(resolve, random() * 500));
        await owner.killAndRestart();
      }
      const summary = await ingest;
      for (const gateway of gateways) await gateway.stop();

      const end = await reader.status();
      await until(() => prices.offsets() === endOf(end, nodePrices.name));
      await until(() => health.offsets() === endOf(end, nodeHealth.name));
      await until(() => table.offsets() === endOf(end, nodePrices.name));
      for (const { close } of [prices, health, table]) close();

      const ledger = gateways.flatMap((gateway) => gateway.ledger);
      const ids = prices.tail.map(({ id }) => id);
      expect(gateways.map(({ dropped }) => dropped)).toEqual([0, 0]);
      expect(ledger).toHaveLength(gateways.reduce((sum, { sent }) => sum + sent, 0));
      expect([...ids].sort()).toEqual([...ledger].sort());
      expect(new Set(ids).size).toBe(ids.length);
      expect(summary).toMatchObject({
        appended: sourceRecords,
        lastPosition: String(sourceRecords - 1),
      });
      expect(new Set(health.tail.map(({ id }) => id)).size).toBe(sourceRecords);
      expect(health.tail).toHaveLength(sourceRecords);
      for (const { tail, dropped, caughtUp } of [prices, health]) {
        expectWhole(tail);
        expect(dropped).toBe(0);
        expect(caughtUp).toBeGreaterThan(1);
      }
      expect(table.prices).toEqual(prices.prices);

      // The same records are found by whoever opens the folder after the owner is gone.
      await owner.kill();
      const direct = await openLog({ folder, name: "check", nowMs: Date.now });
      logs.push(direct);
      const afterwards = new Notebook(direct, nodePrices.name, "earliest");
      await until(() => afterwards.caughtUp > 0);
      expect(afterwards.tail.toSorted(byPlace)).toEqual(prices.tail.toSorted(byPlace));
      expect(await direct.sourcePosition("file/checks")).toBe(String(sourceRecords - 1));
    },
    timeoutMs,
  );
});

function byPlace(a: Seen, b: Seen): number {
  return a.place.localeCompare(b.place) || a.offset - b.offset;
}
