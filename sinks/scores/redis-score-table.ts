import type { NodeScore } from "../../schemas/generated/events.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { RedisConnection } from "../../streams/redis/redis-connection.ts";
import { fieldsOf, scoreFields, scoreFrom } from "./score-fields.ts";
import { byScoreThenName, maxNodes, type ScoreTable } from "./score-table.ts";

/** Entries of one script call or pipeline: Redis serves nobody else for about a millisecond. */
const maxBatch = 128;
/** Calls of this table that wait for an answer, about 500 bytes each; more are refused. */
const maxWaiting = 10_000;
/** Removals that are remembered, so that an older write brings no node back; about 100 bytes each. */
const maxRemoved = 10_000;
/** Most nodes that `top` reads in one script call. */
const maxTop = 1_000;
/** Hashes that one step of a clearing deletes. */
const clearStep = 1_000;

export interface RedisScoreTableOptions {
  readonly maxNodes?: number;
  readonly maxRemoved?: number;
}

/** What a table says of itself: the marker of the rebuild that it comes from (none after a loss), and its size. */
export interface TableState {
  readonly marker: string | undefined;
  readonly size: number;
}

interface Waiting<T> {
  readonly nodeId: string;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

interface Write extends Waiting<boolean> {
  /** Node, moment and fields, as the script takes them. */
  readonly args: readonly string[];
}

/**
 * The driver on Redis: a hash a node (`scores:node:NODE`, its moment in `atMs`), a sorted set by static score
 * (`scores:rank`), and the moments of removals (`scores:removed`, the latest 10,000). Calls of one turn travel
 * together. A call that fails may have taken effect; made again, it has it once.
 */
export class RedisScoreTable implements ScoreTable {
  readonly #redis: RedisConnection;
  readonly #limits: readonly [number, number];
  #writes: Write[] = [];
  #reads: Waiting<NodeScore | undefined>[] = [];
  #waiting = 0;

  constructor(redis: RedisConnection, options: RedisScoreTableOptions = {}) {
    this.#redis = redis;
    this.#limits = [options.maxNodes ?? maxNodes, options.maxRemoved ?? maxRemoved];
  }

  /** Throws OCDN_BAD_INPUT for a static score that is no number, and what `RedisConnection.run` throws. */
  put(nodeId: string, score: NodeScore, atMs: number): Promise<boolean> {
    if (Number.isNaN(score.staticScore)) {
      const text = `writing the score of ${nodeId.slice(0, 80)}: the static score is no number`;
      return Promise.reject(new OpenCdnError("OCDN_BAD_INPUT", text));
    }
    return this.#write(nodeId, [nodeId, String(atMs), ...fieldsOf(score)]);
  }

  remove(nodeId: string, atMs: number): Promise<boolean> {
    return this.#write(nodeId, [nodeId, String(atMs), ""]);
  }

  get(nodeId: string): Promise<NodeScore | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#isFull(reject)) return;
      if (this.#reads.length === 0) queueMicrotask(() => this.#sendReads());
      this.#reads.push({ nodeId, resolve, reject });
    });
  }

  /** Throws OCDN_LIMIT for more than 1,000. */
  async top(count: number): Promise<NodeScore[]> {
    if (count > maxTop) {
      throw new OpenCdnError("OCDN_LIMIT", `reading the best scores: at most ${maxTop} at once`);
    }
    if (count <= 0) return [];
    const args = [Math.floor(count), `${this.#redis.keyPrefix}${nodeKey("")}`];
    const found = (await this.#redis.script("ocdnScoreTop", [rank], args)) as Found[];
    return found
      .map(([nodeId, fields]) => scoreFrom(nodeId, fields))
      .filter((score) => score !== undefined)
      .sort(byScoreThenName);
  }

  size(): Promise<number> {
    const { client } = this.#redis;
    return this.#redis.run("zcard", () => client.zcard(rank));
  }

  /** Makes the table one of this log, empty when it was another's or lost, and gives its marker. */
  async begin(logId: string, epoch: string): Promise<string> {
    const prefix = `${this.#redis.keyPrefix}${nodeKey("")}`;
    const args = [logId, epoch, clearStep, prefix];
    for (;;) {
      const keys = [marker, complete, rank, removed];
      const answer = await this.#redis.script("ocdnScoreBegin", keys, args);
      if (typeof answer === "string") return answer;
    }
  }

  /** Says in Redis that the table is complete; false when the marker is gone. */
  async finish(mark: string): Promise<boolean> {
    return (await this.#redis.script("ocdnScoreFinish", [marker, complete], [mark])) === 1;
  }

  async state(): Promise<TableState> {
    const { client } = this.#redis;
    const [mark, size] = await this.#redis.run("heartbeat", () =>
      Promise.all([client.get(marker), client.zcard(rank)]),
    );
    return { marker: mark ?? undefined, size };
  }

  /** Some names of the table and where to go on; begin with "0", and "0" is the end. A name may come twice. */
  async names(cursor: string): Promise<{ readonly next: string; readonly names: string[] }> {
    const { client } = this.#redis;
    const scan = () => client.zscan(rank, cursor, "COUNT", clearStep);
    const [next, pairs] = await this.#redis.run("zscan", scan);
    return { next, names: pairs.filter((_, i) => i % 2 === 0) };
  }

  /** `MOMENT EVENTID` of each node, the id in hex; empty for one that is missing or not ranked by its score. */
  async stamps(nodeIds: readonly string[]): Promise<readonly string[]> {
    const found: string[] = [];
    for (let i = 0; i < nodeIds.length; i += maxBatch) {
      const batch = nodeIds.slice(i, i + maxBatch);
      const keys = [rank, ...batch.map(nodeKey)];
      found.push(...((await this.#redis.script("ocdnScoreStamps", keys, batch)) as string[]));
    }
    return found;
  }

  #write(nodeId: string, args: readonly string[]): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.#isFull(reject)) return;
      if (this.#writes.length === 0) queueMicrotask(() => this.#sendWrites());
      this.#writes.push({ nodeId, args, resolve, reject });
    });
  }

  /** Takes one of the places of waiting calls, or refuses. */
  #isFull(reject: (error: unknown) => void): boolean {
    if (this.#waiting >= maxWaiting) {
      const text = `asking Redis for scores: ${maxWaiting} calls wait for an answer`;
      reject(new OpenCdnError("OCDN_OVERLOADED", text));
      return true;
    }
    this.#waiting += 1;
    return false;
  }

  #sendWrites(): void {
    const writes = this.#writes;
    this.#writes = [];
    for (let i = 0; i < writes.length; i += maxBatch) {
      const batch = writes.slice(i, i + maxBatch);
      const keys = [rank, removed, ...batch.map(({ nodeId }) => nodeKey(nodeId))];
      const args = [...this.#limits, ...batch.flatMap((write) => write.args)];
      const answer = this.#redis.script("ocdnScoreWrite", keys, args) as Promise<number[]>;
      this.#settle(batch, answer, (stands) => stands === 1);
    }
  }

  #sendReads(): void {
    const reads = this.#reads;
    this.#reads = [];
    const { client } = this.#redis;
    for (let i = 0; i < reads.length; i += maxBatch) {
      const batch = reads.slice(i, i + maxBatch);
      const answer = this.#redis.run("hmget", async () => {
        const pipeline = client.pipeline();
        for (const { nodeId } of batch) pipeline.hmget(nodeKey(nodeId), ...scoreFields);
        return answersOf(await pipeline.exec());
      });
      this.#settle(batch, answer, (fields, nodeId) => scoreFrom(nodeId, fields as Fields));
    }
  }

  #settle<A, T>(
    batch: readonly Waiting<T>[],
    answer: Promise<readonly A[]>,
    read: (answer: A, nodeId: string) => T,
  ): void {
    answer.then(
      (answers) => {
        this.#waiting -= batch.length;
        for (const [i, { nodeId, resolve }] of batch.entries()) {
          resolve(read(answers[i] as A, nodeId));
        }
      },
      (error: unknown) => {
        this.#waiting -= batch.length;
        for (const { reject } of batch) reject(error);
      },
    );
  }
}

type Fields = readonly (string | null)[];
type Found = readonly [nodeId: string, fields: Fields];

const rank = "scores:rank";
const removed = "scores:removed";
const marker = "scores:marker";
const complete = "scores:complete";

function nodeKey(nodeId: string): string {
  return `scores:node:${nodeId}`;
}

/** What a pipeline answered; throws its first error. */
function answersOf(results: [Error | null, unknown][] | null): unknown[] {
  return (results ?? []).map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
}
