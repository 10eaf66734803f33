import { Arena } from "../schemas/arena.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import { RecordBatch } from "./batch.ts";
import { OpenCdnError } from "./errors.ts";
import { EventEncoder } from "./event-encoder.ts";
import type { Identity } from "./identity.ts";
import type { Emitted } from "./processor.ts";
import { slotOfKey, type Topic } from "./topic.ts";

interface Output {
  readonly topic: Topic<unknown>;
  readonly encoder: EventEncoder<unknown>;
}

/** Encodes what a task emits into its open batch. */
export class TaskEmitter {
  readonly #slots: number;
  readonly #logicVersion: number;
  readonly #identity: Identity;
  readonly #outputs = new Map<string, Output>();
  readonly #arena = new Arena({ initialBytes: 8_192, maxBytes: 4_194_304 });
  readonly #writeId = (target: Uint8Array, at: number): void => this.#identity.next(target, at);
  #key: Buffer = Buffer.alloc(4_096);
  #keyEnd = 0;
  batch: RecordBatch = new RecordBatch();

  constructor(options: {
    readonly outputs: readonly Topic<unknown>[];
    readonly slots: number;
    readonly logicVersion: number;
    readonly identity: Identity;
    readonly schemas: SchemaTable;
  }) {
    this.#slots = options.slots;
    this.#logicVersion = options.logicVersion;
    this.#identity = options.identity;
    for (const topic of options.outputs) {
      const encoder = new EventEncoder(topic.schema, options.schemas);
      this.#outputs.set(topic.name, { topic, encoder });
    }
  }

  /** Throws OCDN_UNDECLARED for a topic that is no output, OCDN_BAD_INPUT for a value that does not fit. */
  emit<T>(topic: { readonly name: string }, key: string, value: Emitted<T>, eventMs: number): void {
    const output = this.#output(topic.name);
    this.#writeKey(key);
    const arena = this.#arena;
    arena.reset();
    const length = output.encoder.encode(
      value as Emitted<unknown>,
      eventMs,
      this.#logicVersion,
      this.#writeId,
      arena,
    );
    const slot = slotOfKey(output.topic, this.#slots, this.#key, 0, this.#keyEnd);
    this.batch.add(topic.name, slot, this.#key, 0, this.#keyEnd, arena.buffer, 0, length);
  }

  remove(topic: { readonly name: string }, key: string): void {
    const output = this.#output(topic.name);
    this.#writeKey(key);
    const slot = slotOfKey(output.topic, this.#slots, this.#key, 0, this.#keyEnd);
    this.batch.add(topic.name, slot, this.#key, 0, this.#keyEnd, undefined, 0, 0);
  }

  #output(name: string): Output {
    const output = this.#outputs.get(name);
    if (output === undefined) {
      throw new OpenCdnError("OCDN_UNDECLARED", `emitting to ${name}: not among the outputs`);
    }
    return output;
  }

  #writeKey(key: string): void {
    if (key.length * 3 > this.#key.length) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `emitting: a key of ${key.length} characters is too long`,
      );
    }
    this.#keyEnd = this.#key.write(key, 0, "utf8");
  }
}
