import { randomUUID } from "node:crypto";
import { CodecFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import { OpenCdnError } from "../errors.ts";
import { defaultSlots, maxSlots } from "../limits.ts";
import { Checkpointer } from "./checkpointer.ts";
import { ChunkIndex } from "./chunk-index.ts";
import { ChunkReader } from "./chunk-reader.ts";
import type { Disk } from "./disk.ts";
import { type Checkpoint, LogFacts, loadCheckpoint } from "./log-facts.ts";
import type { Ownership } from "./owner.ts";
import { recover, tidySegments } from "./recovery.ts";
import { SegmentFiles } from "./segment-files.ts";
import { segmentHeaderBytes } from "./segment-format.ts";
import type { StateDb } from "./state-db.ts";
import { TailCache } from "./tail-cache.ts";

/** What a log is, for good. */
export interface LogIdentity {
  readonly logId: string;
  readonly slots: number;
  readonly historical: boolean;
}

export interface RestoreOptions {
  readonly folder: string;
  readonly segmentsFolder: string;
  readonly db: StateDb;
  readonly ownership: Ownership;
  readonly disk: Disk;
  readonly sync: boolean;
  readonly onDamage: ((error: OpenCdnError) => void) | undefined;
  readonly tailCacheBytes: number;
  readonly tables: ReadonlySet<string>;
  /** What a new log becomes; an existing one must have as many slots when they are given. */
  readonly wanted: { [Field in keyof LogIdentity]: LogIdentity[Field] | undefined };
}

/** The parts of an open log, in memory up to the last durable group. */
export interface LogParts {
  readonly identity: LogIdentity;
  readonly schemas: SchemaTable;
  readonly db: StateDb;
  readonly files: SegmentFiles;
  readonly facts: LogFacts;
  readonly index: ChunkIndex;
  readonly tail: TailCache;
  readonly reader: ChunkReader;
  readonly ownership: Ownership;
  readonly checkpointer: Checkpointer;
  /** Where the next group goes. */
  readonly next: Checkpoint;
  /** What the segments held that LMDB had not, and bytes of unfinished writes that were cut off. */
  readonly recovered: { readonly groups: number; readonly cutBytes: number };
}

const identityFact = "log";
const schemasFact = "schemas";

/** Loads an owned folder, brings LMDB up to its segments, durably, and cuts off what does not count. */
export function restoreLog(options: RestoreOptions): LogParts {
  const { disk, sync, onDamage, segmentsFolder } = options;
  const identity = identify(options);
  const { logId } = identity;
  const files = new SegmentFiles({ folder: segmentsFolder, disk, logId, sync, onDamage });
  try {
    return restoreParts(options, identity, files);
  } catch (error) {
    files.close();
    throw error;
  }
}

function restoreParts(
  options: RestoreOptions,
  identity: LogIdentity,
  files: SegmentFiles,
): LogParts {
  const { db, ownership } = options;
  const { logId, slots } = identity;
  const schemas = loadSchemas(db);
  const facts = new LogFacts(slots);
  facts.load(db);
  const index = new ChunkIndex(db);
  const tail = new TailCache(options.tailCacheBytes);
  const reader = new ChunkReader(index, files, tail);
  const { epoch, bootId } = ownership;
  const from = loadCheckpoint(db) ?? { ...firstCheckpoint(epoch), bootId };
  const checkpointer = new Checkpointer({ db, facts, index, ownership, reader }, from);
  const sameBoot = bootId !== "" && bootId === from.bootId;
  const target = { logId, files, facts, index, checkpointer };
  const { groups, next } = recover(target, { from, epoch, sameBoot });
  files.startAfter(next.segment - 1);
  checkpointer.moveTo(next);
  for (const topic of facts.topics.all()) {
    if (options.tables.has(topic.name) && !topic.table) {
      facts.makeTable(topic);
      checkpointer.rebuild(topic);
    }
  }
  checkpointer.runNow();
  const recovered = { groups, cutBytes: tidySegments(files, facts.segments, epoch) };
  const parts = { identity, schemas, db, files, facts, index, tail, reader };
  return { ...parts, ownership, checkpointer, next, recovered };
}

function firstCheckpoint(epoch: number): Checkpoint {
  return { sequence: 0, segment: 1, epoch, position: segmentHeaderBytes };
}

/** What the folder is, written down when it is new. */
function identify(options: RestoreOptions): LogIdentity {
  const { db, ownership, folder, wanted } = options;
  const stored = db.fact(identityFact);
  if (stored !== undefined) {
    const identity = JSON.parse(stored.toString()) as LogIdentity;
    if (wanted.slots !== undefined && wanted.slots !== identity.slots) {
      throw new OpenCdnError(
        "OCDN_SLOTS_DIFFER",
        `opening ${folder}: the log has ${identity.slots} slots, not ${wanted.slots}`,
      );
    }
    return identity;
  }
  const slots = wanted.slots ?? defaultSlots;
  if (!Number.isInteger(slots) || slots < 1 || slots > maxSlots) {
    throw new OpenCdnError(
      "OCDN_CONFIG",
      `creating ${folder}: a log has 1 to ${maxSlots} slots, not ${slots}`,
    );
  }
  const logId = wanted.logId ?? randomUUID();
  const identity = { logId, slots, historical: wanted.historical ?? false };
  db.write("creating a log", true, () => {
    ownership.checkInTransaction();
    db.setFact(identityFact, Buffer.from(JSON.stringify(identity)));
  });
  return identity;
}

function loadSchemas(db: StateDb): SchemaTable {
  const stored = db.fact(schemasFact);
  return stored === undefined ? new SchemaTable() : tableOf(JSON.parse(stored.toString()));
}

/** A table of its own with the same schemas. */
export function copySchemas(table: SchemaTable): SchemaTable {
  return tableOf(table.toJSON());
}

function tableOf(rows: unknown): SchemaTable {
  const table = SchemaTable.fromJSON(rows);
  if (table instanceof CodecFailure) {
    throw new OpenCdnError("OCDN_FOLDER_CORRUPT", `reading the schemas of a log: ${table.message}`);
  }
  return table;
}

/** Writes the schemas of a log; inside a write transaction. */
export function saveSchemas(db: StateDb, table: SchemaTable): void {
  db.setFact(schemasFact, Buffer.from(JSON.stringify(table)));
}
