import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Decoder } from "../../schemas/codec.ts";
import { defineSchema, type EventSchema } from "../../schemas/event-schema.ts";
import { isFailure } from "../../schemas/failure.ts";
import { RecordCursor } from "../chunk.ts";
import { connectLog } from "../embedded/client.ts";
import { type LogServer, serveLog } from "../embedded/server.ts";
import type { Log } from "../log.ts";
import type { Topic, TopicKind } from "../topic.ts";
import { deadLetters } from "../topics.ts";
import { MemoryOwner, type MemoryOwnerOptions } from "./memory-owner.ts";

export interface Word {
  readonly eventId: Uint8Array;
  readonly eventMs: number;
  readonly logicVersion: number;
  readonly text: string;
}

const wordSchema: EventSchema<Word> = defineSchema<Word>(
  JSON.stringify({
    type: "record",
    name: "Word",
    fields: [
      { name: "eventId", type: { type: "fixed", name: "EventId", size: 16 } },
      { name: "eventMs", type: "long" },
      { name: "logicVersion", type: "int" },
      { name: "text", type: "string" },
    ],
  }),
);

function topicOf(name: string, kind: TopicKind): Topic<Word> {
  return { name, kind, slotPart: "whole", schema: wordSchema, doc: "For tests." };
}

export const words: Topic<Word> = topicOf("words.v1", "stream");
export const latestWords: Topic<Word> = topicOf("latest.words.v1", "table");
const servedTopics: readonly Topic<unknown>[] = [words, latestWords, deadLetters];

export interface WordRecord {
  readonly key: string;
  readonly id: string;
  readonly text: string;
}

/** A log in memory behind a real socket: what a gateway, a source or a sink has to deal with. */
export class ServedLog {
  owner: MemoryOwner;
  log!: Log;
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), "ocdn-served-"));
  readonly #requestMs: number;
  #server: LogServer | undefined;

  private constructor(options: MemoryOwnerOptions, requestMs: number) {
    this.owner = ownerOf(options);
    this.#requestMs = requestMs;
  }

  static async open(
    options: MemoryOwnerOptions = {},
    requestMs: number = 1_500,
  ): Promise<ServedLog> {
    const served = new ServedLog(options, requestMs);
    await served.start();
    served.log = await served.connect();
    return served;
  }

  get socketPath(): string {
    return path.join(this.#folder, "owner.sock");
  }

  connect(): Promise<Log> {
    const { socketPath } = this;
    const folder = this.#folder;
    return connectLog({ folder, name: "test", socketPath, requestMs: this.#requestMs });
  }

  async start(): Promise<void> {
    const { owner, socketPath } = this;
    this.#server = await serveLog({ owner, socketPath, topics: servedTopics });
  }

  /** Takes the engine away; what waits for a commit is lost, as by a kill. */
  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    this.owner.lose();
  }

  /** Puts another log in the place of this one. */
  async replace(options: MemoryOwnerOptions): Promise<void> {
    await this.stop();
    this.owner = ownerOf(options);
    await this.start();
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.#server?.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** All records of a topic, by slot and offset, decoded. */
  read<T>(topic: Topic<T>): { readonly key: string; readonly value: T | undefined }[] {
    const { log } = this.owner;
    const decoder = new Decoder(topic.schema, log.schemas);
    const records: { key: string; value: T | undefined }[] = [];
    for (let slot = 0; slot < log.slots; slot++) {
      for (const chunk of log.read(topic.name, slot, 0, Number.MAX_SAFE_INTEGER)) {
        const cursor = new RecordCursor().open(chunk);
        while (cursor.next()) {
          const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
          const key = buffer.toString("utf8", keyStart, keyEnd);
          const value =
            valueStart < 0 ? undefined : decoder.decodeFrame(buffer, valueStart, valueEnd);
          if (isFailure(value)) throw new Error(value.message);
          records.push({ key, value });
        }
      }
    }
    return records;
  }

  /** The words of a topic with their identities. */
  words(topic: Topic<Word> = words): WordRecord[] {
    return this.read(topic).map(({ key, value }) => ({
      key,
      id: Buffer.from(value?.eventId ?? []).toString("hex"),
      text: value?.text ?? "-",
    }));
  }
}

function ownerOf(options: MemoryOwnerOptions): MemoryOwner {
  const owner = new MemoryOwner({ tables: [latestWords.name], ...options });
  for (const { schema } of servedTopics) owner.schemas.register(schema);
  return owner;
}
