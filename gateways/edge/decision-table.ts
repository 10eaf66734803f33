import { cellKey, splitCellKey } from "../../domain/cell.ts";
import type { Candidate } from "../../domain/weighted-pick.ts";
import type { RouteDecision } from "../../schemas/generated/events.ts";
import type { Topic } from "../../streams/topic.ts";
import { routeDecisions } from "../../streams/topics.ts";
import { emptyHeader } from "./fleet-tables.ts";
import { maxCandidates, maxDecisions, maxNodes } from "./limits.ts";
import type { PersistentView } from "./persisted-views.ts";

/** No decision. */
export const none = -1;

const minEntries = 256;
const minRuns = 1_024;

interface WritableCandidate {
  nodeId: string;
  fraction: number;
}

/**
 * The decisions in columns: about 40 bytes and the key for one of four candidates, instead of an object for each
 * of a million cells. An entry is a small integer that holds until `generation` is raised.
 */
export class DecisionTable implements PersistentView<RouteDecision> {
  readonly topic: Topic<RouteDecision> = routeDecisions;
  readonly #entries = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #nodeIds: string[] = [];
  readonly #nodeIndex = new Map<string, number>();
  #used = 0;
  #versions = new Float64Array(minEntries);
  #ttlSeconds = new Uint32Array(minEntries);
  #flagged = new Uint8Array(minEntries);
  #counts = new Uint8Array(minEntries);
  /** Candidates that fit the run of an entry. */
  #capacities = new Uint8Array(minEntries);
  #starts = new Uint32Array(minEntries);
  readonly #cells: string[] = [];
  #runNodes = new Uint16Array(minRuns);
  #runFractions = new Float64Array(minRuns);
  #runEnd = 0;
  #runWaste = 0;
  #generation = 0;
  #refused = 0;
  readonly #scratch: WritableCandidate[][] = [];

  get size(): number {
    return this.#entries.size;
  }

  /** Raised whenever a key comes or goes: then another cell's decision may be the narrowest for a client. */
  get generation(): number {
    return this.#generation;
  }

  /** Decisions that were over a bound. */
  get refused(): number {
    return this.#refused;
  }

  /** Every node that a decision named. */
  get nodeIds(): readonly string[] {
    return this.#nodeIds;
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  *entries(): Iterable<readonly [string, RouteDecision]> {
    for (const [key, entry] of this.#entries) {
      const { cell, service } = splitCellKey(key);
      const value: RouteDecision = {
        ...emptyHeader(),
        serviceId: service ?? "",
        cell,
        version: this.versionOf(entry),
        candidates: this.candidatesOf(entry).map((candidate) => ({ ...candidate })),
        flagged: this.isFlagged(entry),
        reason: "",
        ttlSeconds: this.ttlSecondsOf(entry),
      };
      yield [key, value];
    }
  }

  put(_key: string, decision: RouteDecision): void {
    const { candidates } = decision;
    const key = cellKey(decision.cell, decision.serviceId);
    let entry = this.#entries.get(key);
    const isNew = entry === undefined;
    const isOver = candidates.length > maxCandidates || !this.#haveRoomFor(candidates);
    if (isOver || (isNew && this.#entries.size >= maxDecisions)) {
      this.#refused += 1;
      return;
    }
    entry ??= this.#newEntry(key);
    this.#cells[entry] = decision.cell;
    this.#versions[entry] = decision.version;
    this.#ttlSeconds[entry] = Math.max(0, decision.ttlSeconds);
    this.#flagged[entry] = decision.flagged ? 1 : 0;
    if (isNew || candidates.length > (this.#capacities[entry] as number)) {
      this.#newRun(entry, candidates.length);
    }
    this.#counts[entry] = candidates.length;
    const start = this.#starts[entry] as number;
    for (const [at, { nodeId, fraction }] of candidates.entries()) {
      this.#runNodes[start + at] = this.#nodeNumber(nodeId);
      this.#runFractions[start + at] = fraction;
    }
  }

  remove(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#free.push(entry);
    this.#runWaste += this.#capacities[entry] as number;
    this.#capacities[entry] = 0;
    this.#generation += 1;
  }

  /** The entry of exactly this cell and service, or `none`. */
  find(cell: string, serviceId: string): number {
    return this.#entries.get(cellKey(cell, serviceId)) ?? none;
  }

  cellOf(entry: number): string {
    return this.#cells[entry] as string;
  }

  versionOf(entry: number): number {
    return this.#versions[entry] as number;
  }

  ttlSecondsOf(entry: number): number {
    return this.#ttlSeconds[entry] as number;
  }

  isFlagged(entry: number): boolean {
    return this.#flagged[entry] === 1;
  }

  /** The candidates in objects that the next call uses again. */
  candidatesOf(entry: number): readonly Candidate[] {
    const count = this.#counts[entry] as number;
    const start = this.#starts[entry] as number;
    const candidates = this.#scratchOf(count);
    for (let at = 0; at < count; at++) {
      const candidate = candidates[at] as WritableCandidate;
      candidate.nodeId = this.#nodeIds[this.#runNodes[start + at] as number] as string;
      candidate.fraction = this.#runFractions[start + at] as number;
    }
    return candidates;
  }

  #scratchOf(count: number): WritableCandidate[] {
    let candidates = this.#scratch[count];
    if (candidates === undefined) {
      candidates = Array.from({ length: count }, () => ({ nodeId: "", fraction: 0 }));
      this.#scratch[count] = candidates;
    }
    return candidates;
  }

  #newEntry(key: string): number {
    this.#generation += 1;
    const entry = this.#free.pop() ?? this.#used++;
    if (entry >= this.#versions.length) this.#growEntries();
    this.#entries.set(key, entry);
    return entry;
  }

  #growEntries(): void {
    const size = this.#versions.length * 2;
    this.#versions = grown(this.#versions, new Float64Array(size));
    this.#ttlSeconds = grown(this.#ttlSeconds, new Uint32Array(size));
    this.#flagged = grown(this.#flagged, new Uint8Array(size));
    this.#counts = grown(this.#counts, new Uint8Array(size));
    this.#capacities = grown(this.#capacities, new Uint8Array(size));
    this.#starts = grown(this.#starts, new Uint32Array(size));
  }

  /** Gives the entry a run of its own at the end; the old one is waste until the runs are packed. */
  #newRun(entry: number, length: number): void {
    this.#runWaste += this.#capacities[entry] as number;
    this.#capacities[entry] = 0;
    this.#counts[entry] = 0;
    if (this.#runWaste > minRuns && this.#runWaste * 2 > this.#runEnd) this.#pack();
    if (this.#runEnd + length > this.#runNodes.length) {
      const size = Math.max(this.#runNodes.length * 2, this.#runEnd + length);
      this.#runNodes = grown(this.#runNodes, new Uint16Array(size));
      this.#runFractions = grown(this.#runFractions, new Float64Array(size));
    }
    this.#starts[entry] = this.#runEnd;
    this.#capacities[entry] = length;
    this.#runEnd += length;
  }

  #pack(): void {
    const nodes = new Uint16Array(this.#runNodes.length);
    const fractions = new Float64Array(this.#runNodes.length);
    let end = 0;
    for (const entry of this.#entries.values()) {
      const start = this.#starts[entry] as number;
      const count = this.#counts[entry] as number;
      nodes.set(this.#runNodes.subarray(start, start + count), end);
      fractions.set(this.#runFractions.subarray(start, start + count), end);
      this.#starts[entry] = end;
      this.#capacities[entry] = count;
      end += count;
    }
    this.#runNodes = nodes;
    this.#runFractions = fractions;
    this.#runEnd = end;
    this.#runWaste = 0;
  }

  #haveRoomFor(candidates: RouteDecision["candidates"]): boolean {
    if (this.#nodeIds.length + candidates.length <= maxNodes) return true;
    return candidates.every(({ nodeId }) => this.#nodeIndex.has(nodeId));
  }

  #nodeNumber(nodeId: string): number {
    let number = this.#nodeIndex.get(nodeId);
    if (number === undefined) {
      number = this.#nodeIds.push(nodeId) - 1;
      this.#nodeIndex.set(nodeId, number);
    }
    return number;
  }
}

function grown<T extends { set(values: T): void }>(old: T, wide: T): T {
  wide.set(old);
  return wide;
}
