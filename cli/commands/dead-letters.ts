import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import type { DeadLetter } from "../../schemas/generated/events.ts";
import { RecordBatch } from "../../streams/batch.ts";
import { RecordCursor } from "../../streams/chunk.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import { hex16 } from "../../streams/identity.ts";
import type { Log } from "../../streams/log.ts";
import { deadLetters, topicByName } from "../../streams/topics.ts";
import { print, printJson, printTable } from "../output.ts";

const readBytes = 1_048_576;

interface Listed {
  readonly id: string;
  readonly letter: DeadLetter;
  readonly redriven: boolean;
}

/**
 * Every dead letter that the log held when this began, oldest first in each slot, and whether it was redriven. Those
 * that come meanwhile are left out: a redriven record that is refused again would never let it end.
 */
async function* readLetters(log: Log): AsyncGenerator<Listed> {
  const ends = new Map<number, number>();
  for (const { topic, slot, endOffset } of await log.status()) {
    if (topic === deadLetters.name) ends.set(slot, endOffset);
  }
  const decoder = new Decoder(deadLetters.schema, log.schemas);
  const cursor = new RecordCursor();
  for (let slot = 0; slot < log.slots; slot++) {
    const end = ends.get(slot) ?? 0;
    let offset = 0;
    while (offset < end) {
      const chunks = await log.read(deadLetters.name, slot, offset, readBytes);
      if (chunks.length === 0) break;
      for (const chunk of chunks) {
        cursor.open(chunk, offset);
        while (offset < end && cursor.next()) {
          offset = cursor.offset + 1;
          if (cursor.valueStart < 0) continue;
          const letter = decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
          if (isFailure(letter)) continue;
          const id = hex16(letter.eventId);
          const position = await log.sourcePosition(sourceOf(letter));
          yield { id, letter, redriven: position !== undefined };
        }
      }
    }
  }
}

/** The record, not the letter: several processors may have refused the same one. */
function sourceOf({ sourceTopic, sourceSlot, sourceOffset }: DeadLetter): string {
  return `redrive/${sourceTopic}/${sourceSlot}/${sourceOffset}`;
}

/** `opencdn dead-letters list` */
export async function listDeadLetters(
  log: Log,
  options: { readonly json: boolean },
): Promise<void> {
  const rows: Listed[] = [];
  for await (const listed of readLetters(log)) {
    if (options.json) printJson(listed);
    else rows.push(listed);
  }
  if (options.json) return;
  if (rows.length === 0) {
    print("no dead letters");
    return;
  }
  printTable(
    ["id", "processor", "topic", "slot", "offset", "code", "redriven", "why"],
    rows.map(({ id, letter, redriven }) => [
      id,
      letter.processor,
      letter.sourceTopic,
      letter.sourceSlot,
      letter.sourceOffset,
      letter.code,
      redriven ? "yes" : "no",
      letter.message.slice(0, 80),
    ]),
  );
}

/**
 * `opencdn dead-letters redrive`: puts the raw records back on their topics, each exactly once however often it is
 * called: the place of the record is a source of its own. `ids` empty: all.
 */
export async function redriveDeadLetters(
  log: Log,
  ids: readonly string[],
  options: { readonly json: boolean },
): Promise<void> {
  const all = ids.length === 0;
  const wanted = new Set(ids);
  let redriven = 0;
  let before = 0;
  for await (const { id, letter, redriven: done } of readLetters(log)) {
    if (!all && !wanted.delete(id)) continue;
    if (letter.sourceTopic === "") continue;
    if (done) {
      before += 1;
      continue;
    }
    const topic = topicByName(letter.sourceTopic);
    const key = Buffer.from(letter.recordKey);
    const value = letter.recordValue.length === 0 ? undefined : Buffer.from(letter.recordValue);
    const batch = new RecordBatch();
    batch.add(topic.name, letter.sourceSlot, key, 0, key.length, value, 0, value?.length ?? 0);
    const result = await log.append({
      source: sourceOf(letter),
      previous: undefined,
      position: "1",
      batch,
    });
    if (result.duplicate) before += 1;
    else redriven += 1;
  }
  const missing = [...wanted][0];
  if (missing !== undefined) {
    throw new OpenCdnError(
      "OCDN_NOT_FOUND",
      `redriving: no dead letter has the id ${missing.slice(0, 64)}; \`opencdn dead-letters list\` shows them`,
    );
  }
  if (options.json) printJson({ redriven, alreadyRedriven: before });
  else print(`${redriven} redriven, ${before} were redriven before`);
}
