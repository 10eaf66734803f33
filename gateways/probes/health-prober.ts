import type { NodeHealth } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import type { CheckResult } from "./http-check.ts";
import { blindRatio } from "./limits.ts";

export interface HealthProberOptions {
  readonly vantage: string;
  readonly nodeIds: () => readonly string[];
  readonly checkNode: (nodeId: string) => Promise<CheckResult>;
  /** Whether something that is not a node, and should always answer, does. */
  readonly checkCanary: () => Promise<boolean>;
  readonly write: (verdict: Emitted<NodeHealth>) => void;
}

/**
 * Checks every node once a round and writes one verdict a check. A process that cannot reach most of its nodes
 * and none of its canaries is blind: it knows nothing about the nodes and writes nothing.
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

  /** Verdicts that were not written because the process was blind. */
  get silenced(): number {
    return this.#silenced;
  }

  /**
   * One round. Good news is written at once; bad news as soon as a canary answered, or else when the round is
   * over and most nodes did answer.
   */
  async round(): Promise<void> {
    const { nodeIds, checkNode, checkCanary } = this.#options;
    const nodes = nodeIds();
    if (nodes.length === 0) return;
    this.#sequence += 1;
    const sequence = this.#sequence;
    const canary = checkCanary().catch(() => false);
    const failed: Failed[] = [];
    await Promise.all(
      nodes.map(async (nodeId) => {
        const result = await checkNode(nodeId);
        const reason = reasonOf(result);
        if (reason === "") return this.#write(nodeId, sequence, result, reason);
        const verdict = { nodeId, sequence, result, reason };
        failed.push(verdict);
        if (await canary) this.#writeFailed(verdict);
      }),
    );
    this.#blind = !(await canary) && failed.length > nodes.length * blindRatio;
    if (await canary) return;
    if (this.#blind) this.#silenced += failed.length;
    else for (const verdict of failed) this.#writeFailed(verdict);
  }

  #writeFailed({ nodeId, sequence, result, reason }: Failed): void {
    this.#write(nodeId, sequence, result, reason);
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
