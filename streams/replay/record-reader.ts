import { type Chunk, RecordCursor } from "../chunk.ts";
import { OpenCdnError } from "../errors.ts";

/** What a replay reads from: any `Log`, or a bundle. */
export interface RecordedLog {
  readonly logId: string;
  readonly slots: number;
  read(topic: string, slot: number, offset: number, maxBytes: number): Promise<Chunk[]>;
}

const readBytes = 1_048_576;

/** Reads records of one topic and slot by offset, forward, one chunk in memory. */
export class RecordReader {
  readonly #log: RecordedLog;
  readonly topic: string;
  readonly slot: number;
  readonly cursor: RecordCursor = new RecordCursor();
  #chunks: Chunk[] = [];
  #open = false;
  /** Offset of the record that `next` gives. */
  position: number = 0;

  constructor(log: RecordedLog, topic: string, slot: number) {
    this.#log = log;
    this.topic = topic;
    this.slot = slot;
  }

  /** Moves to the record at `position`; false at the end of the log. */
  async next(): Promise<boolean> {
    for (;;) {
      if (this.#open && this.cursor.nextOffset === this.position && this.cursor.next()) {
        this.position += 1;
        return true;
      }
      if (!(await this.#load())) return false;
    }
  }

  /** Begins at another offset. */
  seek(offset: number): void {
    this.#open &&= this.cursor.nextOffset === offset;
    if (!this.#open) this.#chunks = [];
    this.position = offset;
  }

  async #load(): Promise<boolean> {
    let chunk = this.#chunks.shift();
    if (chunk === undefined) {
      this.#chunks = await this.#log.read(this.topic, this.slot, this.position, readBytes);
      chunk = this.#chunks.shift();
    }
    if (chunk === undefined) return false;
    if (chunk.baseOffset > this.position) {
      throw new OpenCdnError(
        "OCDN_NOT_FOUND",
        `replaying: ${this.topic} slot ${this.slot} begins at offset ${chunk.baseOffset}, the record at ${this.position} is gone`,
      );
    }
    this.cursor.open(chunk, this.position);
    this.#open = true;
    return true;
  }
}
