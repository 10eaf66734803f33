import { covers, type Prefix } from "../../../domain/prefix.ts";
import type { PrefixListReader } from "../../../domain/prefix-list.ts";
import { defineSchema, type EventSchema } from "../../../schemas/event-schema.ts";
import {
  type PackedStore,
  type RecordStore,
  type RecordStoreSpec,
  recordStoreSpec,
  type StoreSpec,
  storeSpec,
} from "../../../streams/store.ts";
import { canonicalPrefixes, type RegisteredPrefix } from "../registered-prefix.ts";
import { writePrefixKey } from "./route-key.ts";

interface NodePrefixes {
  readonly prefixes: readonly string[];
}

interface PrefixUse {
  readonly nodes: number;
}

const nodePrefixesSchema: EventSchema<NodePrefixes> = defineSchema<NodePrefixes>(
  JSON.stringify({
    type: "record",
    name: "NodePrefixes",
    namespace: "opencdn.rib",
    fields: [{ name: "prefixes", type: { type: "array", items: "string" } }],
  }),
);

const prefixUseSchema: EventSchema<PrefixUse> = defineSchema<PrefixUse>(
  JSON.stringify({
    type: "record",
    name: "PrefixUse",
    namespace: "opencdn.rib",
    fields: [{ name: "nodes", type: "int" }],
  }),
);

export const nodePrefixes: RecordStoreSpec<NodePrefixes> = recordStoreSpec(
  "nodes",
  nodePrefixesSchema,
);
export const prefixUses: RecordStoreSpec<PrefixUse> = recordStoreSpec(
  "registered",
  prefixUseSchema,
);
export const watched: StoreSpec = storeSpec("watched");

const key = new Uint8Array(18);
const count = new Uint8Array(4);
const countView = new DataView(count.buffer);

/**
 * Which routes matter: those whose prefix is, or covers, one that a node registered. `watched` holds each of these
 * prefixes (24 for a /24), so that a route costs one look-up, and none while nothing is registered.
 */
export class PrefixWatch {
  readonly #nodes: RecordStore<NodePrefixes>;
  readonly #uses: RecordStore<PrefixUse>;
  readonly #watched: PackedStore;

  constructor(
    nodes: RecordStore<NodePrefixes>,
    uses: RecordStore<PrefixUse>,
    watchedPrefixes: PackedStore,
  ) {
    this.#nodes = nodes;
    this.#uses = uses;
    this.#watched = watchedPrefixes;
  }

  get active(): boolean {
    return this.#watched.size > 0;
  }

  /** Whether the reader's prefix is, or covers, a registered one. */
  hits(reader: PrefixListReader): boolean {
    const end = writePrefixKey(key, 0, reader.family, reader.length, reader.list, reader.start);
    return this.#watched.find(key, 0, end);
  }

  /** All registered prefixes, in the order of their texts. */
  registered(): RegisteredPrefix[] {
    return canonicalPrefixes(this.#uses.entries().map(([text]) => text));
  }

  /** Sets the prefixes of a node; gives those that nobody had before and those that nobody has now. */
  register(
    nodeId: string,
    texts: readonly string[],
  ): { readonly added: readonly RegisteredPrefix[]; readonly removed: readonly string[] } {
    const before = new Set(this.#nodes.get(nodeId)?.prefixes ?? []);
    const now = canonicalPrefixes(texts);
    const added = now.filter(({ text }) => !before.has(text) && this.#use(text, 1) === 1);
    for (const { text } of now) before.delete(text);
    const removed = [...before].filter((text) => this.#use(text, -1) === 0);
    for (const { prefix } of added) this.#watch(prefix, 1);
    for (const { prefix } of canonicalPrefixes(removed)) this.#watch(prefix, -1);
    if (now.length === 0) this.#nodes.delete(nodeId);
    else this.#nodes.put(nodeId, { prefixes: now.map(({ text }) => text) });
    return { added, removed };
  }

  #use(text: string, change: number): number {
    const nodes = (this.#uses.get(text)?.nodes ?? 0) + change;
    if (nodes > 0) this.#uses.put(text, { nodes });
    else this.#uses.delete(text);
    return nodes;
  }

  #watch(prefix: Prefix, change: number): void {
    for (let length = 1; length <= prefix.length; length++) {
      const end = writePrefixKey(key, 0, prefix.family, length, prefix.bytes, 0);
      const store = this.#watched;
      const before = store.find(key, 0, end) ? store.view.getUint32(store.valueStart, true) : 0;
      if (before + change > 0) {
        countView.setUint32(0, before + change, true);
        store.put(key, 0, end, count, 0, 4);
      } else {
        store.delete(key, 0, end);
      }
    }
  }
}

/** The registered prefixes that the route covers or equals. */
export function coveredBy(
  route: Prefix,
  registered: readonly RegisteredPrefix[],
): readonly RegisteredPrefix[] {
  return registered.filter(({ prefix }) => covers(route, prefix));
}
