import { Arena } from "../../schemas/arena.ts";
import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import { RecordBatch, type Section } from "../batch.ts";
import { type Chunk, RecordCursor } from "../chunk.ts";
import { OpenCdnError } from "../errors.ts";
import { EventEncoder } from "../event-encoder.ts";
import { keyText, sourceEventId } from "../identity.ts";
import type { Emitted, Processor } from "../processor.ts";
import { Task } from "../task.ts";
import { TaskRun } from "../task-run.ts";
import { slotOfKey, type Topic } from "../topic.ts";
import { allTopics } from "../topics.ts";
import { chunkOf, type DrivenOutput } from "./test-driver.ts";

/**
 * A whole topology without an engine: a log in memory, every task of every processor, and a clock moved by hand. What
 * a task emits is taken by the others after its commit, as on an engine. Also a `RecordedLog`, so that its journal can
 * be replayed.
 */
export class TopologyDriver {
  readonly logId: string;
  readonly slots: number;
  readonly schemas: SchemaTable = new SchemaTable();
  readonly runs: readonly TaskRun[];
  nowMs: number;
  readonly #chunks = new Map<string, Chunk[]>();
  readonly #arena = new Arena();
  #sent = 0;

  constructor(
    processors: readonly Processor[],
    options: {
      readonly slots?: number;
      readonly logId?: string;
      readonly nowMs: number;
      readonly topics?: readonly Topic<unknown>[];
    },
  ) {
    this.logId = options.logId ?? "test-log";
    this.slots = options.slots ?? 2;
    this.nowMs = options.nowMs;
    for (const topic of [...allTopics, ...(options.topics ?? [])])
      this.schemas.register(topic.schema);
    this.runs = processors.flatMap((processor) =>
      Array.from({ length: processor.tasks === "one" ? 1 : this.slots }, (_, slot) => {
        const { logId, slots, schemas } = this;
        const task = new Task({ processor, slot, slots, logId, schemas });
        task.restore(undefined, () => {});
        return new TaskRun(task);
      }),
    );
  }

  startOffset(): number {
    return 0;
  }

  endOffset(topic: string, slot: number): number {
    const last = this.#chunks.get(`${topic}/${slot}`)?.at(-1);
    return last === undefined ? 0 : last.baseOffset + last.count;
  }

  /** All chunks with records from `offset` on; `chunks()` without the promise. */
  chunks(topic: string, slot: number, offset: number): Chunk[] {
    const all = this.#chunks.get(`${topic}/${slot}`) ?? [];
    return all.filter((chunk) => chunk.baseOffset + chunk.count > offset);
  }

  read(topic: string, slot: number, offset: number): Promise<Chunk[]> {
    return Promise.resolve(this.chunks(topic, slot, offset));
  }

  /** Appends one event as a source would; its time is now unless given. */
  send<T>(topic: Topic<T>, key: string, value: Emitted<T>, eventMs: number = this.nowMs): void {
    this.#sent += 1;
    const id = sourceEventId(this.logId, "test", String(this.#sent));
    this.#arena.reset();
    new EventEncoder(topic.schema, this.schemas).encode(
      value,
      eventMs,
      0,
      (to, at) => to.set(id, at),
      this.#arena,
    );
    this.sendRaw(topic, key, this.#arena.bytes());
  }

  /** Appends raw bytes as a value; undefined is a tombstone. */
  sendRaw(topic: Topic<never> | Topic<unknown>, key: string, value: Uint8Array | undefined): void {
    const keyBytes = Buffer.from(key);
    const batch = new RecordBatch();
    const slot = slotOfKey(topic as Topic<unknown>, this.slots, keyBytes);
    batch.add(topic.name, slot, keyBytes, 0, keyBytes.length, value, 0, value?.length ?? 0);
    this.#append(batch.sections());
  }

  /** Lets every task take what waits and commits, until nothing waits; gives the number of commits. */
  settle(): number {
    const log = {
      startOffset: () => 0,
      endOffset: (topic: string, slot: number) => this.endOffset(topic, slot),
      read: (topic: string, slot: number, offset: number) => this.chunks(topic, slot, offset),
    };
    let commits = 0;
    for (let round = 0; ; round++) {
      if (round > 10_000)
        throw new OpenCdnError("OCDN_LIMIT", "settling the topology: it never rests");
      let taken = 0;
      for (const run of this.runs) taken += run.turn(log);
      const drafts = this.runs.flatMap((run) => {
        const draft = run.seal();
        if (draft === undefined) return [];
        run.task.committed();
        return [draft];
      });
      for (const draft of drafts) this.#append(draft.outputs);
      commits += drafts.length;
      if (taken === 0 && drafts.length === 0) return commits;
    }
  }

  /** Moves the clock, ticks the tasks that want it, and settles. */
  advance(ms: number, stepMs: number = 1_000): void {
    const end = this.nowMs + ms;
    while (this.nowMs < end) {
      this.nowMs = Math.min(this.nowMs + stepMs, end);
      for (const run of this.runs) {
        if (!run.task.wantsTicks || this.nowMs < run.nextTickMs) continue;
        run.nextTickMs = this.nowMs + (run.task.processor.tickMs ?? 1_000);
        run.task.tick(this.nowMs);
      }
      this.settle();
    }
  }

  /** Every record of a topic, slot by slot, in order. */
  records<T>(topic: Topic<T>): DrivenOutput<T>[] {
    const decoder = new Decoder(topic.schema, this.schemas);
    const found: DrivenOutput<T>[] = [];
    for (let slot = 0; slot < this.slots; slot++) {
      for (const chunk of this.chunks(topic.name, slot, 0)) {
        const cursor = new RecordCursor().open(chunk);
        while (cursor.next()) {
          const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
          const value = valueStart < 0 ? null : decoder.decodeFrame(buffer, valueStart, valueEnd);
          if (isFailure(value)) throw new OpenCdnError("OCDN_UNDECODABLE", value.message);
          found.push({ key: keyText(buffer, keyStart, keyEnd), slot, value });
        }
      }
    }
    return found;
  }

  /** A table's latest values by key. */
  table<T>(topic: Topic<T>): Map<string, T> {
    const latest = new Map<string, T>();
    for (const { key, value } of this.records(topic)) {
      if (value === null) latest.delete(key);
      else latest.set(key, value);
    }
    return latest;
  }

  #append(sections: readonly Section[]): void {
    for (const section of sections) {
      const place = `${section.topic}/${section.slot}`;
      const chunks = this.#chunks.get(place) ?? [];
      chunks.push(chunkOf(section, this.endOffset(section.topic, section.slot), this.nowMs));
      this.#chunks.set(place, chunks);
    }
    for (const run of this.runs) run.ready = true;
  }
}
