import { Arena } from "../../schemas/arena.ts";
import { Decoder, encodeFrame } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import { SchemaTable } from "../../schemas/schema-table.ts";
import type { PersistedEntry, PersistedTables } from "../site/persisted-tables.ts";
import type { TableView } from "../site/table-follower.ts";

/** A view whose entries can be written down and read again. */
export interface PersistentView<T> extends TableView<T> {
  entries(): Iterable<readonly [key: string, value: T]>;
}

/**
 * The views as they are now, for a file. They are followed from snapshots, so offsets are not kept; values are
 * encoded from the views, which hold less than the log's records.
 */
export function persistedOf(
  views: readonly PersistentView<never>[],
  logId: string,
  savedMs: number,
): PersistedTables {
  const schemas = new SchemaTable();
  const tables = new Map<string, PersistedEntry[]>();
  const arena = new Arena();
  for (const view of views as unknown as readonly PersistentView<unknown>[]) {
    const { schema, name } = view.topic;
    const id = schemas.register(schema);
    const entries: PersistedEntry[] = [];
    for (const [key, value] of view.entries()) {
      arena.reset();
      if (isFailure(encodeFrame(schema, id, value, arena))) continue;
      entries.push({ key, value: Buffer.from(arena.bytes()), offset: 0 });
    }
    tables.set(name, entries);
  }
  return { savedMs, logId, schemas, tables };
}

/** Puts what a file held into the views; gives the number of entries. */
export function restoreViews(
  views: readonly PersistentView<never>[],
  persisted: PersistedTables,
): number {
  let count = 0;
  for (const view of views as unknown as readonly PersistentView<unknown>[]) {
    const decoder = new Decoder(view.topic.schema, persisted.schemas);
    for (const { key, value } of persisted.tables.get(view.topic.name) ?? []) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      const decoded = decoder.decodeFrame(bytes, 0, bytes.length);
      if (isFailure(decoded)) continue;
      view.put(key, decoded);
      count += 1;
    }
  }
  return count;
}
