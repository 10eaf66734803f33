import type { RecordCursor } from "./chunk.ts";
import type { ErrorCode } from "./errors.ts";
import { maxMessageCharacters } from "./limits.ts";
import type { TaskEmitter } from "./task-emitter.ts";
import { deadLetters } from "./topics.ts";

const nothing = Buffer.alloc(0);

/** Writes what a task could not process to `dead.letters.v1`, in the same commit as everything else. */
export class TaskDeadLetters {
  readonly #processor: string;
  readonly #slot: number;
  readonly #emitter: TaskEmitter;

  constructor(processor: string, slot: number, emitter: TaskEmitter) {
    this.#processor = processor;
    this.#slot = slot;
    this.#emitter = emitter;
  }

  /** The record under the cursor, whole, so that it can be put back. */
  record(cursor: RecordCursor, code: ErrorCode, message: string, eventMs: number): void {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd, topic, slot, offset } = cursor;
    this.#emit(topic, { topic, slot, offset }, code, message, eventMs, {
      recordKey: buffer.subarray(keyStart, keyEnd),
      recordValue: valueStart < 0 ? nothing : buffer.subarray(valueStart, valueEnd),
    });
  }

  /** A timer, tick or sealing that failed: no record stands behind it. */
  unit(code: ErrorCode, message: string, eventMs: number): void {
    const place = { topic: "", slot: this.#slot, offset: 0 };
    const bytes = { recordKey: nothing, recordValue: nothing };
    this.#emit(this.#processor, place, code, message, eventMs, bytes);
  }

  #emit(
    key: string,
    place: { readonly topic: string; readonly slot: number; readonly offset: number },
    code: ErrorCode,
    message: string,
    eventMs: number,
    bytes: { readonly recordKey: Buffer; readonly recordValue: Buffer },
  ): void {
    const letter = {
      sourceTopic: place.topic,
      sourceSlot: place.slot,
      sourceOffset: place.offset,
      processor: this.#processor,
      code,
      message: message.slice(0, maxMessageCharacters),
      ...bytes,
    };
    this.#emitter.emit(deadLetters, key, letter, eventMs);
  }
}
