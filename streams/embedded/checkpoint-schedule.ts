import type { OpenCdnError } from "../errors.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { diskError } from "./disk-error.ts";
import type { CheckpointLimits } from "./storage-limits.ts";

/** Begins checkpoints in the background when they are due, and makes commits wait when they are late. */
export class CheckpointSchedule {
  readonly #checkpointer: Checkpointer;
  readonly #limits: CheckpointLimits;
  readonly #onFenced: (error: OpenCdnError) => void;
  #lastMs: number;
  #error: OpenCdnError | undefined;

  constructor(
    checkpointer: Checkpointer,
    limits: CheckpointLimits,
    nowMs: number,
    onFenced: (error: OpenCdnError) => void,
  ) {
    this.#checkpointer = checkpointer;
    this.#limits = limits;
    this.#lastMs = nowMs;
    this.#onFenced = onFenced;
  }

  /** Why the last checkpoint in the background failed; undefined when it did not. */
  get error(): OpenCdnError | undefined {
    return this.#error;
  }

  /** Waits for a checkpoint when it is late, so that memory and the next start stay bounded. Throws what it throws. */
  async keepPace(nowMs: number): Promise<void> {
    const { logBytes, stateBytes } = this.#checkpointer;
    const most = this.#limits.maxLag + 1;
    if (logBytes <= most * this.#limits.logBytes && stateBytes <= most * this.#limits.stateBytes) {
      return;
    }
    await this.#checkpointer.run();
    this.#lastMs = nowMs;
  }

  /** After a commit: begins a checkpoint when one is due. */
  committed(nowMs: number): void {
    const { logBytes, stateBytes, running } = this.#checkpointer;
    const due =
      logBytes > this.#limits.logBytes ||
      stateBytes > this.#limits.stateBytes ||
      nowMs - this.#lastMs > this.#limits.ageMs;
    if (running || !due) return;
    this.#lastMs = nowMs;
    // Nothing is lost when it fails: what it would have written stays in the log, and it is tried again.
    this.#checkpointer.run().then(
      () => {
        this.#error = undefined;
      },
      (error: unknown) => {
        this.#error = diskError("writing a checkpoint", error);
        if (this.#error.code === "OCDN_FENCED") this.#onFenced(this.#error);
      },
    );
  }
}
