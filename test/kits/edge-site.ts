import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import type { GeoTable } from "../../domain/geo-table.ts";
import type { Site } from "../../gateways/edge/site.ts";
import { createKeyRing, type KeyRing, openKeyRing } from "../../gateways/site/key-ring.ts";
import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import { openDirectLog } from "../../streams/embedded/direct-log.ts";
import type { Log } from "../../streams/log.ts";
import type { Emitted } from "../../streams/processor.ts";
import { EventProducer } from "../../streams/producer.ts";
import type { Topic } from "../../streams/topic.ts";
import { smallGeo } from "./small-geo.ts";

/** A folder, a key ring, a small geo table and a served log, as several gateways of one site share them. */
export class EdgeKit {
  readonly folder: string;
  readonly keys: KeyRing;
  readonly geo: GeoTable;
  /** Log lines that gateways wrote. */
  readonly lines: string[] = [];
  readonly logger: Logger = pino({}, { write: (line: string) => this.lines.push(line) });
  #engine: Log | undefined;

  private constructor(folder: string, keys: KeyRing) {
    this.folder = folder;
    this.keys = keys;
    this.geo = smallGeo({ "133.11.0.0/16": "JP/13/2516", "200.160.0.0/20": "BR/sp" });
  }

  static async open(): Promise<EdgeKit> {
    const folder = await mkdtemp(join(tmpdir(), "ocdn-edge-"));
    const file = join(folder, "keys.json");
    await createKeyRing(file, { nowMs: Date.now() });
    return new EdgeKit(folder, await openKeyRing({ file, reloadPollMs: 60_000 }));
  }

  /** For a gateway or node. */
  get site(): Site {
    const { geo, keys } = this;
    return {
      geo: { table: geo, problem: undefined, onSwap: () => undefined },
      keys,
      close: () => undefined,
    };
  }

  /** Path of the data folder of the log. */
  get data(): string {
    return join(this.folder, "data");
  }

  /** Opens the log and serves it on its socket, as an engine does. */
  async startEngine(): Promise<Log> {
    this.#engine = await openDirectLog({ folder: this.data, serve: true, nowMs: Date.now });
    return this.#engine;
  }

  async stopEngine(): Promise<void> {
    await this.#engine?.close();
    this.#engine = undefined;
  }

  /** Writes events and waits until they are durable. */
  async write(events: readonly (readonly [Topic<never>, string, unknown])[]): Promise<void> {
    if (this.#engine === undefined) throw new Error("no engine");
    const producer = new EventProducer({ log: this.#engine, name: "kit" });
    for (const [topic, key, value] of events) {
      producer.send(topic as Topic<unknown>, key, value as Emitted<unknown>, Date.now());
    }
    await producer.close();
  }

  /** Everything in a topic, in the order of each slot. */
  async readAll<T>(topic: Topic<T>): Promise<T[]> {
    const log = this.#engine;
    if (log === undefined) throw new Error("no engine");
    const decoder = new Decoder(topic.schema, log.schemas);
    const values: T[] = [];
    for (let slot = 0; slot < log.slots; slot++) {
      for (let offset = 0; ; ) {
        const chunks = await log.read(topic.name, slot, offset, 1_048_576);
        if (chunks.length === 0) break;
        for (const chunk of chunks) {
          const cursor = new RecordCursor().open(chunk);
          while (cursor.next()) {
            if (cursor.valueStart < 0) continue;
            const bytes = Buffer.from(
              chunk.buffer.buffer,
              chunk.buffer.byteOffset,
              chunk.buffer.byteLength,
            );
            const value = decoder.decodeFrame(bytes, cursor.valueStart, cursor.valueEnd);
            if (isFailure(value)) throw new Error(value.message);
            values.push(value);
          }
          offset = chunk.baseOffset + chunk.count;
        }
      }
    }
    return values;
  }

  async close(): Promise<void> {
    await this.stopEngine();
    this.keys.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Waits until `probe` gives something; fails after 20 s with what it was waiting for. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
