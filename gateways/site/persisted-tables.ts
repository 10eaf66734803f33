import { createHash } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { CodecFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { MAX_PERSISTED_BYTES, MAX_PERSISTED_HEADER_BYTES, MAX_PERSISTED_TOPICS } from "./limits.ts";

/** One entry of a table: the framed value as it came from the log, and the offset it had there. */
export interface PersistedEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly offset: number;
}

/** The tables that a gateway follows, as they were at one moment. */
export interface PersistedTables {
  readonly savedMs: number;
  /** The log that the offsets belong to. */
  readonly logId: string;
  /** What the frames of the values mean. */
  readonly schemas: SchemaTable;
  readonly tables: ReadonlyMap<string, readonly PersistedEntry[]>;
}

/** Why there are no tables to start with: `ABSENT` is a first start, the others are worth a log line. */
export interface PersistedFailure {
  readonly kind: "failure";
  readonly code: "ABSENT" | "UNREADABLE" | "TOO_LARGE" | "NEWER" | "CORRUPT";
  readonly message: string;
}

const MAGIC = "OCDNTBL\n";
const VERSION = 1;
const PREAMBLE_BYTES = 16;
const DIGEST_BYTES = 32;
/** Key length, value length, offset. */
const ENTRY_BYTES = 2 + 4 + 8;
const MAX_KEY_BYTES = 0xffff;

const headerSchema = z.strictObject({
  savedMs: z.number(),
  logId: z.string().max(256),
  schemas: z.unknown(),
  tables: z
    .array(z.strictObject({ topic: z.string().min(1).max(256), entries: z.number().int().min(0) }))
    .max(MAX_PERSISTED_TOPICS),
});
type Header = z.infer<typeof headerSchema>;

/**
 * Writes the tables to a file in one step, forced to the disk: after a crash there is the old file
 * or the new one. Throws `OCDN_LIMIT` when they are too large, `OCDN_DISK_FULL` or `OCDN_STORAGE`
 * when they cannot be written; the old file then stays.
 */
export async function savePersistedTables(file: string, tables: PersistedTables): Promise<void> {
  const bytes = encodeTables(tables);
  const temporary = `${file}.${process.pid}.part`;
  try {
    const handle = await open(temporary, "w", 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    const code =
      error instanceof Error && "code" in error && error.code === "ENOSPC"
        ? "OCDN_DISK_FULL"
        : "OCDN_STORAGE";
    throw new OpenCdnError(code, `saving the tables to ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function encodeTables({ savedMs, logId, schemas, tables }: PersistedTables): Buffer {
  const listed = [...tables].map(([topic, entries]) => ({ topic, entries: entries.length }));
  const header = Buffer.from(
    JSON.stringify({ savedMs, logId, schemas, tables: listed } satisfies Header),
  );
  let size = PREAMBLE_BYTES + header.length + DIGEST_BYTES;
  for (const entries of tables.values()) {
    for (const { key, value } of entries)
      size += ENTRY_BYTES + Buffer.byteLength(key) + value.length;
  }
  if (size > MAX_PERSISTED_BYTES || header.length > MAX_PERSISTED_HEADER_BYTES) {
    throw new OpenCdnError(
      "OCDN_LIMIT",
      `saving the tables: ${size} bytes are more than ${MAX_PERSISTED_BYTES}`,
    );
  }
  const bytes = Buffer.allocUnsafe(size);
  bytes.write(MAGIC, "latin1");
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(header.length, 12);
  bytes.set(header, PREAMBLE_BYTES);
  let at = PREAMBLE_BYTES + header.length;
  for (const entries of tables.values()) {
    for (const entry of entries) at = encodeEntry(bytes, at, entry);
  }
  bytes.set(createHash("sha256").update(bytes.subarray(0, at)).digest(), at);
  return bytes;
}

function encodeEntry(bytes: Buffer, at: number, { key, value, offset }: PersistedEntry): number {
  const keyBytes = bytes.write(key, at + ENTRY_BYTES);
  if (keyBytes > MAX_KEY_BYTES)
    throw new OpenCdnError("OCDN_LIMIT", "saving the tables: a key is too long");
  bytes.writeUInt16LE(keyBytes, at);
  bytes.writeUInt32LE(value.length, at + 2);
  bytes.writeDoubleLE(offset, at + 6);
  bytes.set(value, at + ENTRY_BYTES + keyBytes);
  return at + ENTRY_BYTES + keyBytes + value.length;
}

/** Reads what `savePersistedTables` wrote; a failure, and so empty tables, for anything else. */
export async function loadPersistedTables(
  file: string,
): Promise<PersistedTables | PersistedFailure> {
  try {
    const { size } = await stat(file);
    if (size > MAX_PERSISTED_BYTES) return failure("TOO_LARGE", file, `${size} bytes are too many`);
    return decodeTables(file, await readFile(file));
  } catch (error) {
    const absent = error instanceof Error && "code" in error && error.code === "ENOENT";
    return failure(absent ? "ABSENT" : "UNREADABLE", file, messageOf(error));
  }
}

function failure(code: PersistedFailure["code"], file: string, cause: string): PersistedFailure {
  return { kind: "failure", code, message: `loading the tables from ${file}: ${cause}` };
}

function decodeTables(file: string, bytes: Buffer): PersistedTables | PersistedFailure {
  const corrupt = (cause: string): PersistedFailure => failure("CORRUPT", file, cause);
  if (bytes.length < PREAMBLE_BYTES + DIGEST_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) {
    return corrupt("these are no tables");
  }
  const version = bytes.readUInt32LE(8);
  if (version > VERSION)
    return failure("NEWER", file, `version ${version} is newer than ${VERSION}`);
  const end = bytes.length - DIGEST_BYTES;
  const digest = createHash("sha256").update(bytes.subarray(0, end)).digest();
  if (!digest.equals(bytes.subarray(end))) return corrupt("the checksum differs");
  const headerBytes = bytes.readUInt32LE(12);
  const entriesAt = PREAMBLE_BYTES + headerBytes;
  if (headerBytes > MAX_PERSISTED_HEADER_BYTES || entriesAt > end)
    return corrupt("the header is cut off");
  const header = readHeader(bytes.toString("utf8", PREAMBLE_BYTES, entriesAt));
  if (header === undefined) return corrupt("the header is not valid");
  const schemas = SchemaTable.fromJSON(header.schemas);
  if (schemas instanceof CodecFailure) return corrupt(schemas.message);
  const tables = decodeEntries(bytes, entriesAt, end, header);
  if (tables === undefined) return corrupt("the entries are cut off");
  return { savedMs: header.savedMs, logId: header.logId, schemas, tables };
}

function readHeader(text: string): Header | undefined {
  try {
    return headerSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function decodeEntries(
  bytes: Buffer,
  entriesAt: number,
  end: number,
  header: Header,
): Map<string, PersistedEntry[]> | undefined {
  const tables = new Map<string, PersistedEntry[]>();
  let at = entriesAt;
  for (const { topic, entries } of header.tables) {
    const table: PersistedEntry[] = [];
    for (let left = entries; left > 0; left--) {
      if (at + ENTRY_BYTES > end) return undefined;
      const keyAt = at + ENTRY_BYTES;
      const valueAt = keyAt + bytes.readUInt16LE(at);
      const next = valueAt + bytes.readUInt32LE(at + 2);
      if (next > end) return undefined;
      const key = bytes.toString("utf8", keyAt, valueAt);
      table.push({ key, value: bytes.subarray(valueAt, next), offset: bytes.readDoubleLE(at + 6) });
      at = next;
    }
    tables.set(topic, table);
  }
  return at === end ? tables : undefined;
}
