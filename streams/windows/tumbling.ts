import type { Context } from "../processor.ts";
import type { StoreSpec } from "../store.ts";
import { checkOptions, type WindowOptions, WindowView } from "./window.ts";
import { checkEventMs, floorTo, WindowStore } from "./window-store.ts";

export interface TumblingOptions extends WindowOptions {
  readonly sizeMs: number;
}

/** Windows [n x size, (n + 1) x size) for each key. A window costs its key + 48 bytes, and its timer about 60. */
export class Tumbling {
  readonly stores: readonly StoreSpec[];
  readonly #options: TumblingOptions;
  readonly #graceMs: number;
  readonly #timerPrefix: string;
  readonly #store: WindowStore;
  readonly #window: WindowView;

  constructor(options: TumblingOptions) {
    checkOptions(options, { sizeMs: options.sizeMs });
    this.#options = options;
    this.#graceMs = options.graceMs ?? 0;
    this.#timerPrefix = `${options.name}|`;
    this.#store = new WindowStore(options.name, options.summary);
    this.#window = new WindowView(options.summary);
    this.stores = [this.#store.spec];
  }

  /**
   * Adds `value` to the window of its key and time; call it in a handler of the window's input. False for a late
   * record, which `onLate` was told. Throws OCDN_BAD_INPUT for a value or time that is no number.
   */
  add(
    context: Context,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    eventMs: number,
    value: number,
  ): boolean {
    const store = this.#store;
    checkEventMs(this.#options.name, eventMs);
    const startMs = floorTo(eventMs, this.#options.sizeMs);
    store.open(context);
    store.setKey(key, keyStart, keyEnd);
    store.at(0, startMs);
    if (store.find()) {
      store.addFound(value);
      return true;
    }
    const closeMs = startMs + this.#options.sizeMs + this.#graceMs;
    if (closeMs <= context.streamMs(this.#options.input)) {
      this.#options.onLate?.({ key: store.text(), eventMs, value }, context);
      return false;
    }
    const text = store.text();
    store.addNew(value);
    context.schedule(this.#timerPrefix + text, closeMs);
    return true;
  }

  /** Closes the window whose timer it is; false when the timer belongs to something else. */
  onTimer(key: string, atMs: number, context: Context): boolean {
    if (!key.startsWith(this.#timerPrefix)) return false;
    const window = this.#window;
    const store = this.#store;
    window.key = key.slice(this.#timerPrefix.length);
    window.endMs = atMs - this.#graceMs;
    window.startMs = window.endMs - this.#options.sizeMs;
    store.open(context);
    store.setText(window.key);
    store.at(0, window.startMs);
    if (!store.find()) return true;
    store.copyFound(window.scratch);
    store.delete();
    this.#options.onClose(window, context);
    return true;
  }
}

/** Windows of one size that do not overlap. */
export function tumbling(options: TumblingOptions): Tumbling {
  return new Tumbling(options);
}
