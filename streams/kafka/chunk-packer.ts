import { type Chunk, recordHeaderBytes, tombstoneLength } from "../chunk.ts";
import { maxKeyBytes, maxRecordBytesOf } from "../limits.ts";

/** A message as a Kafka client gives it; a null value is a tombstone. */
export interface Message {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** A message that no record of ours can be: it is skipped and told. */
export interface OddMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly message: string;
}

export interface Packed {
  readonly chunks: readonly Chunk[];
  readonly odd: readonly OddMessage[];
}

/** Where the records of one chunk begin and end in the messages of one partition. */
interface Run {
  readonly first: Message;
  readonly messages: Message[];
  sizeBytes: number;
}

/**
 * Packs consumed messages, in the order of each partition, into the chunks that tasks visit. A chunk's offsets are
 * contiguous and its records share one timestamp, so it ends where a transaction's marker took an offset and where
 * the broker stamped another batch: what a task sees of a record does not depend on how the client grouped them.
 */
export function packMessages(messages: readonly Message[]): Packed {
  const odd: OddMessage[] = [];
  const open = new Map<string, Run>();
  const runs: Run[] = [];
  for (const message of messages) {
    const wrong = oddity(message);
    if (wrong !== undefined) {
      const { topic, partition, offset } = message;
      odd.push({ topic, partition, offset, message: wrong });
      continue;
    }
    const place = `${message.topic}/${message.partition}`;
    let run = open.get(place);
    if (run === undefined || !continues(run, message)) {
      run = { first: message, messages: [], sizeBytes: 0 };
      open.set(place, run);
      runs.push(run);
    }
    run.messages.push(message);
    run.sizeBytes += recordHeaderBytes + message.key.length + (message.value?.length ?? 0);
  }
  return { chunks: runs.map(chunkOf), odd };
}

function oddity({ topic, key, value, offset }: Message): string | undefined {
  if (!Number.isSafeInteger(offset) || offset < 0) return `an offset of ${offset}`;
  if (key.length > maxKeyBytes) return `a key of ${key.length} bytes (at most ${maxKeyBytes})`;
  const most = maxRecordBytesOf(topic);
  if (value !== null && value.length > most) {
    return `a value of ${value.length} bytes (at most ${most})`;
  }
  return undefined;
}

function continues(run: Run, message: Message): boolean {
  return (
    message.offset === run.first.offset + run.messages.length &&
    message.timestampMs === run.first.timestampMs
  );
}

function chunkOf({ first, messages, sizeBytes }: Run): Chunk {
  const buffer = Buffer.allocUnsafeSlow(sizeBytes);
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  let at = 0;
  for (const { key, value } of messages) {
    view.setUint32(at, value === null ? tombstoneLength : value.length, true);
    view.setUint16(at + 4, key.length, true);
    at += recordHeaderBytes;
    buffer.set(key, at);
    at += key.length;
    if (value !== null) buffer.set(value, at);
    at += value?.length ?? 0;
  }
  return {
    topic: first.topic,
    slot: first.partition,
    baseOffset: first.offset,
    count: messages.length,
    timestampMs: first.timestampMs,
    buffer,
    view,
    start: 0,
    end: sizeBytes,
  };
}
