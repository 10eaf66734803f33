import fs from "node:fs";
import { type Database, open, type RootDatabase, type TransactionFlags } from "lmdb";
import { OpenCdnError } from "../errors.ts";
import { diskError } from "./disk-error.ts";

/** Address space for the map, not disk: the file grows with its content. */
const mapBytes = 64 * 1_073_741_824;
/** Larger pages than LMDB's 4 KiB: a checkpoint's cost is mostly that of pages, 10 microseconds each. */
const pageBytes = 8_192;
const inputOutputError = 5;
const fullBelowBytes = 1_048_576;
/** `transactionSync` flags of lmdb: abortable, committed at its end; and not waiting for the disk. */
const durable = 3 as TransactionFlags;
const unflushed = 0x10003 as TransactionFlags;

/** Bytes in place that a put takes its key or value from. lmdb reads `start`, `end` and caches `address`. */
interface Span extends Uint8Array {
  start: number;
  end: number;
}

/** What an iteration stands at; valid until the next step. */
export class EntryCursor {
  keyBytes: Uint8Array = new Uint8Array(0);
  keyStart: number = 0;
  keyEnd: number = 0;
  value: Uint8Array = new Uint8Array(0);
  valueLength: number = 0;
}

/**
 * The LMDB environment of a folder: `facts` (small named values), `entries` (store entries and latest table values
 * by space id and key) and `places` (blocks of the chunk index). It is opened with `overlappingSync`: a transaction
 * that did not flush is lost as a whole when the machine dies, never in part, and survives the death of the process.
 */
export class StateDb {
  readonly #path: string;
  readonly #sync: boolean;
  readonly #root: RootDatabase<Buffer, Uint8Array>;
  readonly #facts: Database<Buffer, Uint8Array>;
  readonly #places: Database<Buffer, Uint8Array>;
  readonly #entries: Database<null, number>;
  readonly #cursor = new EntryCursor();
  readonly #prefix = Buffer.alloc(4);
  #key: Uint8Array = this.#prefix;
  #keyStart = 0;
  #keyEnd = 0;
  #value: Span = spanOf(this.#prefix, 0, 0);
  #closed = false;

  /** With `sync` false nothing waits for the disk, as only tests want it. */
  constructor(path: string, sync: boolean = true) {
    this.#path = path;
    this.#sync = sync;
    try {
      this.#root = open<Buffer, Uint8Array>(path, {
        encoding: "binary",
        keyEncoding: "binary",
        maxDbs: 4,
        mapSize: mapBytes,
        pageSize: pageBytes,
        overlappingSync: true,
        // The map holds state of a fleet, nothing that other users of the machine should read.
        ...({ permissionsMode: 0o600 } as object),
      });
      this.#facts = this.#root.openDB("facts", { encoding: "binary", keyEncoding: "binary" });
      this.#places = this.#root.openDB("places", { encoding: "binary", keyEncoding: "binary" });
      this.#entries = this.#root.openDB("entries", {
        encoder: { encode: () => this.#value, decode: this.#seeValue },
        keyEncoder: { writeKey: this.#writeKey, readKey: this.#seeKey },
      } as object);
    } catch (error) {
      throw diskError("opening the state of a log", error);
    }
  }

  readonly #writeKey = (id: number, target: Uint8Array, at: number): number => {
    target[at] = id >>> 24;
    target[at + 1] = id >>> 16;
    target[at + 2] = id >>> 8;
    target[at + 3] = id;
    let to = at + 4;
    for (let from = this.#keyStart; from < this.#keyEnd; from++) {
      target[to] = this.#key[from] as number;
      to += 1;
    }
    return to;
  };

  readonly #seeKey = (bytes: Uint8Array, start: number, end: number): null => {
    this.#cursor.keyBytes = bytes;
    this.#cursor.keyStart = start + 4;
    this.#cursor.keyEnd = end;
    return null;
  };

  readonly #seeValue = (bytes: Uint8Array, length?: number): null => {
    this.#cursor.value = bytes;
    this.#cursor.valueLength = length ?? bytes.length;
    return null;
  };

  /**
   * Runs `action` in an exclusive write transaction over all processes. With `flush` it is durable when this
   * returns; without, it is visible and becomes durable with the next flush. Nothing remains when it throws.
   */
  write<T>(doing: string, flush: boolean, action: () => T): T {
    this.#checkOpen();
    try {
      return this.#root.transactionSync(action, flush && this.#sync ? durable : unflushed);
    } catch (error) {
      throw diskError(doing, this.#wasShortWrite(error) ? { code: "ENOSPC" } : error);
    }
  }

  /** lmdb itself does not look before it reads. */
  #checkOpen(): void {
    if (this.#closed) throw new OpenCdnError("OCDN_DISCONNECTED", "using a log: it is closed");
  }

  /** LMDB calls a write that stopped half-way, where the disk became full, an input/output error. */
  #wasShortWrite(error: unknown): boolean {
    if ((error as { code?: unknown }).code !== inputOutputError) return false;
    const { bavail, bsize } = fs.statfsSync(this.#path);
    return bavail * bsize < fullBelowBytes;
  }

  /** Makes all transactions so far durable. */
  flush(): Promise<void> {
    if (!this.#sync || this.#closed) return Promise.resolve();
    const { sync } = this.#root as unknown as { sync(done: (error?: Error) => void): void };
    return new Promise((resolve, reject) => {
      sync.call(this.#root, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /** Later reads see what other processes committed until now. */
  refresh(): void {
    this.#checkOpen();
    this.#root.resetReadTxn();
  }

  fact(key: string): Buffer | undefined {
    this.#checkOpen();
    return this.#facts.getBinary(Buffer.from(key));
  }

  setFact(key: string, value: Buffer): void {
    this.#facts.putSync(Buffer.from(key), value);
  }

  removeFact(key: string): void {
    this.#facts.removeSync(Buffer.from(key));
  }

  /** Every fact whose key begins with `prefix` (ASCII), in byte order; `visit` gets the rest of the key. */
  eachFact(prefix: string, visit: (rest: string, value: Buffer) => void): void {
    const start = Buffer.from(prefix);
    const end = Buffer.from(prefix);
    end[end.length - 1] = (end[end.length - 1] as number) + 1;
    for (const { key, value } of this.#facts.getRange({ start, end })) {
      visit(Buffer.from(key).toString("utf8", start.length), value);
    }
  }

  putPlace(key: Buffer, value: Buffer): void {
    this.#places.putSync(key, value);
  }

  removePlace(key: Buffer): void {
    this.#places.removeSync(key);
  }

  /** The last place with `from <= key <= to`, or undefined. */
  lastPlace(from: Buffer, to: Buffer): [key: Buffer, value: Buffer] | undefined {
    this.#checkOpen();
    const range = { start: to, end: from, reverse: true, inclusiveEnd: true, limit: 1 };
    for (const { key, value } of this.#places.getRange(range)) return [Buffer.from(key), value];
    return undefined;
  }

  /** Places with `from <= key < to` in order, until `visit` gives false. */
  eachPlace(from: Buffer, to: Buffer, visit: (key: Buffer, value: Buffer) => boolean): void {
    for (const { key, value } of this.#places.getRange({ start: from, end: to })) {
      if (!visit(Buffer.from(key), value)) return;
    }
  }

  /** Puts one entry of a space; only inside `write`. Key and value are taken in place and copied at once. */
  putEntry(
    space: number,
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    this.#key = bytes;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    this.#value = spanOf(bytes, valueStart, valueEnd);
    this.#entries.putSync(space, null);
  }

  /** Removes one entry of a space if it is there; only inside `write`. */
  removeEntry(space: number, bytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.#key = bytes;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    this.#entries.removeSync(space);
  }

  /** Visits the entries of a space in byte order of the keys. */
  eachEntry(space: number, visit: (entry: EntryCursor) => void): void {
    this.#checkOpen();
    this.#keyStart = 0;
    this.#keyEnd = 0;
    const range = this.#entries.getRange({ start: space, end: space + 1 });
    for (const _ of range) visit(this.#cursor);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#root.close();
  }
}

/** lmdb takes `start` from the beginning of the memory under the array, not from the array's own offset. */
function spanOf(bytes: Uint8Array, start: number, end: number): Span {
  const span = bytes as Span;
  span.start = bytes.byteOffset + start;
  span.end = bytes.byteOffset + end;
  return span;
}
