import { Decoder } from "../../schemas/codec.ts";
import { isFailure } from "../../schemas/failure.ts";
import type { TaskCommit } from "../../schemas/generated/events.ts";
import type { SchemaTable } from "../../schemas/schema-table.ts";
import type { CommitDraft } from "../commit.ts";
import { OpenCdnError } from "../errors.ts";
import { keyText } from "../identity.ts";
import { type JournalStep, readJournal } from "../journal.ts";
import { entryHash, journalKey } from "../journal-entry.ts";
import type { Processor } from "../processor.ts";
import { Task } from "../task.ts";
import { slotOfKey } from "../topic.ts";
import { taskCommits } from "../topics.ts";
import { compareCommit, type Divergence, OutputMatcher } from "./compare.ts";
import { type RecordedLog, RecordReader } from "./record-reader.ts";

export interface VerifyOptions {
  readonly log: RecordedLog & { readonly schemas: SchemaTable };
  readonly processor: Processor;
  readonly slot: number;
  /** Called now and then with the commits and records replayed so far. */
  readonly onProgress?: (commits: number, records: number) => void;
  /** Called with each commit that came out as the journal has it, in order, and the time at which it was written. */
  readonly onCommit?: (draft: CommitDraft, timestampMs: number) => Promise<void>;
}

export interface VerifyReport {
  readonly processor: string;
  readonly slot: number;
  readonly commits: number;
  readonly records: number;
  readonly ticks: number;
  readonly outputs: number;
  /** The first record in which the replay and the log differ; undefined when they are equal. */
  readonly divergence: Divergence | undefined;
  /** Digests of the stores at the end, by store name, 32 hexadecimal digits. */
  readonly digests: Readonly<Record<string, string>>;
}

/**
 * Re-runs one task's journal from its first commit with empty stores and compares, commit by commit, what it took
 * (hash), what it emitted (count, hash, and every record against the log's) and what it kept (digests). Stops at the
 * first difference and names the record. Throws OCDN_NOT_FOUND when the journal's beginning is past the retention.
 */
export async function verifyTask(options: VerifyOptions): Promise<VerifyReport> {
  const run = new TaskReplay(options);
  return await run.verify();
}

class TaskReplay {
  readonly #options: VerifyOptions;
  readonly #task: Task;
  readonly #readers = new Map<string, RecordReader>();
  readonly #outputs: OutputMatcher;
  readonly #digests = new Map<string, string>();
  #chain: Uint8Array = new Uint8Array(16);
  #commits = 0;
  #records = 0;
  #ticks = 0;

  constructor(options: VerifyOptions) {
    const { log, processor, slot } = options;
    this.#options = options;
    const { logId, slots, schemas } = log;
    this.#task = new Task({ processor, slot, slots, logId, schemas });
    this.#task.restore(undefined, () => {});
    this.#outputs = new OutputMatcher(log);
  }

  async verify(): Promise<VerifyReport> {
    const { log, processor, slot, onProgress } = this.#options;
    const key = journalKey(processor.name, slot);
    const keyBytes = Buffer.from(key);
    const journal = new RecordReader(
      log,
      taskCommits.name,
      slotOfKey(taskCommits, log.slots, keyBytes),
    );
    const decoder = new Decoder(taskCommits.schema, log.schemas);
    let divergence: Divergence | undefined;
    while (divergence === undefined && (await journal.next())) {
      const { cursor } = journal;
      if (keyText(cursor.buffer, cursor.keyStart, cursor.keyEnd) !== key) continue;
      const entry = decoder.decodeFrame(cursor.buffer, cursor.valueStart, cursor.valueEnd);
      const place = { topic: taskCommits.name, slot: journal.slot, offset: cursor.offset };
      if (isFailure(entry)) {
        divergence = {
          ...place,
          width: 1,
          commit: this.#commits + 1,
          what: "journal",
          message: entry.message,
        };
        break;
      }
      const hash = entryHash(cursor.view, cursor.valueStart, cursor.valueEnd);
      divergence = await this.#replay(entry, place, cursor.timestampMs);
      this.#chain = hash;
      if (this.#commits % 200 === 0) onProgress?.(this.#commits, this.#records);
    }
    onProgress?.(this.#commits, this.#records);
    return {
      processor: processor.name,
      slot,
      commits: this.#commits,
      records: this.#records,
      ticks: this.#ticks,
      outputs: this.#outputs.count,
      divergence,
      digests: Object.fromEntries(this.#digests),
    };
  }

  async #replay(
    entry: TaskCommit,
    place: { readonly topic: string; readonly slot: number; readonly offset: number },
    timestampMs: number,
  ): Promise<Divergence | undefined> {
    const journalDiffers = (message: string): Divergence => ({
      ...place,
      width: 1,
      commit: entry.commit,
      what: "journal",
      message,
    });
    if (entry.commit !== this.#commits + 1) {
      if (this.#commits === 0 && entry.commit > 1) {
        throw new OpenCdnError(
          "OCDN_NOT_FOUND",
          `replaying ${entry.processor}/${entry.slot}: its journal begins at commit ${entry.commit}, the commits before are past the retention`,
        );
      }
      return journalDiffers(`commit ${entry.commit} follows commit ${this.#commits}`);
    }
    if (Buffer.compare(entry.previous, this.#chain) !== 0) {
      return journalDiffers(
        `the entry before commit ${entry.commit} is not the one that was written`,
      );
    }
    const steps = readJournal(entry.steps);
    const missing = await this.#feed(steps);
    if (missing !== undefined) return { ...missing, commit: entry.commit };
    const draft = this.#task.seal();
    if (draft === undefined) return journalDiffers("the entry took nothing");
    this.#task.committed();
    this.#commits += 1;
    for (const { store, digest } of entry.stores) {
      this.#digests.set(store, Buffer.from(digest).toString("hex"));
    }
    const divergence = await this.#compare(entry, steps, draft, journalDiffers);
    if (divergence === undefined) await this.#options.onCommit?.(draft, timestampMs);
    return divergence;
  }

  async #compare(
    entry: TaskCommit,
    steps: readonly JournalStep[],
    draft: CommitDraft,
    journalDiffers: (message: string) => Divergence,
  ): Promise<Divergence | undefined> {
    const { schemas } = this.#options.log;
    const found = compareCommit({ entry, steps, draft, schemas, inputs: this.#task.inputs });
    if (found?.what === "input") return found;
    const output = await this.#outputs.match(draft, entry.commit);
    if (output !== undefined) return output;
    return found === undefined ? undefined : { ...journalDiffers(found.message), what: found.what };
  }

  /** Hands the recorded order to the task; a record that the log lacks is a divergence. */
  async #feed(steps: readonly JournalStep[]): Promise<Omit<Divergence, "commit"> | undefined> {
    for (const step of steps) {
      if (step.kind === "tick") {
        this.#ticks += 1;
        this.#task.tick(step.tickMs);
        continue;
      }
      const input = this.#task.inputs[step.input];
      if (input === undefined || step.slot >= this.#options.log.slots) {
        const message = `the journal names input ${step.input} slot ${step.slot}, which the task has not`;
        return {
          topic: taskCommits.name,
          slot: this.#options.slot,
          offset: 0,
          width: 1,
          what: "journal",
          message,
        };
      }
      const reader = this.#reader(input.topic.name, step.slot);
      reader.seek(step.offset);
      for (let i = 0; i < step.count; i++) {
        if (!(await reader.next())) {
          const message = "the log has no such record";
          return {
            topic: reader.topic,
            slot: step.slot,
            offset: reader.position,
            width: 1,
            what: "input",
            message,
          };
        }
        this.#task.takeCurrent(step.input, reader.cursor);
        this.#records += 1;
      }
    }
    return undefined;
  }

  #reader(topic: string, slot: number): RecordReader {
    const place = `${topic}/${slot}`;
    let reader = this.#readers.get(place);
    if (reader === undefined) {
      reader = new RecordReader(this.#options.log, topic, slot);
      this.#readers.set(place, reader);
    }
    return reader;
  }
}
