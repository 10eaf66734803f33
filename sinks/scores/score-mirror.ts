import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { Backoff } from "../../streams/backoff.ts";
import { codeOf, messageOf, OpenCdnError } from "../../streams/errors.ts";
import { hex16 } from "../../streams/identity.ts";
import type { RedisState } from "../../streams/redis/redis-connection.ts";
import type { RedisScoreTable } from "./redis-score-table.ts";
import type { MemoryScoreTable } from "./score-table.ts";
import type { ScoreFollower } from "./scores.ts";

const firstRetryMs = 100;
const longestRetryMs = 5_000;
/** How often a loss is looked for while nothing changes. */
const defaultHeartbeatMs = 1_000;
/** Writes under way at once. */
const batchNodes = 512;
/** Nodes that are compared at each heartbeat, in turn: some 5 ms of Redis's time. */
const auditNodes = 2_048;

/** What a mirror says of itself, for metrics. */
export interface MirrorState {
  readonly connected: boolean;
  /** The table in Redis was rebuilt, and nothing waits to be written. */
  readonly equal: boolean;
  /** Nodes that wait to be written. */
  readonly waiting: number;
  readonly rebuilds: number;
  readonly rebuildSeconds: number;
  readonly failures: number;
}

export interface ScoreMirrorOptions {
  readonly memory: MemoryScoreTable;
  readonly table: RedisScoreTable;
  readonly logger: Logger;
  readonly heartbeatMs?: number;
}

/**
 * Keeps a table in Redis equal to the one in memory, which follows the log. Remembers only the names of nodes that
 * changed, so a Redis that is away or slow makes nothing grow, and writes what is in memory at that moment. Rebuilds
 * the whole table once the log was read to its end, after each connection (a Redis that started again may have loaded
 * an old state), and when a heartbeat finds the marker of the last rebuild gone or another number of nodes. Each
 * heartbeat also compares some nodes, and writes again what was evicted or changed by others.
 */
export class ScoreMirror implements ScoreFollower {
  readonly #memory: MemoryScoreTable;
  readonly #table: RedisScoreTable;
  readonly #logger: Logger;
  readonly #heartbeatMs: number;
  readonly #changed = new Set<string>();
  readonly #backoff = new Backoff(firstRetryMs, longestRetryMs);
  /** Undefined until the log was read to its end. */
  #logId: string | undefined;
  /** Marker of the rebuild that the table comes from; undefined when it has to be rebuilt. */
  #marker: string | undefined;
  #reason = "the sinks started";
  /** Raised by whatever makes a rebuild under way worthless. */
  #generation = 0;
  #checkedMs = 0;
  /** Nodes that the audit has yet to look at. */
  #unaudited: string[] = [];
  #inTrouble = false;
  #connected = false;
  #rebuilds = 0;
  #rebuildSeconds = 0;
  #failures = 0;
  #isClosed = false;
  #isWoken = false;
  #endNap: () => void = () => undefined;
  #done: Promise<void> = Promise.resolve();

  constructor({ memory, table, logger, heartbeatMs = defaultHeartbeatMs }: ScoreMirrorOptions) {
    this.#memory = memory;
    this.#table = table;
    this.#logger = logger;
    this.#heartbeatMs = heartbeatMs;
  }

  get state(): MirrorState {
    return {
      connected: this.#connected,
      equal: this.#connected && this.#marker !== undefined && this.#changed.size === 0,
      waiting: this.#changed.size,
      rebuilds: this.#rebuilds,
      rebuildSeconds: this.#rebuildSeconds,
      failures: this.#failures,
    };
  }

  changed(nodeId: string): void {
    this.#changed.add(nodeId);
    // Trouble is left to its back-off.
    if (!this.#inTrouble && this.#marker !== undefined) this.#wake();
  }

  caughtUp(logId: string): void {
    if (logId === this.#logId) return;
    if (this.#logId !== undefined) this.#lose("the log is another one");
    this.#logId = logId;
    this.#wake();
  }

  connection(state: RedisState): void {
    this.#connected = state.kind === "ready";
    if (state.kind === "away") {
      this.#inTrouble = true;
      this.#failures += 1;
      this.#logger.warn({ code: "OCDN_DISCONNECTED" }, `waiting for Redis: ${state.reason}`);
      return;
    }
    if (this.#marker !== undefined) this.#lose("Redis was connected again");
    this.#generation += 1;
    this.#backoff.reset();
    this.#wake();
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Ends the work; what is under way is waited for, within the time of a command. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const logId = this.#connected ? this.#logId : undefined;
      try {
        if (logId !== undefined) await this.#step(logId);
      } catch (error) {
        this.#failed(error);
        await this.#nap(this.#backoff.next());
        continue;
      }
      const isDone = this.#changed.size === 0 || this.#marker === undefined;
      if (logId === undefined || isDone) await this.#nap(this.#heartbeatMs);
    }
  }

  async #step(logId: string): Promise<void> {
    if (this.#marker === undefined) await this.#rebuild(logId);
    await this.#writeChanged();
    if (performance.now() - this.#checkedMs >= this.#heartbeatMs) await this.#check();
    if (this.#marker === undefined) return;
    this.#backoff.reset();
    if (this.#inTrouble) this.#logger.info("the scores in Redis are those of the log again");
    this.#inTrouble = false;
  }

  async #rebuild(logId: string): Promise<void> {
    const startedMs = performance.now();
    const generation = this.#generation;
    const marker = await this.#table.begin(logId, randomUUID());
    this.#changed.clear();
    const nodeIds = this.#memory.nodeIds();
    for (let i = 0; i < nodeIds.length; i += batchNodes) {
      await this.#write(nodeIds.slice(i, i + batchNodes));
    }
    await this.#removeStrangers();
    const stands = await this.#table.finish(marker);
    if (!stands || generation !== this.#generation) {
      const text = "rebuilding the scores in Redis: they were lost again meanwhile";
      throw new OpenCdnError("OCDN_STORAGE", text);
    }
    this.#marker = marker;
    // Looked at soon, for what a rebuild cannot mend must not be taken for well.
    this.#checkedMs = 0;
    this.#rebuilds += 1;
    const tookMs = performance.now() - startedMs;
    this.#rebuildSeconds = tookMs / 1_000;
    this.#logger.info(
      { reason: this.#reason, nodes: this.#memory.size(), tookMs: Math.round(tookMs) },
      "the scores in Redis were rebuilt from the log",
    );
  }

  /**
   * Takes away nodes that memory does not know, as of the latest moment that it heard of: a process that is further in
   * the log keeps what it wrote.
   */
  async #removeStrangers(): Promise<void> {
    let cursor = "0";
    do {
      const { next, names } = await this.#table.names(cursor);
      const strangers = names.filter((name) => this.#memory.known(name) === undefined);
      await this.#write(strangers);
      cursor = next;
    } while (cursor !== "0");
  }

  async #writeChanged(): Promise<void> {
    while (this.#changed.size > 0 && !this.#isClosed) {
      const nodeIds: string[] = [];
      for (const nodeId of this.#changed) {
        nodeIds.push(nodeId);
        if (nodeIds.length === batchNodes) break;
      }
      for (const nodeId of nodeIds) this.#changed.delete(nodeId);
      try {
        await this.#write(nodeIds);
      } catch (error) {
        for (const nodeId of nodeIds) this.#changed.add(nodeId);
        throw error;
      }
    }
  }

  /** Writes what memory knows of these nodes now; one that it forgot is gone as of the latest moment. */
  async #write(nodeIds: readonly string[]): Promise<void> {
    const { latestMs } = this.#memory;
    await Promise.all(
      nodeIds.map((nodeId) => {
        const { score, atMs } = this.#memory.known(nodeId) ?? { score: undefined, atMs: latestMs };
        return score === undefined
          ? this.#table.remove(nodeId, atMs)
          : this.#table.put(nodeId, score, atMs);
      }),
    );
  }

  /** Looks for a loss. Throws OCDN_STORAGE for another number of nodes than the log has, so that it waits longer. */
  async #check(): Promise<void> {
    const expected = this.#memory.size();
    const { marker, size } = await this.#table.state();
    this.#checkedMs = performance.now();
    if (marker !== this.#marker) {
      this.#lose(marker === undefined ? "Redis lost them" : "another process rebuilt them");
      this.#wake();
      return;
    }
    const isQuiet = this.#changed.size === 0 && this.#memory.size() === expected;
    if (!isQuiet || size === expected) {
      await this.#audit();
      return;
    }
    this.#lose("nodes were missing or left over");
    const text = `checking the scores in Redis: it holds ${size} nodes, the log ${expected}`;
    throw new OpenCdnError("OCDN_STORAGE", text);
  }

  /** Compares the next nodes, and has those written that are not as in memory and not ahead of it. */
  async #audit(): Promise<void> {
    if (this.#unaudited.length === 0) this.#unaudited = this.#memory.nodeIds();
    const nodeIds = this.#unaudited.splice(-auditNodes);
    const stamps = await this.#table.stamps(nodeIds);
    for (const [i, nodeId] of nodeIds.entries()) {
      const known = this.#memory.known(nodeId);
      if (known?.score === undefined) continue;
      const [moment, id] = (stamps[i] ?? "").split(" ");
      const isAhead = moment !== "" && Number(moment) > known.atMs;
      const isEqual = Number(moment) === known.atMs && id === hex16(known.score.eventId);
      if (!isAhead && !isEqual) this.#changed.add(nodeId);
    }
  }

  #lose(reason: string): void {
    this.#marker = undefined;
    this.#reason = reason;
    this.#generation += 1;
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    this.#failures += 1;
    if (!this.#inTrouble) {
      this.#logger.warn({ code: codeOf(error) }, `${messageOf(error)}; trying again`);
    }
    this.#inTrouble = true;
  }

  #wake(): void {
    this.#isWoken = true;
    this.#endNap();
  }

  /** Resolves after `waitMs`, or when somebody wakes it or did so since the last nap. */
  async #nap(waitMs: number): Promise<void> {
    if (!this.#isWoken && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#endNap = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isWoken = false;
  }
}
