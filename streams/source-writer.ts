import { Arena } from "../schemas/arena.ts";
import type { EventSchema } from "../schemas/event-schema.ts";
import type { RecordBatch } from "./batch.ts";
import { OpenCdnError } from "./errors.ts";
import { EventEncoder } from "./event-encoder.ts";
import { causeKinds, eventIdBytes, frameHeaderBytes, Identity, writeAscii } from "./identity.ts";
import { maxKeyBytes } from "./limits.ts";
import type { Log } from "./log.ts";
import type { Emitted } from "./processor.ts";
import { slotOfKey, type Topic } from "./topic.ts";

/** Up to this many characters a loop is faster than a call into the runtime. */
const shortKey = 48;
/** Logic version of records that no processor made. */
const sourceLogicVersion = 0;

/**
 * Packs events that come from outside into batches of one log: frame, identity from the position (as
 * `sourceEventId` gives it) and slot. Bound to the log as it was when made; see `fits`.
 */
export class SourceWriter {
  readonly #logId: string;
  readonly #slots: number;
  readonly #schemas: Log["schemas"];
  readonly #identity: Identity;
  readonly #encoders = new Map<EventSchema<unknown>, EventEncoder<unknown>>();
  readonly #arena = new Arena({ initialBytes: 8_192, maxBytes: 4_194_304 });
  readonly #key = Buffer.alloc(3 * maxKeyBytes);
  readonly #writeId = (target: Uint8Array, at: number): void => this.#identity.next(target, at);

  constructor(log: Pick<Log, "logId" | "slots" | "schemas">, source: string) {
    this.#logId = log.logId;
    this.#slots = log.slots;
    this.#schemas = log.schemas;
    this.#identity = new Identity(log.logId, `source/${source}`, 0);
  }

  /** False once the log was replaced by another: what was written before then does not belong in it. */
  fits(log: Pick<Log, "logId" | "schemas">): boolean {
    return log.logId === this.#logId && log.schemas === this.#schemas;
  }

  /**
   * Adds one event. Throws OCDN_BAD_INPUT when the value does not fit its schema, OCDN_UNKNOWN_SCHEMA when the
   * log does not have it, OCDN_LIMIT for a key or record over the limits; the batch is then as it was.
   */
  add<T>(
    batch: RecordBatch,
    topic: Topic<T>,
    key: string,
    value: Emitted<T>,
    eventMs: number,
    position: string,
  ): void {
    const keyEnd = this.#writeKey(topic.name, key);
    this.#identity.causedByText(causeKinds.source, position, 0);
    const arena = this.#arena;
    arena.reset();
    const length = this.#encoderOf(topic).encode(
      value as Emitted<unknown>,
      eventMs,
      sourceLogicVersion,
      this.#writeId,
      arena,
    );
    const slot = slotOfKey(topic, this.#slots, this.#key, 0, keyEnd);
    batch.add(topic.name, slot, this.#key, 0, keyEnd, arena.buffer, 0, length);
  }

  /** Adds a tombstone, which removes the key from a table. */
  remove(batch: RecordBatch, topic: Topic<unknown>, key: string): void {
    const keyEnd = this.#writeKey(topic.name, key);
    const slot = slotOfKey(topic, this.#slots, this.#key, 0, keyEnd);
    batch.add(topic.name, slot, this.#key, 0, keyEnd, undefined, 0, 0);
  }

  /** A copy of the identity of the event that the last `add` wrote. */
  lastEventId(): Uint8Array {
    const end = frameHeaderBytes + eventIdBytes;
    return Uint8Array.from(this.#arena.buffer.subarray(frameHeaderBytes, end));
  }

  #encoderOf(topic: Topic<unknown>): EventEncoder<unknown> {
    let encoder = this.#encoders.get(topic.schema);
    if (encoder === undefined) {
      encoder = new EventEncoder(topic.schema, this.#schemas);
      this.#encoders.set(topic.schema, encoder);
    }
    return encoder;
  }

  #writeKey(topic: string, key: string): number {
    if (key.length <= shortKey) {
      const length = writeAscii(key, this.#key);
      if (length >= 0) return length;
    }
    const end =
      key.length > maxKeyBytes ? Number.POSITIVE_INFINITY : this.#key.write(key, 0, "utf8");
    if (end > maxKeyBytes) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `adding a record to ${topic}: a key of ${key.length} characters is over ${maxKeyBytes} bytes`,
      );
    }
    return end;
  }
}
