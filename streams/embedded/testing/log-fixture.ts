import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Section } from "../../batch.ts";
import { type Chunk, RecordCursor } from "../../chunk.ts";
import type { CommitDraft, StoreChanges } from "../../commit.ts";
import type { Position } from "../../log.ts";
import {
  type CommitGroup,
  EmbeddedLog,
  type EmbeddedLogOptions,
  type EmbeddedLogWorld,
} from "../embedded-log.ts";

/** Key and value as text; null removes the key. */
export type TextRecord = readonly [key: string, value: string | null];

const folders: string[] = [];

/** A folder that does not exist yet, inside one that `removeFolders` removes. */
export function newFolder(): string {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), "opencdn-log-"));
  folders.push(parent);
  return path.join(parent, "log");
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
}

/** Three slots, no waiting for the disk, tables are the topics that begin with `table.`. */
export function openLog(
  folder: string,
  options: Partial<EmbeddedLogOptions> = {},
  world: EmbeddedLogWorld = {},
): Promise<EmbeddedLog> {
  const tables = new Set(["table.a.v1", "table.b.v1"]);
  return EmbeddedLog.open(
    { folder, slots: 3, sync: false, tables, nowMs: () => 1_000, ...options },
    world,
  );
}

export function section(topic: string, slot: number, records: readonly TextRecord[]): Section {
  const packed = new Section(topic, slot);
  for (const [key, value] of records) {
    const keyBytes = Buffer.from(key);
    const bytes = value === null ? undefined : Buffer.from(value);
    packed.add(keyBytes, 0, keyBytes.length, bytes, 0, bytes?.length ?? 0);
  }
  return packed;
}

export function storeChanges(store: string, records: readonly TextRecord[]): StoreChanges {
  const { count, bytes, view, length } = section(store, 0, records);
  return { store, count, bytes, view, length };
}

export interface DraftFields {
  readonly processor?: string;
  readonly slot?: number;
  readonly commit?: number;
  readonly outputs?: readonly Section[];
  readonly stores?: readonly StoreChanges[];
  readonly positions?: readonly Position[];
}

export function draft(fields: DraftFields): CommitDraft {
  const { commit = 1 } = fields;
  const chain = new Uint8Array(16).fill(commit);
  return {
    processor: "rib",
    slot: 0,
    outputs: [],
    stores: [],
    positions: [],
    ...fields,
    commit,
    chain,
  };
}

/** A group of one append of the source "feed" from position `previous` (0 is none) to `position`. */
export function feed(previous: number, position: number, ...sections: Section[]): CommitGroup {
  const before = previous === 0 ? undefined : String(previous);
  const append = { source: "feed", previous: before, position: String(position), sections };
  return { drafts: [], appends: [append] };
}

/** The records of chunks, as text. */
export function recordsOf(chunks: readonly Chunk[]): TextRecord[] {
  const records: TextRecord[] = [];
  const cursor = new RecordCursor();
  for (const chunk of chunks) {
    cursor.open(chunk);
    while (cursor.next()) {
      const bytes = Buffer.from(cursor.buffer.buffer, cursor.buffer.byteOffset);
      const key = bytes.toString("utf8", cursor.keyStart, cursor.keyEnd);
      const tombstone = cursor.valueStart < 0;
      records.push([
        key,
        tombstone ? null : bytes.toString("utf8", cursor.valueStart, cursor.valueEnd),
      ]);
    }
  }
  return records;
}

/** All records of a topic and slot from `offset` on, read in steps of `maxBytes`. */
export function readAll(
  log: EmbeddedLog,
  topic: string,
  slot: number,
  offset: number = log.startOffset(topic, slot),
  maxBytes: number = 1_000,
): TextRecord[] {
  const records: TextRecord[] = [];
  let next = offset;
  for (;;) {
    const chunks = log.read(topic, slot, next, maxBytes);
    const [first] = chunks;
    const last = chunks.at(-1);
    if (first === undefined || last === undefined) return records;
    records.push(...recordsOf(chunks).slice(Math.max(0, next - first.baseOffset)));
    next = last.baseOffset + last.count;
  }
}

export function storeEntries(
  log: EmbeddedLog,
  processor: string,
  slot: number,
  store: string,
): TextRecord[] {
  const entries: TextRecord[] = [];
  log.loadStore(processor, slot, store, (key, value) => {
    entries.push([Buffer.from(key).toString(), Buffer.from(value).toString()]);
  });
  return entries;
}

/** The latest values of a table's slot, sorted by key. */
export function tableEntries(log: EmbeddedLog, topic: string, slot: number): TextRecord[] {
  const records = recordsOf(log.snapshot(topic, slot).chunks);
  return records.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Paths of the segment files, the oldest first. */
export function segmentPaths(folder: string): string[] {
  const segments = path.join(folder, "segments");
  return fs
    .readdirSync(segments)
    .sort()
    .map((name) => path.join(segments, name));
}

/** What a kill at this moment would leave: a copy of the folder, in a place of its own. */
export function crashImage(folder: string): string {
  const image = newFolder();
  fs.cpSync(folder, image, { recursive: true });
  return image;
}
