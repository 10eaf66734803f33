import { OpenCdnError } from "../errors.ts";
import { keyText } from "../identity.ts";
import { maxKeyBytes } from "../limits.ts";
import type { Context } from "../processor.ts";
import { type PackedStore, type StoreSpec, storeSpec } from "../store.ts";
import { copyRange, ViewOfLast } from "../store-bytes.ts";
import { Scratch } from "./scratch.ts";
import type { Summary } from "./summary.ts";

/** Before the record's key an entry's key has a level and the time at which the part of a window begins. */
const headBytes = 8;
const latestMs = 2 ** 48;

/**
 * The store of a window and the one entry that is being looked at: `open`, `setKey`, `at`, then `add` and so on.
 * Entry key: u16 level, u48 start in ms, key; value: a summary. Nothing is allocated but when an entry is new.
 */
export class WindowStore {
  readonly spec: StoreSpec;
  readonly scratch: Scratch = new Scratch();
  readonly #summary: Summary;
  readonly #key: Buffer = Buffer.alloc(maxKeyBytes);
  readonly #keyView: DataView = new DataView(this.#key.buffer, this.#key.byteOffset, maxKeyBytes);
  readonly #keys = new ViewOfLast();
  #keyEnd = headBytes;
  #level = 0;
  #startMs = 0;
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
    if (length > maxKeyBytes - headBytes) this.#refuseKey();
    copyRange(key, this.#keys.of(key), keyStart, length, this.#key, this.#keyView, headBytes);
    this.#keyEnd = headBytes + length;
  }

  setText(key: string): void {
    if (
      key.length * 3 > maxKeyBytes - headBytes &&
      Buffer.byteLength(key) > maxKeyBytes - headBytes
    ) {
      this.#refuseKey();
    }
    this.#keyEnd = headBytes + this.#key.write(key, headBytes);
  }

  /** The key as text. Throws OCDN_BAD_INPUT when it is not UTF-8, since a timer could not find it again. */
  text(): string {
    const text = keyText(this.#key, headBytes, this.#keyEnd);
    // What is not UTF-8 reads as U+FFFD, which a key may also have of its own.
    if (
      text.includes("\ufffd") &&
      Buffer.from(text).compare(this.#key, headBytes, this.#keyEnd) !== 0
    ) {
      throw new OpenCdnError(
        "OCDN_BAD_INPUT",
        `adding to window ${this.spec.name}: key is not UTF-8`,
      );
    }
    return text;
  }

  /** Chooses the entry of the key at `startMs`. */
  at(level: number, startMs: number): void {
    if (level === this.#level && startMs === this.#startMs) return;
    this.#level = level;
    this.#startMs = startMs;
    this.#keyView.setUint16(0, level);
    this.#keyView.setUint16(2, startMs / 0x100000000);
    this.#keyView.setUint32(4, startMs);
  }

  find(): boolean {
    return (this.#store as PackedStore).find(this.#key, 0, this.#keyEnd);
  }

  /** Adds a value to the summary that `find` found. */
  addFound(value: number): void {
    const store = this.#store as PackedStore;
    if (this.#summary.fixed) {
      store.edit();
      this.#summary.addFixed(store.view, store.valueStart, value);
      return;
    }
    this.scratch.load(store.bytes, store.view, store.valueStart, store.valueEnd);
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
    to.load(store.bytes, store.view, store.valueStart, store.valueEnd);
  }

  /** Number of values in what `find` found. */
  countFound(): number {
    const store = this.#store as PackedStore;
    return this.#summary.count(store.view, store.valueStart);
  }

  put(value: Scratch): void {
    (this.#store as PackedStore).put(this.#key, 0, this.#keyEnd, value.bytes, 0, value.length);
  }

  delete(): void {
    (this.#store as PackedStore).delete(this.#key, 0, this.#keyEnd);
  }

  #refuseKey(): never {
    throw new OpenCdnError("OCDN_LIMIT", `window ${this.spec.name}: a key is too long`);
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

/** The highest multiple of `step` that is not above `ms`; exact for all times, and faster than `%` on doubles. */
export function floorTo(ms: number, step: number): number {
  return Math.floor(ms / step) * step;
}
