import type { NodeScore } from "../../schemas/generated/events.ts";

/**
 * Where hot node scores are kept for fast reads. Every write says which moment of the log it stands for: whatever the
 * order in which writes arrive, also from two processes at once, the one of the latest moment stands in the end. Of two
 * writes of one moment the later call wins. Drivers pass one conformance suite.
 */
export interface ScoreTable {
  /** Keeps the score as of `atMs`; false when a newer write is known, or the table is full. */
  put(nodeId: string, score: NodeScore, atMs: number): Promise<boolean> | boolean;
  /** Forgets a node as of `atMs`; false when a newer write is known. */
  remove(nodeId: string, atMs: number): Promise<boolean> | boolean;
  get(nodeId: string): Promise<NodeScore | undefined> | NodeScore | undefined;
  /** The `count` nodes with the highest static score, best first; ties by the bytes of the name. */
  top(count: number): Promise<readonly NodeScore[]> | readonly NodeScore[];
  size(): Promise<number> | number;
}

/** Most nodes that a table knows, about 300 bytes each in memory; a fleet has fewer. */
export const maxNodes = 100_000;

/** What a table last heard of a node. */
export interface Known {
  readonly atMs: number;
  /** Undefined for a node that was removed: an older write may still arrive. */
  readonly score: NodeScore | undefined;
}

/** Best first; ties by the bytes of the name, which is the order of its code points. */
export function byScoreThenName(a: NodeScore, b: NodeScore): number {
  const difference = b.staticScore - a.staticScore;
  if (difference !== 0) return difference;
  return Buffer.compare(Buffer.from(a.nodeId), Buffer.from(b.nodeId));
}

/** The driver in this process. */
export class MemoryScoreTable implements ScoreTable {
  readonly #known = new Map<string, Known>();
  readonly #maxNodes: number;
  #size = 0;
  /** The latest moment of all writes. */
  latestMs: number = 0;

  constructor(limit: number = maxNodes) {
    this.#maxNodes = limit;
  }

  put(nodeId: string, score: NodeScore, atMs: number): boolean {
    return this.#write(nodeId, { atMs, score });
  }

  remove(nodeId: string, atMs: number): boolean {
    return this.#write(nodeId, { atMs, score: undefined });
  }

  get(nodeId: string): NodeScore | undefined {
    return this.#known.get(nodeId)?.score;
  }

  top(count: number): NodeScore[] {
    const scores: NodeScore[] = [];
    for (const { score } of this.#known.values()) if (score !== undefined) scores.push(score);
    return scores.sort(byScoreThenName).slice(0, count);
  }

  size(): number {
    return this.#size;
  }

  known(nodeId: string): Known | undefined {
    return this.#known.get(nodeId);
  }

  /** Every node that the table heard of, the removed ones included. */
  nodeIds(): string[] {
    return [...this.#known.keys()];
  }

  #write(nodeId: string, next: Known): boolean {
    const before = this.#known.get(nodeId);
    if (before !== undefined && before.atMs > next.atMs) return false;
    if (before === undefined && this.#known.size >= this.#maxNodes && !this.#forgetRemoved()) {
      return false;
    }
    this.#size += Number(next.score !== undefined) - Number(before?.score !== undefined);
    this.#known.set(nodeId, next);
    this.latestMs = Math.max(this.latestMs, next.atMs);
    return true;
  }

  /** Makes room by the removal that has been known for the longest. */
  #forgetRemoved(): boolean {
    for (const [nodeId, { score }] of this.#known) {
      if (score === undefined) return this.#known.delete(nodeId);
    }
    return false;
  }
}
