import { Arena } from "../../schemas/arena.ts";
import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import { RecordBatch, type Section } from "../batch.ts";
import { type Chunk, RecordCursor } from "../chunk.ts";
import type { CommitDraft } from "../commit.ts";
import { OpenCdnError } from "../errors.ts";
import { EventEncoder } from "../event-encoder.ts";
import { keyText, sourceEventId } from "../identity.ts";
import type { Emitted, Processor } from "../processor.ts";
import { Task } from "../task.ts";
import type { Topic } from "../topic.ts";
import { allTopics } from "../topics.ts";

export interface DriverOptions {
  /** Slots of the imagined log; 1 by default, so that every key is in the task's slot. */
  readonly slots?: number;
  readonly slot?: number;
  readonly logId?: string;
}

/** One record that the processor emitted; `value` is null for a tombstone. */
export interface DrivenOutput<T> {
  readonly key: string;
  readonly slot: number;
  readonly value: T | null;
}

/**
 * Runs one processor without an engine, with a clock moved by hand, as Kafka Streams' TopologyTestDriver does. The
 * task behind it is the one that every engine runs.
 */
export class TestDriver {
  readonly task: Task;
  readonly drafts: CommitDraft[] = [];
  readonly #schemas = new SchemaTable();
  readonly #logId: string;
  readonly #offsets = new Map<string, number>();
  readonly #outputs: Section[] = [];
  readonly #arena = new Arena();
  #sent = 0;

  constructor(processor: Processor, options: DriverOptions = {}) {
    for (const topic of allTopics) this.#schemas.register(topic.schema);
    for (const topic of [...processor.outputs, ...processor.inputs.map((input) => input.topic)]) {
      this.#schemas.register((topic as unknown as Topic<unknown>).schema);
    }
    this.#logId = options.logId ?? "test-log";
    this.task = new Task({
      processor,
      slot: options.slot ?? 0,
      slots: options.slots ?? 1,
      logId: this.#logId,
      schemas: this.#schemas,
    });
  }

  /** Hands one event to the processor. `timestampMs` (ingestion) is the event's time unless given. */
  send<T>(
    topic: Topic<T>,
    key: string,
    value: Emitted<T>,
    options: { readonly eventMs: number; readonly timestampMs?: number; readonly slot?: number },
  ): void {
    this.#sent += 1;
    const id = sourceEventId(this.#logId, "test", String(this.#sent));
    this.#arena.reset();
    const encoder = new EventEncoder(topic.schema, this.#schemas);
    encoder.encode(value, options.eventMs, 0, (to, at) => to.set(id, at), this.#arena);
    this.#take(
      topic,
      key,
      Buffer.from(this.#arena.bytes()),
      options.timestampMs ?? options.eventMs,
      options.slot,
    );
  }

  /** Hands over a tombstone. */
  remove(
    topic: Topic<never> | Topic<unknown>,
    key: string,
    options: { readonly timestampMs: number },
  ): void {
    this.#take(topic as Topic<unknown>, key, undefined, options.timestampMs, undefined);
  }

  /** Hands over raw bytes as the value, for tests of bad input. */
  sendRaw(topic: Topic<unknown>, key: string, bytes: Buffer, timestampMs: number): void {
    this.#take(topic, key, bytes, timestampMs, undefined);
  }

  tick(nowMs: number): void {
    this.task.tick(nowMs);
  }

  /** Seals and commits what was taken; outputs can be read after it. */
  commit(): CommitDraft | undefined {
    const draft = this.task.seal();
    if (draft === undefined) return undefined;
    this.task.committed();
    this.drafts.push(draft);
    this.#outputs.push(...draft.outputs);
    return draft;
  }

  /** Commits, and gives the outputs to `topic` since they were last asked for. */
  outputs<T>(topic: Topic<T>): DrivenOutput<T>[] {
    this.commit();
    const decoder = new Decoder(topic.schema, this.#schemas);
    const found: DrivenOutput<T>[] = [];
    for (let i = 0; i < this.#outputs.length; ) {
      const section = this.#outputs[i] as Section;
      if (section.topic !== topic.name) {
        i += 1;
        continue;
      }
      this.#outputs.splice(i, 1);
      const cursor = new RecordCursor().open(chunkOf(section, 0, 0));
      while (cursor.next()) {
        const value =
          cursor.valueStart < 0
            ? null
            : decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
        if (isFailure(value)) throw new OpenCdnError("OCDN_UNDECODABLE", value.message);
        const key = keyText(cursor.buffer, cursor.keyStart, cursor.keyEnd);
        found.push({ key, slot: section.slot, value });
      }
    }
    return found;
  }

  #take(
    topic: Topic<unknown>,
    key: string,
    value: Buffer | undefined,
    timestampMs: number,
    slot: number | undefined,
  ): void {
    const index = this.task.inputs.findIndex((input) => input.topic.name === topic.name);
    const input = this.task.inputs[index];
    if (input === undefined) {
      throw new OpenCdnError(
        "OCDN_UNDECLARED",
        `sending to ${topic.name}: no input of the processor`,
      );
    }
    const at = slot ?? (input.slots[0] as number);
    const place = `${topic.name}/${at}`;
    const offset = this.#offsets.get(place) ?? 0;
    this.#offsets.set(place, offset + 1);
    const batch = new RecordBatch();
    const keyBytes = Buffer.from(key);
    batch.add(topic.name, at, keyBytes, 0, keyBytes.length, value, 0, value?.length ?? 0);
    const chunk = chunkOf(batch.sections()[0] as Section, offset, timestampMs);
    this.task.take(index, new RecordCursor().open(chunk), 1);
  }
}

/** The section's records as a chunk at `baseOffset`. */
export function chunkOf(section: Section, baseOffset: number, timestampMs: number): Chunk {
  const buffer = Buffer.from(section.bytes.subarray(0, section.length));
  return {
    topic: section.topic,
    slot: section.slot,
    baseOffset,
    count: section.count,
    timestampMs,
    buffer,
    view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length),
    start: 0,
    end: buffer.length,
  };
}
