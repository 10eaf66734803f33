import type { EventSchema } from "../../schemas/event-schema.ts";
import { Section } from "../../streams/batch.ts";
import { type Chunk, RecordCursor } from "../../streams/chunk.ts";
import type { CommitDraft } from "../../streams/commit.ts";
import { openDirectLog } from "../../streams/embedded/direct-log.ts";
import { EmbeddedLog } from "../../streams/embedded/embedded-log.ts";
import type { Log, TopicStatus } from "../../streams/log.ts";
import type { Processor } from "../../streams/processor.ts";
import { type VerifyReport, verifyTask } from "../../streams/replay/verify.ts";
import { allTopics, deadLetters, tableNames, taskCommits } from "../../streams/topics.ts";

const readBytes = 262_144;

/**
 * Replays the journals of a folder from empty stores into a new folder, all tasks together, commit by commit in the
 * order in which they were written, with the records from outside between them. The new folder then holds the same
 * records at the same offsets, and stores that were never killed. Gives each task's report.
 */
export async function replayInto(
  folder: string,
  target: string,
  processors: readonly Processor[],
): Promise<VerifyReport[]> {
  const from = await openDirectLog({ folder, nowMs: Date.now });
  const { logId, slots } = from;
  const clock = { nowMs: 0 };
  const options = { folder: target, logId, slots, tables: tableNames, nowMs: () => clock.nowMs };
  const to = await EmbeddedLog.open({ ...options, sync: false });
  try {
    await to.registerSchemas(allTopics.map(({ schema }) => schema as EventSchema<never>));
    const tasks = processors.flatMap((processor) =>
      Array.from({ length: processor.tasks === "one" ? 1 : slots }, (_, slot) => ({
        processor,
        slot,
      })),
    );
    const outside = await OutsideRecords.of(from, processors);
    const merge = new CommitMerge(tasks.length, async (timestampMs, drafts) => {
      const sections = await outside.takeUntil(timestampMs);
      clock.nowMs = timestampMs;
      await to.commit({ drafts, appends: outside.append(sections) });
    });
    const replays = tasks.map(async (task, index) => {
      const onCommit = (draft: CommitDraft, timestampMs: number): Promise<void> =>
        merge.offer(index, draft, timestampMs);
      try {
        return await verifyTask({ log: from, ...task, onCommit });
      } finally {
        merge.ended();
      }
    });
    const reports = await Promise.all(replays);
    const rest = await outside.takeUntil(Number.POSITIVE_INFINITY);
    await to.commit({ drafts: [], appends: outside.append(rest) });
    return reports;
  } finally {
    await to.close();
    await from.close();
  }
}

interface Offer {
  readonly index: number;
  readonly draft: CommitDraft;
  readonly timestampMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Puts the commits of tasks that replay side by side in the order of their times; those of one time are one group. */
class CommitMerge {
  readonly #commit: (timestampMs: number, drafts: readonly CommitDraft[]) => Promise<void>;
  #running: number;
  #offers: Offer[] = [];

  constructor(
    tasks: number,
    commit: (timestampMs: number, drafts: readonly CommitDraft[]) => Promise<void>,
  ) {
    this.#running = tasks;
    this.#commit = commit;
  }

  /** Resolves when the draft is committed, which needs a draft of every task that still runs. */
  offer(index: number, draft: CommitDraft, timestampMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#offers.push({ index, draft, timestampMs, resolve, reject });
      this.#advance();
    });
  }

  ended(): void {
    this.#running -= 1;
    this.#advance();
  }

  #advance(): void {
    if (this.#offers.length === 0 || this.#offers.length < this.#running) return;
    const timestampMs = Math.min(...this.#offers.map((offer) => offer.timestampMs));
    const due = this.#offers.filter((offer) => offer.timestampMs === timestampMs);
    this.#offers = this.#offers.filter((offer) => offer.timestampMs !== timestampMs);
    due.sort((a, b) => a.index - b.index);
    this.#commit(
      timestampMs,
      due.map(({ draft }) => draft),
    ).then(
      () => {
        for (const { resolve } of due) resolve();
      },
      (error: unknown) => {
        for (const { reject } of due) reject(error);
      },
    );
  }
}

/** The chunks of the topics that no task writes, in the order of their times. */
class OutsideRecords {
  readonly #log: Log;
  readonly #places: (TopicStatus & { offset: number; chunks: Chunk[] })[];
  #position = 0;

  private constructor(log: Log, places: readonly TopicStatus[]) {
    this.#log = log;
    this.#places = places.map((place) => ({ ...place, offset: place.startOffset, chunks: [] }));
  }

  static async of(log: Log, processors: readonly Processor[]): Promise<OutsideRecords> {
    const written = new Set<string>([taskCommits.name, deadLetters.name]);
    for (const { outputs } of processors) for (const { name } of outputs) written.add(name);
    return new OutsideRecords(
      log,
      (await log.status()).filter(({ topic }) => !written.has(topic)),
    );
  }

  /** Everything that was written up to a time and was not taken before. */
  async takeUntil(timestampMs: number): Promise<Section[]> {
    const sections: Section[] = [];
    for (const place of this.#places) {
      const section = new Section(place.topic, place.slot);
      for (;;) {
        const { topic, slot, offset } = place;
        if (place.chunks.length === 0 && offset < place.endOffset) {
          place.chunks = await this.#log.read(topic, slot, offset, readBytes);
        }
        const [chunk] = place.chunks;
        if (chunk === undefined || chunk.timestampMs > timestampMs) break;
        place.chunks.shift();
        place.offset = chunk.baseOffset + chunk.count;
        addChunk(section, chunk);
      }
      if (section.count > 0) sections.push(section);
    }
    return sections;
  }

  /** The sections as what one source appends. */
  append(sections: readonly Section[]): {
    source: string;
    previous: string | undefined;
    position: string;
    sections: readonly Section[];
  }[] {
    if (sections.length === 0) return [];
    const previous = this.#position === 0 ? undefined : String(this.#position);
    this.#position += 1;
    return [{ source: "outside", previous, position: String(this.#position), sections }];
  }
}

function addChunk(section: Section, chunk: Chunk): void {
  const cursor = new RecordCursor().open(chunk);
  while (cursor.next()) {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
    const value = valueStart < 0 ? undefined : buffer;
    section.add(buffer, keyStart, keyEnd, value, valueStart, valueEnd);
  }
}
