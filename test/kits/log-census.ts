import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import { EmbeddedLog } from "../../streams/embedded/embedded-log.ts";
import { hashRange, lanesToBytes, newLanes } from "../../streams/hash.ts";
import { eventIdBytes, frameHeaderBytes, hex16 } from "../../streams/identity.ts";
import { PackedStore } from "../../streams/packed-store.ts";
import { tableNames, taskCommits } from "../../streams/topics.ts";

const readBytes = 1_048_576;

/** One record as the log holds it. */
export interface CensusRecord {
  readonly topic: string;
  readonly slot: number;
  readonly offset: number;
  readonly key: string;
  /** 32 hexadecimal digits; empty for a tombstone. */
  readonly eventId: string;
  /** Hash of the value behind its frame, 32 hexadecimal digits; empty for a tombstone. */
  readonly payload: string;
}

/** Digest and number of entries of a store. */
export interface StoreCensus {
  readonly digest: string;
  readonly entries: number;
}

/** Everything that a data folder holds which does not depend on where commits fell. */
export interface Census {
  readonly logId: string;
  /** Without the journal, whose entries follow the commits. In order within each topic and slot. */
  readonly records: readonly CensusRecord[];
  readonly journalEntries: number;
  /** What lies in the stores on disk, by processor/slot/store. */
  readonly stores: ReadonlyMap<string, StoreCensus>;
  /** What the last journal entry of each task says of its stores, by the same names. */
  readonly journalled: ReadonlyMap<string, StoreCensus>;
}

/** Reads a whole folder that nobody owns. */
export async function takeCensus(folder: string): Promise<Census> {
  const log = await EmbeddedLog.open({ folder, tables: tableNames, nowMs: Date.now });
  try {
    const records = [...eachRecord(log)].filter(({ topic }) => topic !== taskCommits.name);
    const { entries, journalled } = lastJournalEntries(log);
    const stores = new Map<string, StoreCensus>();
    for (const name of journalled.keys()) stores.set(name, storeOnDisk(log, name));
    return { logId: log.logId, records, journalEntries: entries, stores, journalled };
  } finally {
    await log.close();
  }
}

function* eachRecord(log: EmbeddedLog): Generator<CensusRecord> {
  const cursor = new RecordCursor();
  const lanes = newLanes();
  for (const { topic, slot, startOffset, endOffset } of log.topics()) {
    for (let offset = startOffset; offset < endOffset; ) {
      for (const chunk of log.read(topic, slot, offset, readBytes)) {
        cursor.open(chunk, offset);
        while (cursor.next()) {
          offset = cursor.offset + 1;
          const { buffer, view, keyStart, keyEnd, valueStart, valueEnd } = cursor;
          const key = buffer.toString("utf8", keyStart, keyEnd);
          const at = { topic, slot, offset: cursor.offset, key };
          if (valueStart < 0) {
            yield { ...at, eventId: "", payload: "" };
            continue;
          }
          const start = valueStart + frameHeaderBytes;
          const whole = start + eventIdBytes <= valueEnd;
          hashRange(view, whole ? start : valueStart, valueEnd, 0, lanes);
          const payload = Buffer.from(lanesToBytes(lanes)).toString("hex");
          yield { ...at, eventId: whole ? hex16(buffer, start) : "", payload };
        }
      }
    }
  }
}

function lastJournalEntries(log: EmbeddedLog): {
  readonly entries: number;
  readonly journalled: Map<string, StoreCensus>;
} {
  const decoder = new Decoder(taskCommits.schema, log.schemas);
  const cursor = new RecordCursor();
  const journalled = new Map<string, StoreCensus>();
  let entries = 0;
  for (let slot = 0; slot < log.slots; slot++) {
    const end = log.endOffset(taskCommits.name, slot);
    for (let offset = log.startOffset(taskCommits.name, slot); offset < end; ) {
      for (const chunk of log.read(taskCommits.name, slot, offset, readBytes)) {
        cursor.open(chunk, offset);
        while (cursor.next()) {
          offset = cursor.offset + 1;
          entries += 1;
          const entry = decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
          if (isFailure(entry)) throw new Error(entry.message);
          for (const { store, digest, entries: count } of entry.stores) {
            const name = `${entry.processor}/${entry.slot}/${store}`;
            const hex = Buffer.from(digest).toString("hex");
            journalled.set(name, { digest: hex, entries: Number(count) });
          }
        }
      }
    }
  }
  return { entries, journalled };
}

/** Fills a store from what lies on disk; its digest is computed from those bytes. */
function storeOnDisk(log: EmbeddedLog, name: string): StoreCensus {
  const [processor = "", slot = "", store = ""] = name.split("/");
  const filled = new PackedStore(store);
  log.loadStore(processor, Number(slot), store, (key, value) => filled.load(key, value));
  return { digest: Buffer.from(filled.digest()).toString("hex"), entries: filled.size };
}

/** The records of a census as a sorted list of texts: topic, key, event id and payload hash. */
export function recordSet(records: readonly CensusRecord[]): string[] {
  return records
    .map(({ topic, key, eventId, payload }) => `${topic} ${key} ${eventId} ${payload}`)
    .sort();
}

/** The texts that are in one list more often than in the other, the first few of each: nothing when they are equal. */
export function differences(
  one: readonly string[],
  other: readonly string[],
): { readonly missing: readonly string[]; readonly added: readonly string[] } {
  const counts = new Map<string, number>();
  for (const text of one) counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const text of other) counts.set(text, (counts.get(text) ?? 0) - 1);
  const left = [...counts].filter(([, count]) => count !== 0);
  const few = (sign: 1 | -1): string[] =>
    left.flatMap(([text, count]) => (Math.sign(count) === sign ? [text] : [])).slice(0, 5);
  return { missing: few(1), added: few(-1) };
}

/** Bytes of all files of a folder that match `pattern`; files that vanish meanwhile count nothing. */
export function folderBytes(folder: string, pattern: RegExp = /./): number {
  let bytes = 0;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return 0;
  }
  for (const name of names) {
    const file = path.join(folder, name);
    const status = statSync(file, { throwIfNoEntry: false });
    if (status === undefined) continue;
    if (status.isDirectory()) bytes += folderBytes(file, pattern);
    else if (status.isFile() && pattern.test(name)) bytes += status.size;
  }
  return bytes;
}
