import { keyText } from "./identity.ts";
import type { Recorded } from "./processor.ts";

/** The one reused object in which a reader hands over records; see `Recorded`. */
export class RecordedView implements Recorded<unknown> {
  topic: string = "";
  slot: number = 0;
  offset: number = 0;
  timestampMs: number = 0;
  eventMs: number = 0;
  value: unknown = null;
  valueStart: number = -1;
  keyBytes: Buffer = Buffer.alloc(0);
  keyStart: number = 0;
  keyEnd: number = 0;
  #key: string | undefined;

  get key(): string {
    this.#key ??= keyText(this.keyBytes, this.keyStart, this.keyEnd);
    return this.#key;
  }

  /** Points at the key in `bytes[start..end)`; the text is made when asked for. */
  at(bytes: Buffer, start: number, end: number): void {
    this.keyBytes = bytes;
    this.keyStart = start;
    this.keyEnd = end;
    this.#key = undefined;
  }
}
