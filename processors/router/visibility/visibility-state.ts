import { defineSchema, type EventSchema } from "../../../schemas/event-schema.ts";
import { type RecordStoreSpec, recordStoreSpec } from "../../../streams/store.ts";
import type { PeerView, PrefixFinding } from "./judge.ts";

/** All views of one prefix, sorted by peer. */
export interface PrefixViews {
  readonly views: readonly PeerView[];
}

export interface PeerRecord {
  readonly up: boolean;
  readonly live: boolean;
}

/** One feed: the peers whose names begin with the same collector. */
export interface FeedRecord {
  readonly lastMs: number;
  readonly fresh: boolean;
  /** Time of the timer under way; 0 for none. */
  readonly timerMs: number;
}

export interface NodeRecord {
  /** Canonical texts. */
  readonly prefixes: readonly string[];
  readonly originAsns: readonly number[];
}

/** What was written last of a prefix. */
export interface WrittenFinding extends Omit<PrefixFinding, "reason"> {
  readonly reason: string;
  readonly nodeIds: readonly string[];
}

function define<T>(name: string, fields: readonly unknown[]): EventSchema<T> {
  return defineSchema<T>(
    JSON.stringify({ type: "record", name, namespace: "opencdn.visibility", fields }),
  );
}

const list = (items: string) => ({ type: "array", items });

export const prefixes: RecordStoreSpec<PrefixViews> = recordStoreSpec(
  "prefixes",
  define<PrefixViews>("PrefixViews", [
    {
      name: "views",
      type: {
        type: "array",
        items: {
          type: "record",
          name: "PeerView",
          fields: [
            { name: "peer", type: "string" },
            { name: "visible", type: "boolean" },
            { name: "exact", type: "boolean" },
            { name: "originAsn", type: "long" },
            { name: "pathLength", type: "int" },
          ],
        },
      },
    },
  ]),
);

export const peers: RecordStoreSpec<PeerRecord> = recordStoreSpec(
  "peers",
  define<PeerRecord>("PeerRecord", [
    { name: "up", type: "boolean" },
    { name: "live", type: "boolean" },
  ]),
);

export const feeds: RecordStoreSpec<FeedRecord> = recordStoreSpec(
  "feeds",
  define<FeedRecord>("FeedRecord", [
    { name: "lastMs", type: "long" },
    { name: "fresh", type: "boolean" },
    { name: "timerMs", type: "long" },
  ]),
);

export const nodes: RecordStoreSpec<NodeRecord> = recordStoreSpec(
  "nodes",
  define<NodeRecord>("NodeRecord", [
    { name: "prefixes", type: list("string") },
    { name: "originAsns", type: list("long") },
  ]),
);

export const written: RecordStoreSpec<WrittenFinding> = recordStoreSpec(
  "written",
  define<WrittenFinding>("WrittenFinding", [
    { name: "nodeIds", type: list("string") },
    {
      name: "state",
      type: { type: "enum", name: "State", symbols: ["YES", "NO", "UNKNOWN"] },
    },
    { name: "reason", type: "string" },
    { name: "livePeers", type: "int" },
    { name: "seeingPeers", type: "int" },
    { name: "origins", type: list("long") },
    { name: "wrongOrigin", type: "boolean" },
    { name: "minPathLength", type: "int" },
    { name: "medianPathLength", type: "int" },
  ]),
);
