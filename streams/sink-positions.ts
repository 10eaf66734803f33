import { Backoff, pause } from "./backoff.ts";
import { RecordBatch } from "./batch.ts";
import { codeOf, type ErrorCode, OpenCdnError } from "./errors.ts";
import { maxMessageCharacters } from "./limits.ts";
import type { Log } from "./log.ts";
import type { RefusedRecord } from "./sink-lane.ts";
import { SourceWriter } from "./source-writer.ts";
import { deadLetters } from "./topics.ts";

/** Slots whose offsets share one position, which has at most 256 characters: 16 offsets of 11 and commas. */
const slotsPerGroup = 16;
const firstRetryMs = 50;
const longestRetryMs = 500;

const passingCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "OCDN_DISCONNECTED",
  "OCDN_TIMEOUT",
  "OCDN_OVERLOADED",
  "OCDN_DISK_FULL",
]);

type Offsets = (number | undefined)[];

export interface SinkProgress {
  /** Offset before which everything is acknowledged; undefined where nothing is. */
  readonly reached: (topic: string, slot: number) => number | undefined;
  /** Takes out what was refused before an offset. */
  readonly takeRefused: (
    topic: string,
    slot: number,
    offset: number | undefined,
  ) => RefusedRecord[];
  /** For a sink that rebuilds its view at each start: only refused records are worth a commit. */
  readonly onlyRefused: boolean;
}

interface Group {
  readonly source: string;
  readonly topic: string;
  readonly firstSlot: number;
  /** As the log holds it. */
  position: string | undefined;
  offsets: Offsets;
}

/**
 * The committed positions of a sink, kept in the log as positions of sources `sink/NAME/TOPIC/GROUP`, one for each
 * 16 slots of a topic. Records that the sink refused are committed with the position that passes them, so that
 * each becomes one dead letter.
 */
export class SinkPositions {
  readonly #log: Log;
  readonly #name: string;
  readonly #signal: AbortSignal;
  readonly #groups: Group[] = [];
  readonly logId: string;

  constructor(log: Log, name: string, topics: readonly string[], signal: AbortSignal) {
    this.#log = log;
    this.#name = name;
    this.#signal = signal;
    this.logId = log.logId;
    for (const topic of topics) {
      for (let firstSlot = 0; firstSlot < log.slots; firstSlot += slotsPerGroup) {
        const source = `sink/${name}/${topic}/${firstSlot / slotsPerGroup}`;
        this.#groups.push({ source, topic, firstSlot, position: undefined, offsets: [] });
      }
    }
  }

  /** Reads what is committed, waiting for an engine that is away. */
  async load(): Promise<void> {
    await Promise.all(
      this.#groups.map(async (group) => {
        const ask = (): Promise<string | undefined> => this.#log.sourcePosition(group.source);
        group.position = await this.#patiently(ask);
        group.offsets = offsetsOf(group);
      }),
    );
  }

  offset(topic: string, slot: number): number | undefined {
    const group = this.#groups.find(
      (each) => each.topic === topic && each.firstSlot === slot - (slot % slotsPerGroup),
    );
    return group?.offsets[slot % slotsPerGroup];
  }

  /**
   * Commits how far the sink came, with the records that it refused on the way. Where nothing moved nothing is
   * written. Throws OCDN_SOURCE_POSITION when another process runs the same sink.
   */
  async commit(progress: SinkProgress): Promise<void> {
    for (const group of this.#groups) {
      const { topic, firstSlot } = group;
      const offsets: Offsets = [];
      const refused: RefusedRecord[] = [];
      const slots = Math.min(slotsPerGroup, this.#log.slots - firstSlot);
      for (let i = 0; i < slots; i++) {
        const before = group.offsets[i];
        const offset = progress.reached(topic, firstSlot + i) ?? before;
        offsets.push(offset);
        const taken = progress.takeRefused(topic, firstSlot + i, offset);
        refused.push(...(progress.onlyRefused ? taken.filter((at) => isNew(at, before)) : taken));
      }
      const position = positionOf(offsets);
      const moved = position !== (group.position ?? "");
      if (!moved || (progress.onlyRefused && refused.length === 0)) continue;
      const batch = this.#deadLetters(group, refused);
      await this.#patiently(() => this.#append(group, position, batch));
      group.position = position;
      group.offsets = offsets;
    }
  }

  async #append(group: Group, position: string, batch: RecordBatch): Promise<void> {
    const { source, position: previous } = group;
    try {
      await this.#log.append({ source, previous, position, batch });
    } catch (error) {
      if (codeOf(error) !== "OCDN_SOURCE_POSITION") throw error;
      throw new OpenCdnError(
        "OCDN_SOURCE_POSITION",
        `committing the position of sink ${this.#name}: another process moved it; a sink runs once`,
        { cause: error },
      );
    }
  }

  #deadLetters(group: Group, refused: readonly RefusedRecord[]): RecordBatch {
    const batch = new RecordBatch();
    if (refused.length === 0) return batch;
    const writer = new SourceWriter(this.#log, group.source);
    for (const [index, record] of refused.entries()) {
      const { topic, slot, offset, key, timestampMs, code } = record;
      const value = {
        sourceTopic: topic,
        sourceSlot: slot,
        sourceOffset: offset,
        processor: `sink/${this.#name}`,
        code,
        message: record.message.slice(0, maxMessageCharacters),
        recordKey: key,
        recordValue: record.value,
      };
      const at = offset < 0 ? `${slot}/snapshot/${index}` : `${slot}/${offset}`;
      writer.add(batch, deadLetters, topic, value, timestampMs, at);
    }
    return batch;
  }

  /** Tries again while the engine is away, until the sink is stopped. */
  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    const backoff = new Backoff(firstRetryMs, longestRetryMs);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!passingCodes.has(codeOf(error)) || this.#signal.aborted) throw error;
      }
      await pause(backoff.next(), this.#signal);
    }
  }
}

/** A view meets old records again at each start, and those of a snapshot have no offset to tell by. */
function isNew({ offset }: RefusedRecord, committed: number | undefined): boolean {
  return offset >= 0 && offset >= (committed ?? 0);
}

/** Offsets in base 36 between commas; nothing where there is none. */
export function positionOf(offsets: readonly (number | undefined)[]): string {
  return offsets
    .map((offset) => offset?.toString(36) ?? "")
    .join()
    .replace(/,+$/, "");
}

/** The offsets of a committed position; throws OCDN_BAD_INPUT when the text is none. */
export function parseOffsets(position: string): (number | undefined)[] {
  const parts = position.split(",");
  if (parts.length > slotsPerGroup || !parts.every((part) => /^[0-9a-z]{0,11}$/.test(part))) {
    throw new OpenCdnError("OCDN_BAD_INPUT", `${position.slice(0, 80)} is no position of a sink`);
  }
  return parts.map((part) => (part === "" ? undefined : Number.parseInt(part, 36)));
}

function offsetsOf({ position, source }: Group): Offsets {
  if (position === undefined) return [];
  try {
    return parseOffsets(position);
  } catch (error) {
    throw new OpenCdnError("OCDN_BAD_INPUT", `reading the position of ${source}: it is damaged`, {
      cause: error,
    });
  }
}
