import type { NodeHealth } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import type { CheckResult } from "./http-check.ts";
import { blindRatio, promptMs } from "./limits.ts";

export interface HealthProberOptions {
  readonly vantage: string;
  readonly nodeIds: () => readonly string[];
  readonly checkNode: (nodeId: string) => Promise<CheckResult>;
  /** Whether something that is not a node, and should always answer, does within a time. */
  readonly checkCanary: (withinMs: number) => Promise<boolean>;
  readonly checkTimeoutMs: number;
  readonly write: (verdict: Emitted<NodeHealth>) => void;
}

/**
 * Checks every node once a round and writes one verdict a check. A process that cannot reach most of its nodes
 * and none of its canaries is blind: it knows nothing about the nodes and writes nothing. One that is slow itself
 * (its machine is busy, its timers late) finds nodes slow: a node that did not answer in time is bad news only
 * when a canary answers promptly right after.
 */
export class HealthProber {
  readonly #options: HealthProberOptions;
  #sequence = 0;
  #blind = false;
  #silenced = 0;

  constructor(options: HealthProberOptions) {
    this.#options = options;
  }

  /** Whether the last finished round was a blind one. */
  get blind(): boolean {
    return this.#blind;
  }

  /** Verdicts that were not written because the process was blind or slow. */
  get silenced(): number {
    return this.#silenced;
  }

  /**
   * One round. Good news is written at once; bad news as soon as a canary answered, or else when the round is
   * over and most nodes did answer.
   */
  async round(): Promise<void> {
    const { nodeIds, checkNode, checkTimeoutMs } = this.#options;
    const nodes = nodeIds();
    if (nodes.length === 0) return;
    this.#sequence += 1;
    const sequence = this.#sequence;
    const canary = this.#canary(checkTimeoutMs);
    const failed: Failed[] = [];
    await Promise.all(
      nodes.map(async (nodeId) => {
        const result = await checkNode(nodeId);
        const reason = reasonOf(result);
        if (reason === "") return this.#write(nodeId, sequence, result, reason);
        const verdict = { nodeId, sequence, result, reason };
        failed.push(verdict);
        if (await canary) await this.#writeFailed(verdict);
      }),
    );
    this.#blind = !(await canary) && failed.length > nodes.length * blindRatio;
    if (await canary) return;
    if (this.#blind) this.#silenced += failed.length;
    else await Promise.all(failed.map((verdict) => this.#writeFailed(verdict)));
  }

  #canary(withinMs: number): Promise<boolean> {
    return this.#options.checkCanary(withinMs).catch(() => false);
  }

  async #writeFailed({ nodeId, sequence, result, reason }: Failed): Promise<void> {
    const isSlow = result.kind === "lost" && !(await this.#canary(promptMs));
    if (isSlow) this.#silenced += 1;
    else this.#write(nodeId, sequence, result, reason);
  }

  #write(nodeId: string, checkSequence: number, result: CheckResult, reason: string): void {
    this.#options.write({
      nodeId,
      vantage: this.#options.vantage,
      healthy: reason === "",
      rttMs: result.kind === "answered" ? result.rttMs : null,
      reason,
      checkSequence,
    });
  }
}

interface Failed {
  readonly nodeId: string;
  readonly sequence: number;
  readonly result: CheckResult;
  readonly reason: string;
}

/** Empty for a healthy answer, otherwise a reason code. */
function reasonOf(result: CheckResult): string {
  switch (result.kind) {
    case "answered":
      return result.status === 200 ? "" : `HTTP_${result.status}`;
    case "refused":
      return result.reason;
    case "lost":
      return "TIMEOUT";
  }
}
