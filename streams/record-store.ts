import { Arena } from "../schemas/arena.ts";
import { decodeBody, encodeBody } from "../schemas/codec.ts";
import type { EventSchema } from "../schemas/event-schema.ts";
import { isFailure } from "../schemas/failure.ts";
import { OpenCdnError } from "./errors.ts";
import { maxKeyBytes, maxRecordBytes } from "./limits.ts";
import type { PackedStore, RecordStore } from "./store.ts";

/** The largest value fits, so what does not is refused by the store with its own sentence. */
const arenaBytes = 2 * maxRecordBytes;

/** Shared by all views: a handler's call is over before another begins. */
const arena = new Arena({ initialBytes: 4_096, maxBytes: arenaBytes });
const keyBuffer = Buffer.alloc(3 * maxKeyBytes);

/**
 * A packed store seen through an Avro schema and string keys. Values are written without a frame and are not
 * shared: each read gives a fresh object. Values may come from a disk: the storage's checksums, and `digest()`
 * against the journal's after a load, find damage; what slips through fails the codec's bounds check here, which
 * gives OCDN_FOLDER_CORRUPT and never a broken object.
 */
export class RecordStoreView<T> implements RecordStore<T> {
  readonly #store: PackedStore;
  readonly #schema: EventSchema<T>;

  constructor(store: PackedStore, schema: EventSchema<T>) {
    this.#store = store;
    this.#schema = schema;
  }

  get size(): number {
    return this.#store.size;
  }

  get(key: string): T | undefined {
    if (!this.has(key)) return undefined;
    const { bytes, valueStart, valueEnd } = this.#store;
    return this.#decode(bytes, valueStart, valueEnd);
  }

  has(key: string): boolean {
    const length = writeKey(key);
    return length >= 0 && this.#store.find(keyBuffer, 0, length);
  }

  /** Throws OCDN_BAD_INPUT naming the field when the value does not fit the schema, OCDN_LIMIT over a bound. */
  put(key: string, value: T): void {
    const length = writeKey(key);
    if (length < 0) {
      throw new OpenCdnError("OCDN_LIMIT", `storing ${this.#schema.name}: the key is too long`);
    }
    arena.reset();
    const size = encodeBody(this.#schema, value, arena);
    if (isFailure(size)) {
      const code = size.code === "TOO_LARGE" ? "OCDN_LIMIT" : "OCDN_BAD_INPUT";
      throw new OpenCdnError(code, `storing ${this.#schema.name}: ${size.message}`);
    }
    this.#store.put(keyBuffer, 0, length, arena.buffer, 0, size);
  }

  delete(key: string): boolean {
    const length = writeKey(key);
    return length >= 0 && this.#store.delete(keyBuffer, 0, length);
  }

  entries(prefix: string = ""): [key: string, value: T][] {
    const found: [string, T][] = [];
    this.#store.scan(Buffer.from(prefix), (bytes, keyStart, keyEnd, valueStart, valueEnd) => {
      const buffer = bytesAsBuffer(bytes);
      const key = buffer.toString("utf8", keyStart, keyEnd);
      found.push([key, this.#decode(bytes, valueStart, valueEnd)]);
      return undefined;
    });
    return found;
  }

  #decode(bytes: Uint8Array, start: number, end: number): T {
    const value = decodeBody(this.#schema, this.#schema, bytesAsBuffer(bytes), start, end);
    if (isFailure(value)) {
      throw new OpenCdnError(
        "OCDN_FOLDER_CORRUPT",
        `reading ${this.#schema.name} from its store: ${value.message}`,
      );
    }
    return value;
  }
}

function bytesAsBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Puts the key into `keyBuffer` and gives its length; -1 when it is longer than any key may be. */
function writeKey(key: string): number {
  if (key.length > maxKeyBytes) return -1;
  const length = keyBuffer.write(key);
  return length > maxKeyBytes ? -1 : length;
}
