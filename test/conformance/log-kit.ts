import { RecordBatch } from "../../streams/batch.ts";
import type { Log } from "../../streams/log.ts";
import { nodeHealth, nodeOverlay } from "../../streams/topics.ts";
import type { Delivered } from "./follow-recorder.ts";

/** A fresh, empty log of two slots or more with the topics of streams/topics.ts, and what a test may do to it. */
export interface LogUnderTest {
  readonly log: Log;
  /** Takes the engine away and brings it back with the same log; missing where that ends `log` too. */
  readonly restart?: () => Promise<void>;
  /** Removes what retention may remove at once: everything but about the newest `keepBytes`. */
  readonly forget: () => Promise<void>;
  readonly dispose: () => Promise<void>;
}

export const stream: string = nodeHealth.name;
export const table: string = nodeOverlay.name;

export type Entry = readonly [key: string, value: string | undefined];

export function batchOf(topic: string, slot: number, entries: readonly Entry[]): RecordBatch {
  const batch = new RecordBatch();
  addTo(batch, topic, slot, entries);
  return batch;
}

export function addTo(
  batch: RecordBatch,
  topic: string,
  slot: number,
  entries: readonly Entry[],
): void {
  for (const [key, value] of entries) {
    const keyBytes = Buffer.from(key);
    const valueBytes = value === undefined ? undefined : Buffer.from(value);
    const end = valueBytes?.length ?? 0;
    batch.add(topic, slot, keyBytes, 0, keyBytes.length, valueBytes, 0, end);
  }
}

/** Appends to one log, one source after the other position. */
export class Writer {
  readonly #log: Log;
  readonly #source: string;
  #count = 0;

  constructor(log: Log, source: string) {
    this.#log = log;
    this.#source = source;
  }

  async append(topic: string, slot: number, entries: readonly Entry[]): Promise<void> {
    const previous = this.#count === 0 ? undefined : String(this.#count);
    this.#count += 1;
    const position = String(this.#count);
    const batch = batchOf(topic, slot, entries);
    await this.#log.append({ source: this.#source, previous, position, batch });
  }
}

export function keysOf(records: readonly Delivered[], topic: string, slot: number): string[] {
  return records.filter((at) => at.topic === topic && at.slot === slot).map(({ key }) => key);
}

/** Values as a table has them after these records. */
export function tableOf(records: readonly Delivered[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const { key, value } of records) {
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }
  return values;
}
