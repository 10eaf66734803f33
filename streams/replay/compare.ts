import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import type { TaskCommit } from "../../schemas/generated/events.ts";
import type { SchemaTable } from "../../schemas/schema-table.ts";
import type { Section } from "../batch.ts";
import { type Chunk, RecordCursor } from "../chunk.ts";
import type { CommitDraft } from "../commit.ts";
import { OpenCdnError } from "../errors.ts";
import { eventIdBytes, frameHeaderBytes, hex16, keyText } from "../identity.ts";
import { firstDifferentCheck } from "../input-trace.ts";
import type { JournalStep } from "../journal.ts";
import type { TaskInput } from "../task-inputs.ts";
import { taskCommits } from "../topics.ts";
import { type RecordedLog, RecordReader } from "./record-reader.ts";

/** Where a replay and the log first differ. */
export interface Divergence {
  readonly what: "journal" | "input" | "output" | "store";
  readonly commit: number;
  readonly topic: string;
  readonly slot: number;
  readonly offset: number;
  /** Records from `offset` on among which the different one is; 1 when it is exactly that one. */
  readonly width: number;
  readonly message: string;
}

/** Compares what the journal says of a commit with what the replay sealed: inputs first, since the rest follows from them. */
export function compareCommit(options: {
  readonly entry: TaskCommit;
  readonly steps: readonly JournalStep[];
  readonly draft: CommitDraft;
  readonly schemas: SchemaTable;
  readonly inputs: readonly TaskInput[];
}): Divergence | undefined {
  const { entry, steps, draft, schemas, inputs } = options;
  const replayed = entryOf(draft, schemas);
  const at = {
    commit: entry.commit,
    topic: taskCommits.name,
    slot: entry.slot,
    offset: 0,
    width: 1,
  };
  if (differ(entry.inputHash, replayed.inputHash) || entry.inputCount !== replayed.inputCount) {
    const different = firstDifferentCheck(
      entry.inputChecks,
      replayed.inputChecks,
      replayed.inputCount,
    );
    const record = placeOf(steps, inputs, different?.index ?? 0);
    const width = different?.width ?? replayed.inputCount;
    return {
      ...at,
      ...record,
      width,
      what: "input",
      message: "the record is not the one that was taken, or not in that order",
    };
  }
  const outputs = new Map(replayed.outputs.map((output) => [output.topic, output]));
  for (const output of entry.outputs) {
    const ours = outputs.get(output.topic);
    if (ours === undefined || ours.count !== output.count || differ(ours.hash, output.hash)) {
      const message = `${output.topic}: the journal has ${output.count} records, the replay ${ours?.count ?? 0}, or they differ`;
      return { ...at, what: "output", message };
    }
  }
  if (replayed.outputs.length !== entry.outputs.length) {
    return { ...at, what: "output", message: "the replay emits to a topic that the journal lacks" };
  }
  const stores = new Map(replayed.stores.map((store) => [store.store, store]));
  for (const store of entry.stores) {
    const ours = stores.get(store.store);
    if (ours === undefined || differ(ours.digest, store.digest) || ours.entries !== store.entries) {
      return { ...at, what: "store", message: `store ${store.store} has another digest` };
    }
  }
  return undefined;
}

function differ(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) !== 0;
}

/** The journal entry inside a sealed commit. */
function entryOf(draft: CommitDraft, schemas: SchemaTable): TaskCommit {
  const section = draft.outputs.find(
    (candidate) => candidate.topic === taskCommits.name,
  ) as Section;
  const cursor = new RecordCursor().open(sectionChunk(section));
  const decoder = new Decoder(taskCommits.schema, schemas);
  let entry: unknown;
  while (cursor.next())
    entry = decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
  if (isFailure(entry)) throw new OpenCdnError("OCDN_UNDECODABLE", entry.message);
  return entry as TaskCommit;
}

/** Topic, slot and offset of the `index`-th record that a commit took. */
function placeOf(
  steps: readonly JournalStep[],
  inputs: readonly TaskInput[],
  index: number,
): { readonly topic: string; readonly slot: number; readonly offset: number } {
  let left = index;
  for (const step of steps) {
    if (step.kind !== "run") continue;
    if (left < step.count) {
      const topic = inputs[step.input]?.topic.name ?? "";
      return { topic, slot: step.slot, offset: step.offset + left };
    }
    left -= step.count;
  }
  return { topic: "", slot: 0, offset: 0 };
}

function sectionChunk(section: Section): Chunk {
  const buffer = Buffer.from(section.bytes.buffer, section.bytes.byteOffset, section.length);
  const view = new DataView(section.bytes.buffer, section.bytes.byteOffset, section.length);
  const { topic, slot, count } = section;
  return {
    topic,
    slot,
    baseOffset: 0,
    count,
    timestampMs: 0,
    buffer,
    view,
    start: 0,
    end: section.length,
  };
}

/**
 * Finds every record that a replay emits in the log, by event id, going forward in each topic and slot, and compares
 * the bytes. (The records of other tasks lie between.)
 */
export class OutputMatcher {
  readonly #log: RecordedLog;
  readonly #readers = new Map<string, RecordReader>();
  count = 0;

  constructor(log: RecordedLog) {
    this.#log = log;
  }

  async match(draft: CommitDraft, commit: number): Promise<Divergence | undefined> {
    for (const section of draft.outputs) {
      if (section.topic === taskCommits.name) continue;
      const cursor = new RecordCursor().open(sectionChunk(section));
      while (cursor.next()) {
        const divergence = await this.#find(section, cursor, commit);
        if (divergence !== undefined) return divergence;
        this.count += 1;
      }
    }
    return undefined;
  }

  async #find(
    section: Section,
    replayed: RecordCursor,
    commit: number,
  ): Promise<Divergence | undefined> {
    const { topic, slot } = section;
    const place = `${topic}/${slot}`;
    let reader = this.#readers.get(place);
    if (reader === undefined) {
      reader = new RecordReader(this.#log, topic, slot);
      this.#readers.set(place, reader);
    }
    const from = reader.position;
    while (await reader.next()) {
      const { cursor } = reader;
      const offset = cursor.offset;
      if (!sameRecord(cursor, replayed)) continue;
      if (samePayload(cursor, replayed)) return undefined;
      const message = `record ${nameOf(replayed)} has other bytes than the replay gives`;
      return { what: "output", commit, topic, slot, offset, width: 1, message };
    }
    const message = `record ${nameOf(replayed)} of the replay is not in the log at or after this offset`;
    return { what: "output", commit, topic, slot, offset: from, width: 1, message };
  }
}

function nameOf(cursor: RecordCursor): string {
  const key = keyText(cursor.buffer, cursor.keyStart, cursor.keyEnd);
  if (cursor.valueStart < 0) return `${key} (tombstone)`;
  return `${key} (event ${hex16(cursor.buffer, cursor.valueStart + frameHeaderBytes)})`;
}

/** Same event: both tombstones of one key, or the same event id. */
function sameRecord(a: RecordCursor, b: RecordCursor): boolean {
  if (a.valueStart < 0 || b.valueStart < 0) {
    return a.valueStart === b.valueStart && sameKey(a, b);
  }
  const startA = a.valueStart + frameHeaderBytes;
  const startB = b.valueStart + frameHeaderBytes;
  return (
    a.buffer.compare(b.buffer, startB, startB + eventIdBytes, startA, startA + eventIdBytes) === 0
  );
}

function sameKey(a: RecordCursor, b: RecordCursor): boolean {
  return a.buffer.compare(b.buffer, b.keyStart, b.keyEnd, a.keyStart, a.keyEnd) === 0;
}

function samePayload(a: RecordCursor, b: RecordCursor): boolean {
  if (!sameKey(a, b)) return false;
  if (a.valueStart < 0) return true;
  const startA = a.valueStart + frameHeaderBytes;
  const startB = b.valueStart + frameHeaderBytes;
  return a.buffer.compare(b.buffer, startB, b.valueEnd, startA, a.valueEnd) === 0;
}
