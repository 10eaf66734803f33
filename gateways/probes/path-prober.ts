import type { Agent } from "node:http";
import type { PathSample } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import { type CheckResult, check } from "./http-check.ts";
import {
  maxPlaces,
  probesInFirstRound,
  probesPerRound,
  probeTimeoutMs,
  roundIntervalMs,
} from "./limits.ts";
import { summarise } from "./path-summary.ts";

export interface PathProberOptions {
  readonly vantage: string;
  /** Cells whose paths are measured. */
  readonly cells: readonly string[];
  /** Health URL by node. */
  readonly targets: () => ReadonlyMap<string, URL>;
  /** A kept-alive connection from a cell to a node. */
  readonly agentOf: (cell: string, nodeId: string) => Agent;
  readonly synthetic: boolean;
  /** Nothing is written while this holds: the process cannot see. */
  readonly isBlind: () => boolean;
  readonly write: (sample: Emitted<PathSample>) => void;
  readonly intervalMs?: number;
}

interface Path {
  readonly cell: string;
  readonly nodeId: string;
  readonly agent: Agent;
  timer: NodeJS.Timeout | undefined;
  rounds: number;
  closed: boolean;
}

/**
 * Measures the path from each cell to each node in rounds of a few requests over one kept connection, and writes
 * one sample a round. The first rounds begin at once; later ones are spread evenly over the interval.
 */
export class PathProber {
  readonly #options: PathProberOptions;
  readonly #intervalMs: number;
  readonly #paths = new Map<string, Path>();

  constructor(options: PathProberOptions) {
    this.#options = { ...options, cells: options.cells.slice(0, maxPlaces) };
    this.#intervalMs = options.intervalMs ?? roundIntervalMs;
  }

  get pathCount(): number {
    return this.#paths.size;
  }

  /** Begins paths to nodes that are new and ends those to nodes that are gone. */
  refresh(): void {
    const targets = this.#options.targets();
    for (const [name, path] of this.#paths) {
      if (!targets.has(path.nodeId)) this.#end(name, path);
    }
    for (const nodeId of targets.keys()) {
      for (const cell of this.#options.cells) this.#begin(cell, nodeId);
    }
  }

  close(): void {
    for (const [name, path] of this.#paths) this.#end(name, path);
  }

  #begin(cell: string, nodeId: string): void {
    const name = `${cell}>${nodeId}`;
    if (this.#paths.has(name)) return;
    const agent = this.#options.agentOf(cell, nodeId);
    const path: Path = { cell, nodeId, agent, timer: undefined, rounds: 0, closed: false };
    this.#paths.set(name, path);
    void this.#round(path);
  }

  #end(name: string, path: Path): void {
    path.closed = true;
    clearTimeout(path.timer);
    path.agent.destroy();
    this.#paths.delete(name);
  }

  async #round(path: Path): Promise<void> {
    const count = path.rounds === 0 ? probesInFirstRound : probesPerRound;
    const results: CheckResult[] = [];
    for (let probe = 0; probe < count && !path.closed; probe++) {
      const url = this.#options.targets().get(path.nodeId);
      if (url === undefined) break;
      const result = await check({ url, timeoutMs: probeTimeoutMs, agent: path.agent });
      results.push(result);
      if (result.kind === "refused") break;
    }
    if (path.closed) return;
    this.#write(path, results);
    path.rounds += 1;
    path.timer = setTimeout(() => void this.#round(path), this.#waitMs(path));
  }

  /** After its first round a path takes its place in the interval, so that rounds do not come in bursts. */
  #waitMs(path: Path): number {
    if (path.rounds !== 1) return this.#intervalMs;
    const index = [...this.#paths.keys()].indexOf(`${path.cell}>${path.nodeId}`);
    return this.#intervalMs * (0.5 + index / Math.max(1, this.#paths.size));
  }

  #write({ cell, nodeId }: Path, results: readonly CheckResult[]): void {
    const summary = summarise(results);
    if (summary === undefined || this.#options.isBlind()) return;
    const { vantage, synthetic, write } = this.#options;
    write({ cell, nodeId, ...summary, origin: "PROBE", vantage, synthetic });
  }
}
