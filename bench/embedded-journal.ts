import { Decoder } from "../schemas/codec.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import { RecordBatch } from "../streams/batch.ts";
import { RecordCursor } from "../streams/chunk.ts";
import { Identity } from "../streams/identity.ts";
import { InputTrace } from "../streams/input-trace.ts";
import { JournalWriter } from "../streams/journal.ts";
import { sealJournalEntry } from "../streams/journal-entry.ts";
import { TaskEmitter } from "../streams/task-emitter.ts";
import { chunkOf } from "../streams/testing/test-driver.ts";
import { edgeEvents, taskCommits } from "../streams/topics.ts";
import { windows } from "./embedded-events.ts";
import { cpuSeconds, median } from "./result.ts";

const repeats = 7;

/**
 * CPU seconds of the journal for what one run took, emitted and committed: the records are decoded and journalled, and
 * in turn only decoded, which is taken off (a task reads the bytes anyway, so their way from memory is not the
 * journal's). In the engine itself it is too little to see between two runs.
 */
export async function journalSeconds(options: {
  readonly batches: readonly RecordBatch[];
  readonly schemas: SchemaTable;
  readonly commits: number;
  readonly outputs: number;
}): Promise<number> {
  const taken: number[] = [];
  const sealed: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const decoded = await cpuSeconds(() => takeRecords(options, undefined));
    const journalled = await cpuSeconds(() => takeRecords(options, new InputTrace()));
    taken.push(journalled - decoded);
    sealed.push(await entrySeconds(options));
  }
  return median(taken) + median(sealed);
}

/** For each record: its place in the runs, the hash over all and the checks. */
function takeRecords(
  { batches, schemas }: { readonly batches: readonly RecordBatch[]; readonly schemas: SchemaTable },
  trace: InputTrace | undefined,
): void {
  const decoder = new Decoder(edgeEvents.schema, schemas);
  const journal = new JournalWriter();
  const cursor = new RecordCursor();
  for (const batch of batches) {
    for (const section of batch.sections()) {
      cursor.open(chunkOf(section, 0, 0));
      while (cursor.next()) {
        const { buffer, view, keyStart, keyEnd, valueStart, valueEnd, slot, offset } = cursor;
        if (trace !== undefined) {
          journal.record(0, slot, offset);
          trace.add(view, keyStart, keyEnd, valueStart, valueEnd);
        }
        decoder.decodeFrame(buffer, valueStart, valueEnd);
      }
    }
    trace?.take();
    journal.take();
  }
}

/** For each commit: the hash over its outputs, and the entry. */
async function entrySeconds(options: {
  readonly schemas: SchemaTable;
  readonly commits: number;
  readonly outputs: number;
}): Promise<number> {
  const { schemas, commits, outputs } = options;
  const identity = new Identity("bench", "minute", 0);
  const emitter = new TaskEmitter({
    outputs: [windows, taskCommits] as never,
    slots: 1,
    logicVersion: 1,
    identity,
    schemas,
  });
  let seconds = 0;
  for (let commit = 1; commit <= commits; commit++) {
    emitter.batch = new RecordBatch();
    const until = Math.floor((commit * outputs) / commits);
    for (let i = Math.floor(((commit - 1) * outputs) / commits); i < until; i++) {
      const key = `session-${String(i).padStart(30, "0")}`;
      emitter.emit(windows, key, { key, startMs: i, count: 60, mean: 1 }, i);
    }
    identity.causedByNumber(3, commit);
    seconds += await cpuSeconds(() => {
      sealJournalEntry(emitter, entryOf(commit));
    });
  }
  return seconds;
}

function entryOf(commit: number): Parameters<typeof sealJournalEntry>[1] {
  const hash = Buffer.alloc(16);
  const stores = ["minute", "~time", "~timers"].map((store) => ({
    store,
    entries: 2_500,
    digest: hash,
  }));
  return {
    processor: "minute",
    slot: 0,
    commit,
    firstOfProcess: false,
    steps: Buffer.alloc(12),
    inputCount: 5_000,
    inputHash: hash,
    inputChecks: Buffer.alloc(625),
    stores,
    previous: hash,
    eventMs: commit,
  };
}
