import { OpenCdnError } from "../errors.ts";
import { keyText } from "../identity.ts";
import { maxKeyBytes } from "../limits.ts";
import type { Context } from "../processor.ts";
import { type PackedStore, type StoreSpec, storeSpec } from "../store.ts";
import { copyBytes } from "../store-generation.ts";
import { Scratch } from "./scratch.ts";
import type { Summary } from "./summary.ts";

/** After the record's key an entry's key has a level and the time at which the part of a window begins. */
const suffixBytes = 7;
const latestMs = 2 ** 48;

/**
 * The store of a window and the one entry that is being looked at: `open`, `setKey`, `at`, then `add` and so on.
 * Entry key: key, u8 level, u48 big endian start in ms; value: a summary. Nothing is allocated but when an entry is new.
 */
export class WindowStore {
  readonly spec: StoreSpec;
  readonly scratch: Scratch = new Scratch();
  readonly #summary: Summary;
  readonly #key: Buffer = Buffer.alloc(maxKeyBytes);
  readonly #keyView: DataView = new DataView(this.#key.buffer, this.#key.byteOffset, maxKeyBytes);
  #keyLength = 0;
  #entryLength = 0;
  #context: Context | undefined;
  #store: PackedStore | undefined;

  constructor(name: string, summary: Summary) {
    this.spec = storeSpec(name);
    this.#summary = summary;
  }

  /** Works on the store of the task that `context` belongs to. */
  open(context: Context): void {
    if (context === this.#context) return;
    this.#store = context.packed(this.spec);
    this.#context = context;
  }

  setKey(key: Uint8Array, keyStart: number, keyEnd: number): void {
    const length = keyEnd - keyStart;
    if (length > maxKeyBytes - suffixBytes) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `adding to window ${this.spec.name}: the key is too long`,
      );
    }
    copyBytes(key, keyStart, keyEnd, this.#key, 0);
    this.#keyLength = length;
  }

  setText(key: string): void {
    this.#keyLength = this.#key.write(key, 0, maxKeyBytes - suffixBytes);
  }

  /** The key as text. Throws OCDN_BAD_INPUT when it is not UTF-8, since a timer could not find it again. */
  text(): string {
    const text = keyText(this.#key, 0, this.#keyLength);
    const again = Buffer.from(text);
    if (again.compare(this.#key, 0, this.#keyLength) !== 0) {
      throw new OpenCdnError(
        "OCDN_BAD_INPUT",
        `adding to window ${this.spec.name}: key is not UTF-8`,
      );
    }
    return text;
  }

  /** Chooses the entry of the key at `startMs`. */
  at(level: number, startMs: number): void {
    const at = this.#keyLength;
    this.#key[at] = level;
    this.#keyView.setUint16(at + 1, startMs / 0x100000000);
    this.#keyView.setUint32(at + 3, startMs);
    this.#entryLength = at + suffixBytes;
  }

  find(): boolean {
    return (this.#store as PackedStore).find(this.#key, 0, this.#entryLength);
  }

  /** Adds a value to the summary that `find` found. */
  addFound(value: number): void {
    const store = this.#store as PackedStore;
    this.scratch.load(store.bytes, store.valueStart, store.valueEnd);
    this.#addAndPut(value);
  }

  /** Begins a summary with one value where `find` found none. */
  addNew(value: number): void {
    this.scratch.length = 0;
    this.#summary.begin(this.scratch);
    this.#addAndPut(value);
  }

  /** Adds what `find` found to the summary in `total`. */
  mergeFound(total: Scratch): void {
    const store = this.#store as PackedStore;
    this.#summary.merge(total, 0, store.view, store.valueStart, store.valueEnd);
  }

  /** Copies what `find` found. */
  copyFound(to: Scratch): void {
    const store = this.#store as PackedStore;
    to.load(store.bytes, store.valueStart, store.valueEnd);
  }

  /** Number of values in what `find` found. */
  countFound(): number {
    const store = this.#store as PackedStore;
    return this.#summary.count(store.view, store.valueStart);
  }

  put(value: Scratch): void {
    (this.#store as PackedStore).put(this.#key, 0, this.#entryLength, value.bytes, 0, value.length);
  }

  delete(): void {
    (this.#store as PackedStore).delete(this.#key, 0, this.#entryLength);
  }

  #addAndPut(value: number): void {
    this.#summary.add(this.scratch, 0, value);
    this.put(this.scratch);
  }
}

/** Throws OCDN_BAD_INPUT for a time that no window holds. */
export function checkEventMs(name: string, eventMs: number): void {
  if (!(eventMs >= 0 && eventMs < latestMs)) {
    throw new OpenCdnError("OCDN_BAD_INPUT", `adding to window ${name}: ${eventMs} is no time`);
  }
}
