import type { RecordBatch, Section } from "./batch.ts";
import { recordHeaderBytes, tombstoneLength } from "./chunk.ts";
import { hashRange, lanesToBytes, newLanes } from "./hash.ts";
import { frameHeaderBytes } from "./identity.ts";
import { RunningHash } from "./running-hash.ts";
import type { TaskEmitter } from "./task-emitter.ts";
import { taskCommits } from "./topics.ts";

/** What the task knows of a commit when it seals it. */
export interface EntryParts {
  readonly processor: string;
  readonly slot: number;
  readonly commit: number;
  readonly firstOfProcess: boolean;
  readonly steps: Buffer;
  readonly inputCount: number;
  readonly inputHash: Buffer;
  readonly inputChecks: Buffer;
  readonly stores: readonly {
    readonly store: string;
    readonly entries: number;
    readonly digest: Buffer;
  }[];
  readonly previous: Buffer;
  readonly eventMs: number;
}

/** Key of a task's journal entries. */
export function journalKey(processor: string, slot: number): string {
  return `${processor}/${slot}`;
}

/**
 * Adds the journal entry to the open batch, after the outputs that it describes, and returns its hash: the
 * chain value that the next entry carries as `previous`.
 */
export function sealJournalEntry(emitter: TaskEmitter, parts: EntryParts): Uint8Array {
  const { eventMs, stores, ...rest } = parts;
  const key = journalKey(parts.processor, parts.slot);
  const outputs = hashOutputs(emitter.batch);
  emitter.emit(taskCommits, key, { ...rest, outputs, stores: [...stores] }, eventMs);
  const section = emitter.batch
    .sections()
    .find((candidate) => candidate.topic === taskCommits.name) as Section;
  return entryHash(section.view, lastValueStart(section), section.length);
}

/** Hash of a journal entry's payload (its frame left out), 16 bytes. */
export function entryHash(view: DataView, valueStart: number, valueEnd: number): Uint8Array {
  const lanes = newLanes();
  hashRange(view, valueStart + frameHeaderBytes, valueEnd, 0, lanes);
  return lanesToBytes(lanes);
}

function lastValueStart(section: Section): number {
  let at = 0;
  let start = 0;
  while (at < section.length) {
    start = at + recordHeaderBytes + section.view.getUint16(at + 4, true);
    at = start + section.view.getUint32(at, true);
  }
  return start;
}

/** Count and ordered hash of the outputs by topic, over slots, keys and payloads; sorted by topic. */
export function hashOutputs(batch: RecordBatch): { topic: string; count: number; hash: Buffer }[] {
  const outputs: { topic: string; count: number; hash: Buffer }[] = [];
  let topic = "";
  let count = 0;
  const hash = new RunningHash();
  const end = (): void => {
    if (count > 0) outputs.push({ topic, count, hash: Buffer.from(hash.digest()) });
    hash.reset();
    count = 0;
  };
  for (const section of batch.sections()) {
    if (section.topic !== topic) {
      end();
      topic = section.topic;
    }
    hashSection(section, hash);
    count += section.count;
  }
  end();
  return outputs;
}

function hashSection(section: Section, hash: RunningHash): void {
  hash.addNumber(section.slot);
  let at = 0;
  while (at < section.length) {
    const valueLength = section.view.getUint32(at, true);
    const keyStart = at + recordHeaderBytes;
    const keyEnd = keyStart + section.view.getUint16(at + 4, true);
    const tombstone = valueLength === tombstoneLength;
    const end = tombstone ? keyEnd : keyEnd + valueLength;
    const payload = tombstone ? -1 : Math.min(keyEnd + frameHeaderBytes, end);
    hash.add(section.view, keyStart, keyEnd, payload, end);
    at = end;
  }
}
