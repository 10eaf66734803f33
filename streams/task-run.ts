import { type Chunk, RecordCursor } from "./chunk.ts";
import type { CommitDraft } from "./commit.ts";
import { maxRecordsPerTurn } from "./limits.ts";
import type { Task } from "./task.ts";
import type { TaskInput } from "./task-inputs.ts";

/** Bytes asked of the log at once for one input and slot. */
const readBytes = 1_048_576;

/** What a task reads from: the part of the storage that a run needs. */
export interface ChunkReader {
  endOffset(topic: string, slot: number): number;
  startOffset(topic: string, slot: number): number;
  read(topic: string, slot: number, offset: number, maxBytes: number): Chunk[];
}

/** One input and slot of a task, with the place in the chunk that it is at. */
class Reader {
  readonly input: number;
  readonly topic: string;
  readonly slot: number;
  cursor: RecordCursor | undefined;
  #chunks: Chunk[] = [];

  constructor(input: number, topic: string, slot: number) {
    this.input = input;
    this.topic = topic;
    this.slot = slot;
  }

  /** A cursor with at least one more record, or undefined at the end of the log. */
  open(log: ChunkReader, position: number): RecordCursor | undefined {
    if (this.cursor !== undefined && !this.cursor.done) return this.cursor;
    if (this.#chunks.length === 0) {
      if (position >= log.endOffset(this.topic, this.slot)) return undefined;
      this.#chunks = log.read(this.topic, this.slot, position, readBytes);
    }
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.cursor ??= new RecordCursor();
    this.cursor.open(chunk, position);
    return this.cursor.done ? this.open(log, position) : this.cursor;
  }

  reset(): void {
    this.cursor = undefined;
    this.#chunks = [];
  }
}

/** A task with its readers: takes turns, ticks and commits when the engine says so. */
export class TaskRun {
  readonly task: Task;
  readonly readers: readonly Reader[];
  /** There may be records to take. */
  ready: boolean = true;
  nextTickMs: number = 0;
  /** Dead letters that telemetry has heard of. */
  toldDeadLetters: number = 0;

  constructor(task: Task) {
    this.task = task;
    // Global tables first, so that a task knows its fleet before the first event about it.
    const readers = task.inputs.flatMap((input: TaskInput, index) =>
      input.slots.map((slot) => ({
        global: input.input.scope === "global",
        reader: new Reader(index, input.topic.name, slot),
      })),
    );
    readers.sort((a, b) => Number(b.global) - Number(a.global));
    this.readers = readers.map((entry) => entry.reader);
  }

  /** Takes up to a turn's worth of records; `ready` tells whether more may wait. Gives their number. */
  turn(log: ChunkReader): number {
    let budget = maxRecordsPerTurn;
    for (const reader of this.readers) {
      while (budget > 0 && !this.task.full) {
        const position = this.task.position(reader.input, reader.slot);
        const cursor = reader.open(log, position);
        if (cursor === undefined) break;
        budget -= this.task.take(reader.input, cursor, budget);
      }
    }
    const taken = maxRecordsPerTurn - budget;
    this.ready = budget === 0 || this.task.full;
    return taken;
  }

  seal(): CommitDraft | undefined {
    return this.task.seal();
  }

  /** Forgets everything that is not durable and begins again at the committed positions. */
  abort(): void {
    this.task.abort();
    for (const reader of this.readers) reader.reset();
    this.ready = true;
  }
}
