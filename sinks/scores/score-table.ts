import type { NodeScore } from "../../schemas/generated/events.ts";

/** Where hot node scores are kept for fast reads; drivers pass one conformance suite. */
export interface ScoreTable {
  /** Keeps the score unless a newer one is there; false when it was older. */
  put(nodeId: string, score: NodeScore): Promise<boolean> | boolean;
  /** Forgets a node that left, unless a newer score is there. */
  remove(nodeId: string, eventMs: number): Promise<void> | void;
  get(nodeId: string): Promise<NodeScore | undefined> | NodeScore | undefined;
  /** The `count` nodes with the highest static score, best first; ties by name. */
  top(count: number): Promise<readonly NodeScore[]> | readonly NodeScore[];
  size(): Promise<number> | number;
}

/** Most nodes that a table in memory keeps; a fleet has fewer. */
const maxScores = 100_000;

/** The driver in this process: about 300 bytes a node. */
export class MemoryScoreTable implements ScoreTable {
  readonly #scores = new Map<string, NodeScore>();

  put(nodeId: string, score: NodeScore): boolean {
    const known = this.#scores.get(nodeId);
    if (known !== undefined && known.eventMs > score.eventMs) return false;
    if (known === undefined && this.#scores.size >= maxScores) return false;
    this.#scores.set(nodeId, score);
    return true;
  }

  remove(nodeId: string, eventMs: number): void {
    const known = this.#scores.get(nodeId);
    if (known !== undefined && known.eventMs <= eventMs) this.#scores.delete(nodeId);
  }

  get(nodeId: string): NodeScore | undefined {
    return this.#scores.get(nodeId);
  }

  top(count: number): NodeScore[] {
    return [...this.#scores.values()]
      .sort((a, b) => b.staticScore - a.staticScore || (a.nodeId < b.nodeId ? -1 : 1))
      .slice(0, count);
  }

  size(): number {
    return this.#scores.size;
  }
}
