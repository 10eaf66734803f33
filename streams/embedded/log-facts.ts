import type { TaskState } from "../commit.ts";
import type { Position } from "../log.ts";
import type { TaskChange } from "./group-state.ts";
import type { StateDb } from "./state-db.ts";
import { type TopicDefinition, type TopicState, TopicTable } from "./topic-table.ts";

/** Point in the log up to which LMDB holds everything: groups after it are read from the segments. */
export interface Checkpoint {
  /** Last group that is in LMDB. */
  readonly sequence: number;
  /** Where the next group begins; only segments of this epoch count from here on. */
  readonly segment: number;
  readonly epoch: number;
  readonly position: number;
}

/** The checkpoint as it is stored, with the boot in which the owner of its epoch writes. */
export interface StoredCheckpoint extends Checkpoint {
  readonly bootId: string;
}

/** A segment as it counts: `length` bytes of it, the newest chunk appended at `lastMs`. */
export interface SegmentFacts {
  readonly epoch: number;
  readonly length: number;
  readonly lastMs: number;
}

/** The durable facts of one group, as a commit makes them or as they are read from a segment. */
export interface GroupFacts {
  readonly topics: readonly TopicDefinition[];
  readonly sources: readonly (readonly [source: string, position: string])[];
  readonly tasks: readonly Omit<TaskChange, "stores">[];
  readonly chunks: readonly {
    readonly topicId: number;
    readonly slot: number;
    readonly baseOffset: number;
    readonly count: number;
    readonly length: number;
  }[];
}

interface StoredTask {
  readonly commit: number;
  readonly chain: string;
  readonly positions: readonly [topic: string, slot: number, offset: number][];
}

const checkpointFact = "checkpoint";
const laneBytes = 24;

/**
 * Everything small that a log knows, in memory: topics with their offsets, positions of sources, states of tasks,
 * segments. Changes go to LMDB with the next checkpoint. All of them are absolute values, so that a group may be
 * applied twice. Sources are never forgotten: about 240 bytes of memory and 100 on disk for each.
 */
export class LogFacts {
  readonly topics: TopicTable;
  readonly sources: Map<string, string> = new Map();
  readonly tasks: Map<string, TaskState> = new Map();
  readonly segments: Map<number, SegmentFacts> = new Map();
  /** Ids of spaces in `entries`, by name (a store of a task, a slot of a table). */
  readonly spaces: Map<string, number> = new Map();
  readonly #changedTopics = new Set<TopicState>();
  readonly #changedLanes = new Map<TopicState, Set<number>>();
  readonly #changedSources = new Set<string>();
  readonly #changedTasks = new Set<string>();
  readonly #changedSegments = new Set<number>();
  #nextSpace = 1;

  constructor(slots: number) {
    this.topics = new TopicTable(slots);
  }

  static taskKey(processor: string, slot: number): string {
    return `${processor}/${slot}`;
  }

  /** Takes in a durable group; also a second time, when a checkpoint had it already. */
  apply(group: GroupFacts): void {
    for (const definition of group.topics) this.#changedTopics.add(this.topics.define(definition));
    for (const [source, position] of group.sources) {
      this.sources.set(source, position);
      this.#changedSources.add(source);
    }
    for (const { processor, slot, state } of group.tasks) {
      const key = LogFacts.taskKey(processor, slot);
      this.tasks.set(key, merged(this.tasks.get(key), state));
      this.#changedTasks.add(key);
    }
    for (const { topicId, slot, baseOffset, count, length } of group.chunks) {
      const topic = this.topics.byId(topicId) as TopicState;
      if (baseOffset < (topic.ends[slot] as number)) continue;
      topic.ends[slot] = baseOffset + count;
      topic.sizes[slot] = (topic.sizes[slot] as number) + length;
      this.#laneChanged(topic, slot);
    }
  }

  /** From now on the latest values of `topic` are kept. */
  makeTable(topic: TopicState): void {
    topic.table = true;
    this.#changedTopics.add(topic);
  }

  #laneChanged(topic: TopicState, slot: number): void {
    const slots = this.#changedLanes.get(topic);
    if (slots === undefined) this.#changedLanes.set(topic, new Set([slot]));
    else slots.add(slot);
  }

  setSegment(number: number, facts: SegmentFacts): void {
    this.segments.set(number, facts);
    this.#changedSegments.add(number);
  }

  /** The space called `name`; a new one is only in memory until `saveSpaces`. */
  space(name: string): number {
    let id = this.spaces.get(name);
    if (id === undefined) {
      id = this.#nextSpace;
      this.#nextSpace += 1;
      this.spaces.set(name, id);
    }
    return id;
  }

  load(db: StateDb): void {
    db.eachFact("topic/", (id, value) => {
      const [table, name] = JSON.parse(value.toString()) as [boolean, string];
      this.topics.define({ id: Number(id), name, table });
    });
    db.eachFact("lane/", (place, value) => {
      const [id, slot] = place.split("/").map(Number) as [number, number];
      const topic = this.topics.byId(id) as TopicState;
      topic.starts[slot] = value.readDoubleLE(0);
      topic.ends[slot] = value.readDoubleLE(8);
      topic.sizes[slot] = value.readDoubleLE(16);
    });
    db.eachFact("source/", (source, value) => this.sources.set(source, value.toString()));
    db.eachFact("task/", (key, value) => this.tasks.set(key, decodeTask(value)));
    db.eachFact("segment/", (number, value) => {
      this.segments.set(Number(number), JSON.parse(value.toString()) as SegmentFacts);
    });
    db.eachFact("space/", (name, value) => {
      const id = value.readUInt32LE(0);
      this.spaces.set(name, id);
      this.#nextSpace = Math.max(this.#nextSpace, id + 1);
    });
  }

  /** Writes the ids of spaces; before anything is put into them. Inside a write transaction. */
  saveSpaces(db: StateDb, names: Iterable<string>): void {
    for (const name of names) {
      const id = Buffer.alloc(4);
      id.writeUInt32LE(this.spaces.get(name) as number);
      db.setFact(`space/${name}`, id);
    }
  }

  /** Writes what changed since the last time, and the checkpoint. Inside a write transaction. */
  save(db: StateDb, checkpoint: StoredCheckpoint): void {
    for (const topic of this.#changedTopics) {
      db.setFact(`topic/${topic.id}`, Buffer.from(JSON.stringify([topic.table, topic.name])));
    }
    for (const [topic, slots] of this.#changedLanes) {
      for (const slot of slots) this.saveLane(db, topic, slot);
    }
    for (const source of this.#changedSources) {
      db.setFact(`source/${source}`, Buffer.from(this.sources.get(source) as string));
    }
    for (const key of this.#changedTasks) {
      db.setFact(`task/${key}`, encodeTask(this.tasks.get(key) as TaskState));
    }
    for (const number of this.#changedSegments) {
      const facts = this.segments.get(number);
      if (facts !== undefined) db.setFact(`segment/${number}`, Buffer.from(JSON.stringify(facts)));
    }
    db.setFact(checkpointFact, Buffer.from(JSON.stringify(checkpoint)));
  }

  /** After the transaction of `save` ended well. */
  saved(): void {
    this.#changedTopics.clear();
    this.#changedLanes.clear();
    this.#changedSources.clear();
    this.#changedTasks.clear();
    this.#changedSegments.clear();
  }

  /** Writes the offsets and size of a topic and slot; inside a write transaction. */
  saveLane(
    db: StateDb,
    topic: TopicState,
    slot: number,
    startOffset: number = topic.starts[slot] as number,
    sizeBytes: number = topic.sizes[slot] as number,
  ): void {
    const value = Buffer.alloc(laneBytes);
    value.writeDoubleLE(startOffset, 0);
    value.writeDoubleLE(topic.ends[slot] as number, 8);
    value.writeDoubleLE(sizeBytes, 16);
    db.setFact(`lane/${topic.id}/${slot}`, value);
  }
}

/** The last checkpoint, or undefined in a new folder. */
export function loadCheckpoint(db: StateDb): StoredCheckpoint | undefined {
  const value = db.fact(checkpointFact);
  return value === undefined ? undefined : (JSON.parse(value.toString()) as StoredCheckpoint);
}

function encodeTask(state: TaskState): Buffer {
  const stored: StoredTask = {
    commit: state.commit,
    chain: Buffer.from(state.chain).toString("hex"),
    positions: state.positions.map(({ topic, slot, offset }) => [topic, slot, offset]),
  };
  return Buffer.from(JSON.stringify(stored));
}

function decodeTask(value: Buffer): TaskState {
  const { commit, chain, positions } = JSON.parse(value.toString()) as StoredTask;
  return {
    commit,
    chain: new Uint8Array(Buffer.from(chain, "hex")),
    positions: positions.map(([topic, slot, offset]): Position => ({ topic, slot, offset })),
  };
}

/** The state after a commit, which names only the positions that moved. */
function merged(before: TaskState | undefined, { commit, chain, positions }: TaskState): TaskState {
  if (before === undefined) return { commit, chain, positions };
  const all = [...before.positions];
  for (const position of positions) {
    const { topic, slot } = position;
    const at = all.findIndex((known) => known.topic === topic && known.slot === slot);
    if (at < 0) all.push(position);
    else all[at] = position;
  }
  return { commit, chain, positions: all };
}
