import type { EventSchema } from "../schemas/event-schema.ts";

/**
 * A store of a processor: a byte map in packed memory, with undo, digest and snapshot. The spec is a value;
 * the memory behind it belongs to the task.
 */
export interface StoreSpec {
  readonly name: string;
}

/** A store whose values are Avro records of one schema (without frame). Keys are strings. */
export interface RecordStoreSpec<T> extends StoreSpec {
  readonly schema: EventSchema<T>;
}

export function storeSpec(name: string): StoreSpec {
  return { name };
}

export function recordStoreSpec<T>(name: string, schema: EventSchema<T>): RecordStoreSpec<T> {
  return { name, schema };
}

/**
 * The byte map as a handler sees it. `find` moves the cursor fields to a value in place; they hold until the
 * next call on this store, so a caller reads (or copies) at once and writes into `bytes` only after `edit`.
 */
export interface PackedStore {
  readonly size: number;
  /** Memory that the current value lies in. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly valueStart: number;
  readonly valueEnd: number;
  find(key: Uint8Array, keyStart: number, keyEnd: number): boolean;
  /**
   * Keeps for undo the value that the last call, a `find`, found: its bytes (not their number) may be changed in place
   * until the next call. A counter costs half of what a `put` of the same value does.
   */
  edit(): void;
  put(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void;
  /** False when there was nothing to delete. */
  delete(key: Uint8Array, keyStart: number, keyEnd: number): boolean;
  /**
   * Visits entries whose key begins with `prefix`, in byte order of the keys, which does not depend on history.
   * The visitor may not change the store; it returns false to stop. Costs a scan and a sort of the matches.
   */
  scan(
    prefix: Uint8Array,
    visit: (
      bytes: Uint8Array,
      keyStart: number,
      keyEnd: number,
      valueStart: number,
      valueEnd: number,
    ) => boolean | undefined,
  ): void;
}

/** A packed store seen through an Avro schema and string keys. Values are fresh objects. */
export interface RecordStore<T> {
  readonly size: number;
  get(key: string): T | undefined;
  has(key: string): boolean;
  put(key: string, value: T): void;
  delete(key: string): boolean;
  /** Entries in byte order of the keys. */
  entries(prefix?: string): [key: string, value: T][];
}
