import { OpenCdnError } from "../errors.ts";
import type { Context } from "../processor.ts";
import type { StoreSpec } from "../store.ts";
import { checkOptions, type Window, type WindowOptions, WindowView } from "./window.ts";
import { checkEventMs, floorTo, WindowStore } from "./window-store.ts";

export interface SlidingOptions extends WindowOptions {
  readonly sizeMs: number;
  /** Distance of the ends of windows; divides the size. */
  readonly slideMs: number;
}

export interface HoppingOptions extends WindowOptions {
  readonly sizeMs: number;
  readonly hopMs: number;
}

const paneLevel = 0;
const blockLevel = 1;
/** With fewer panes than this in a window, blocks of panes save nothing. */
const leastPanes = 8;

/**
 * Windows [e - size, e) for each key and every multiple e of the slide that has a record in it. A record is added to
 * its pane (one slide long) and to its block (about the square root of the panes in a window), whatever the slide;
 * a window is put together from at most 3 x sqrt(size / slide) of them.
 */
export class Sliding {
  readonly stores: readonly StoreSpec[];
  readonly #options: SlidingOptions;
  readonly #graceMs: number;
  /** Length of a block; 0 without blocks. */
  readonly #blockMs: number;
  readonly #timerPrefix: string;
  readonly #store: WindowStore;
  readonly #window: WindowView;

  constructor(options: SlidingOptions) {
    const { sizeMs, slideMs } = options;
    checkOptions(options, { sizeMs, slideMs });
    if (sizeMs % slideMs !== 0) {
      throw new OpenCdnError(
        "OCDN_CONFIG",
        `window ${options.name}: a size of ${sizeMs} is no multiple of ${slideMs}`,
      );
    }
    const panes = sizeMs / slideMs;
    this.#options = options;
    this.#graceMs = options.graceMs ?? 0;
    this.#blockMs = panes < leastPanes ? 0 : Math.round(Math.sqrt(panes)) * slideMs;
    this.#timerPrefix = `${options.name}|`;
    this.#store = new WindowStore(options.name, options.summary);
    this.#window = new WindowView(options.summary);
    this.stores = [this.#store.spec];
  }

  /**
   * Adds `value` to the windows of its key and time that are still open; call it in a handler of the window's
   * input. False when all are closed, which `onLate` was told. Throws OCDN_BAD_INPUT for a value or time that is no
   * number.
   */
  add(
    context: Context,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    eventMs: number,
    value: number,
  ): boolean {
    const { name, input, sizeMs, slideMs } = this.#options;
    const store = this.#store;
    checkEventMs(name, eventMs);
    const paneMs = floorTo(eventMs, slideMs);
    const closedMs = context.streamMs(input) - this.#graceMs;
    store.open(context);
    store.setKey(key, keyStart, keyEnd);
    if (paneMs + sizeMs <= closedMs) {
      this.#options.onLate?.({ key: store.text(), eventMs, value }, context);
      return false;
    }
    store.at(paneLevel, paneMs);
    if (store.find()) {
      store.addFound(value);
    } else {
      const text = store.text();
      store.addNew(value);
      const firstEndMs = Math.max(paneMs, floorTo(closedMs, slideMs)) + slideMs;
      context.schedule(this.#timerPrefix + text, firstEndMs + this.#graceMs);
    }
    this.#addToBlock(eventMs, closedMs, value);
    return true;
  }

  /**
   * The window of `key` that ends with the slide that `atMs` lies in, as it is now: for rules that act at once. It
   * covers `atMs` and the size before it, to within one slide. Undefined when that window is closed. The object is
   * reused.
   */
  read(context: Context, key: string, atMs: number): Window | undefined {
    const { name, input, sizeMs, slideMs } = this.#options;
    checkEventMs(name, atMs);
    const endMs = floorTo(atMs, slideMs) + slideMs;
    if (endMs + this.#graceMs <= context.streamMs(input)) return undefined;
    this.#store.open(context);
    this.#store.setText(key);
    this.#combine(key, endMs - sizeMs, endMs);
    return this.#window;
  }

  /** Closes the window whose timer it is; false when the timer belongs to something else. */
  onTimer(key: string, atMs: number, context: Context): boolean {
    if (!key.startsWith(this.#timerPrefix)) return false;
    const { sizeMs, slideMs } = this.#options;
    const store = this.#store;
    const endMs = atMs - this.#graceMs;
    const startMs = endMs - sizeMs;
    store.open(context);
    store.setText(key.slice(this.#timerPrefix.length));
    this.#combine(key.slice(this.#timerPrefix.length), startMs, endMs);
    const { count } = this.#window;
    if (count === 0) return true;
    // The next window begins one slide later: the first pane, and the block that begins with it, are done.
    let left = count;
    if (startMs >= 0) {
      store.at(paneLevel, startMs);
      if (store.find()) {
        left -= store.countFound();
        store.delete();
      }
      if (this.#blockMs > 0 && startMs % this.#blockMs === 0) {
        store.at(blockLevel, startMs);
        store.delete();
      }
    }
    if (left > 0) context.schedule(key, atMs + slideMs);
    this.#options.onClose(this.#window, context);
    return true;
  }

  /** A block is of use as long as a window that holds all of it is open. */
  #addToBlock(eventMs: number, closedMs: number, value: number): void {
    if (this.#blockMs === 0) return;
    const blockMs = floorTo(eventMs, this.#blockMs);
    if (blockMs + this.#options.sizeMs <= closedMs) return;
    this.#store.at(blockLevel, blockMs);
    if (this.#store.find()) this.#store.addFound(value);
    else this.#store.addNew(value);
  }

  /** Puts the window [startMs, endMs) of the store's key together. */
  #combine(key: string, startMs: number, endMs: number): void {
    const window = this.#window;
    const store = this.#store;
    const blockMs = this.#blockMs;
    window.key = key;
    window.startMs = startMs;
    window.endMs = endMs;
    window.scratch.length = 0;
    this.#options.summary.begin(window.scratch);
    for (let at = Math.max(0, startMs); at < endMs; ) {
      const whole = blockMs > 0 && at % blockMs === 0 && at + blockMs <= endMs;
      store.at(whole ? blockLevel : paneLevel, at);
      if (store.find()) store.mergeFound(window.scratch);
      at += whole ? blockMs : this.#options.slideMs;
    }
  }
}

/** Overlapping windows of one size, one for every slide, that can also be read before they close. */
export function sliding(options: SlidingOptions): Sliding {
  return new Sliding(options);
}

/** Overlapping windows of one size that begin every `hopMs`, which divides the size. */
export function hopping(options: HoppingOptions): Sliding {
  const { hopMs, ...rest } = options;
  return new Sliding({ ...rest, slideMs: hopMs });
}
