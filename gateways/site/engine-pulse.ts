import { pause, within } from "../../streams/backoff.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { Log } from "../../streams/log.ts";

const everyMs = 1_000;
const answerMs = 2_000;
/** A source that nobody has: asking for its position costs the engine a look-up. */
const nobody = "~pulse";

export interface PulseOptions {
  readonly log: Pick<Log, "sourcePosition">;
  /** Called after each try: whether the engine answered in time. */
  readonly onPulse: (answered: boolean) => void;
  readonly everyMs?: number;
  readonly answerMs?: number;
}

/**
 * Asks the engine something once a second. A process that was stopped, or that spins, keeps its connections open and
 * says nothing: only a question that stays without an answer tells.
 */
export class EnginePulse {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(options: PulseOptions) {
    this.#done = this.#run(options);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(options: PulseOptions): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const answered = await ask(options.log, options.answerMs ?? answerMs);
      if (signal.aborted) return;
      options.onPulse(answered);
      await pause(options.everyMs ?? everyMs, signal);
    }
  }
}

async function ask(log: PulseOptions["log"], timeoutMs: number): Promise<boolean> {
  const late = (): Error => new OpenCdnError("OCDN_TIMEOUT", "asking the engine: no answer");
  try {
    await within(log.sourcePosition(nobody), timeoutMs, late);
    return true;
  } catch {
    return false;
  }
}
