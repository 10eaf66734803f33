import { OpenCdnError } from "../errors.ts";
import type { Context } from "../processor.ts";
import type { StoreSpec } from "../store.ts";
import { Scratch } from "./scratch.ts";
import { checkOptions, type WindowOptions, WindowView } from "./window.ts";
import { checkEventMs, WindowStore } from "./window-store.ts";

export interface SessionOptions extends WindowOptions {
  /** A silence of this length ends a session. */
  readonly gapMs: number;
}

/** Before each summary: f64 first and f64 last event, u32 length of the summary. */
const headBytes = 20;
/** Sessions of one key that are open at once; only late records make more than one. */
const maxOpenSessions = 256;

/**
 * Sessions of each key: records less than a gap apart. Open sessions of a key are one entry of the store; a
 * record that closes the gap between two joins them. A session closes a gap and the grace after
 * its last event.
 */
export class Sessions {
  readonly stores: readonly StoreSpec[];
  readonly #options: SessionOptions;
  /** From the last event of a session to its end. */
  readonly #tailMs: number;
  readonly #timerPrefix: string;
  readonly #store: WindowStore;
  readonly #window: WindowView;
  /** The entry as it was, as it becomes, and the session in work. */
  readonly #before: Scratch = new Scratch();
  readonly #after: Scratch = new Scratch();
  readonly #joined: Scratch = new Scratch();

  constructor(options: SessionOptions) {
    checkOptions(options, { gapMs: options.gapMs });
    this.#options = options;
    this.#tailMs = options.gapMs + (options.graceMs ?? 0);
    this.#timerPrefix = `${options.name}|`;
    this.#store = new WindowStore(options.name, options.summary);
    this.#window = new WindowView(options.summary);
    this.stores = [this.#store.spec];
  }

  /**
   * Adds `value` to the session of its key and time; call it in a handler of the window's input. False for a late
   * record (no open session takes it, and its own would be closed), which `onLate` was told. Throws OCDN_BAD_INPUT
   * for a value or time that is no number, OCDN_LIMIT for more than 256 open sessions of a key.
   */
  add(
    context: Context,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    eventMs: number,
    value: number,
  ): boolean {
    const { name, input, summary } = this.#options;
    const store = this.#store;
    checkEventMs(name, eventMs);
    store.open(context);
    store.setKey(key, keyStart, keyEnd);
    store.at(0, 0);
    this.#before.length = 0;
    if (store.find()) store.copyFound(this.#before);
    this.#joined.length = 0;
    summary.begin(this.#joined);
    summary.add(this.#joined, 0, value);
    const alone = this.#join(eventMs);
    if (alone) {
      const text = store.text();
      if (eventMs + this.#tailMs <= context.streamMs(input)) {
        this.#options.onLate?.({ key: text, eventMs, value }, context);
        return false;
      }
      context.schedule(this.#timerPrefix + text, eventMs + this.#tailMs);
    }
    store.put(this.#after);
    return true;
  }

  /** Closes the sessions that ended by `atMs`; false when the timer belongs to something else. */
  onTimer(key: string, atMs: number, context: Context): boolean {
    if (!key.startsWith(this.#timerPrefix)) return false;
    const store = this.#store;
    const before = this.#before;
    const after = this.#after;
    store.open(context);
    store.setText(key.slice(this.#timerPrefix.length));
    store.at(0, 0);
    if (!store.find()) return true;
    store.copyFound(before);
    after.length = 0;
    let nextMs = Number.POSITIVE_INFINITY;
    const window = this.#window;
    let closes = false;
    for (let at = 0; at < before.length; at = endOf(before, at)) {
      const closeMs = lastOf(before, at) + this.#tailMs;
      if (closeMs > atMs || closes) {
        after.append(before.bytes, before.view, at, endOf(before, at));
        nextMs = Math.min(nextMs, Math.max(closeMs, atMs));
        continue;
      }
      closes = true;
      window.key = key.slice(this.#timerPrefix.length);
      window.startMs = firstOf(before, at);
      window.endMs = lastOf(before, at);
      window.scratch.load(before.bytes, before.view, at + headBytes, endOf(before, at));
    }
    if (after.length === 0) store.delete();
    else store.put(after);
    if (after.length > 0) context.schedule(key, nextMs);
    if (closes) this.#options.onClose(window, context);
    return true;
  }

  /** Writes the entry with `#joined` at `eventMs` in it to `#after`; true when no open session takes it. */
  #join(eventMs: number): boolean {
    const before = this.#before;
    const after = this.#after;
    let firstMs = eventMs;
    let lastMs = eventMs;
    let open = 1;
    for (let at = 0; at < before.length; at = endOf(before, at)) {
      if (!this.#takes(at, eventMs)) {
        open += 1;
        continue;
      }
      firstMs = Math.min(firstMs, firstOf(before, at));
      lastMs = Math.max(lastMs, lastOf(before, at));
      const end = endOf(before, at);
      this.#options.summary.merge(this.#joined, 0, before.view, at + headBytes, end);
    }
    if (open > maxOpenSessions) {
      const message = `adding to window ${this.#options.name}: ${maxOpenSessions} sessions are open`;
      throw new OpenCdnError("OCDN_LIMIT", message);
    }
    after.length = 0;
    let alone = true;
    for (let at = 0; at < before.length; at = endOf(before, at)) {
      if (this.#takes(at, eventMs)) {
        alone = false;
        continue;
      }
      after.append(before.bytes, before.view, at, endOf(before, at));
    }
    appendSession(after, firstMs, lastMs, this.#joined);
    return alone;
  }

  #takes(at: number, eventMs: number): boolean {
    const { gapMs } = this.#options;
    const before = this.#before;
    return eventMs > firstOf(before, at) - gapMs && eventMs < lastOf(before, at) + gapMs;
  }
}

/** Sessions for each key, which end with a silence. */
export function sessions(options: SessionOptions): Sessions {
  return new Sessions(options);
}

function firstOf(scratch: Scratch, at: number): number {
  return scratch.view.getFloat64(at, true);
}

function lastOf(scratch: Scratch, at: number): number {
  return scratch.view.getFloat64(at + 8, true);
}

function endOf(scratch: Scratch, at: number): number {
  return at + headBytes + scratch.view.getUint32(at + 16, true);
}

function appendSession(to: Scratch, firstMs: number, lastMs: number, summary: Scratch): void {
  const at = to.length;
  to.reserve(at + headBytes);
  to.view.setFloat64(at, firstMs, true);
  to.view.setFloat64(at + 8, lastMs, true);
  to.view.setUint32(at + 16, summary.length, true);
  to.length = at + headBytes;
  to.append(summary.bytes, summary.view, 0, summary.length);
}
