import { OpenCdnError } from "../errors.ts";
import { maxTopics } from "./storage-limits.ts";

/** A topic as a log knows it. */
export interface TopicDefinition {
  readonly id: number;
  readonly name: string;
  /** Whether its latest values are kept. */
  readonly table: boolean;
}

/** One topic of a log with the committed facts of its slots. */
export class TopicState {
  readonly id: number;
  readonly name: string;
  table: boolean;
  /** Per slot: first offset kept, offset after the last record, bytes of payload kept. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly sizes: Float64Array;

  constructor(definition: TopicDefinition, slots: number) {
    this.id = definition.id;
    this.name = definition.name;
    this.table = definition.table;
    this.starts = new Float64Array(slots);
    this.ends = new Float64Array(slots);
    this.sizes = new Float64Array(slots);
  }
}

/** The topics of a log: 16-bit ids, given in the order of first use and written down with the group that uses them. */
export class TopicTable {
  readonly slots: number;
  readonly #byName = new Map<string, TopicState>();
  readonly #byId = new Map<number, TopicState>();
  #nextId = 1;

  constructor(slots: number) {
    this.slots = slots;
  }

  get nextId(): number {
    return this.#nextId;
  }

  byName(name: string): TopicState | undefined {
    return this.#byName.get(name);
  }

  byId(id: number): TopicState | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<TopicState> {
    return this.#byId.values();
  }

  /** Enters a definition; the same one twice is one. */
  define(definition: TopicDefinition): TopicState {
    const known = this.#byId.get(definition.id);
    if (known !== undefined && known.name === definition.name) return known;
    if (known !== undefined || this.#byName.has(definition.name)) {
      throw new OpenCdnError(
        "OCDN_FOLDER_CORRUPT",
        `reading the topics of a log: id ${definition.id} or name ${definition.name} is defined twice`,
      );
    }
    if (definition.id > maxTopics) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `adding topic ${definition.name}: the log is full of topics`,
      );
    }
    const state = new TopicState(definition, this.slots);
    this.#byId.set(state.id, state);
    this.#byName.set(state.name, state);
    this.#nextId = Math.max(this.#nextId, state.id + 1);
    return state;
  }
}
