import { OpenCdnError } from "../errors.ts";
import type { AppendOutcome, EmbeddedLog, SourceAppend } from "./embedded-log.ts";

/** Records that wait for a commit; beyond it a caller is told to slow down. */
const maxQueuedBytes = 64 * 1_048_576;
const maxQueuedAppends = 4_096;
/** Charged for an append that has no records. */
const appendOverheadBytes = 256;

interface Queued {
  readonly append: SourceAppend;
  readonly sizeBytes: number;
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit without a scheduler: appends that come while a commit is written share the next one, in the order
 * in which they came.
 */
export class AppendQueue {
  readonly #log: Pick<EmbeddedLog, "commit">;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #committing: Promise<void> | undefined;
  #closed = false;

  constructor(log: Pick<EmbeddedLog, "commit">) {
    this.#log = log;
  }

  /** Resolves when the records are durable; OCDN_OVERLOADED when too much waits, or the storage's own error. */
  submit(append: SourceAppend): Promise<AppendOutcome> {
    const doing = `appending records of ${append.source}`;
    if (this.#closed) {
      return Promise.reject(new OpenCdnError("OCDN_DISCONNECTED", `${doing}: the log was closed`));
    }
    let sizeBytes = appendOverheadBytes;
    for (const section of append.sections) sizeBytes += section.length;
    const full = this.#queue.length >= maxQueuedAppends;
    if (full || this.#queuedBytes + sizeBytes > maxQueuedBytes) {
      const text = `${doing}: too much waits for the disk already`;
      return Promise.reject(new OpenCdnError("OCDN_OVERLOADED", text));
    }
    this.#queuedBytes += sizeBytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ append, sizeBytes, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  /** Commits what waits and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#committing;
  }

  async #commitAll(): Promise<void> {
    // What is submitted in the same turn shares the first commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const queue = this.#queue;
      this.#queue = [];
      await this.#commit(queue);
      for (const { sizeBytes } of queue) this.#queuedBytes -= sizeBytes;
    }
    this.#committing = undefined;
  }

  async #commit(queue: readonly Queued[]): Promise<void> {
    try {
      const appends = queue.map(({ append }) => append);
      const result = await this.#log.commit({ drafts: [], appends });
      for (const [index, { resolve }] of queue.entries()) {
        resolve(result.appends[index] as AppendOutcome);
      }
    } catch (error) {
      for (const { reject } of queue) reject(error);
    }
  }
}
