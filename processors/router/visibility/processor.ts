import { type Context, global, keyed, type Processor } from "../../../streams/processor.ts";
import { slotOfKey } from "../../../streams/topic.ts";
import { bgpPeers, nodeInventory, prefixViews, prefixVisibility } from "../../../streams/topics.ts";
import { CachedRecords } from "../../cached-records.ts";
import { canonicalPrefixes } from "../registered-prefix.ts";
import { type VisibilityInput, type VisibilityOptions, visibilityOptions } from "./config.ts";
import { judgePrefix, type PeerStanding, type PeerView } from "./judge.ts";
import {
  type FeedRecord,
  feeds,
  nodes,
  type PeerRecord,
  type PrefixViews,
  peers,
  prefixes,
  type WrittenFinding,
  written,
} from "./visibility-state.ts";

/** Who registered a prefix, and which origins they allow. */
interface Registration {
  readonly nodeIds: string[];
  origins: Set<number> | "any";
}

class Scratch {
  readonly prefixes: CachedRecords<PrefixViews>;
  readonly peers: CachedRecords<PeerRecord>;
  readonly feeds: CachedRecords<FeedRecord>;
  readonly dirty = new Set<string>();
  allDirty = false;

  constructor(context: Context) {
    this.prefixes = new CachedRecords(context.records(prefixes));
    this.peers = new CachedRecords(context.records(peers));
    this.feeds = new CachedRecords(context.records(feeds));
  }
}

function scratchOf(context: Context): Scratch {
  return context.scratch(() => new Scratch(context));
}

const encoder = new TextEncoder();

/**
 * Judges each registered prefix of its slot from the peers' views: once a commit, and when a feed falls silent. Writes
 * only what changed.
 */
export function visibilityProcessor(options: VisibilityInput = {}): Processor {
  const settings = visibilityOptions.parse(options);
  return {
    name: "visibility",
    logicVersion: 1,
    // Silence is measured by ticks while the peers' topic is idle.
    idleMs: 2_000,
    inputs: [
      keyed(prefixViews, ({ key, value }, context) => {
        const bar = key.indexOf("|");
        if (bar > 0) onView(key.slice(0, bar), key.slice(bar + 1), viewOf(value), context);
      }),
      global(bgpPeers, ({ key, value, timestampMs }, context) => {
        const scratch = scratchOf(context);
        const before = scratch.peers.get(key);
        if (value === null) {
          scratch.peers.set(key, undefined);
        } else {
          onFeed(collectorOf(key), value.lastMessageMs, timestampMs, context, settings);
          scratch.peers.set(key, { up: value.up, live: value.live });
        }
        if (before?.up !== value?.up || before?.live !== value?.live) scratch.allDirty = true;
      }),
      global(nodeInventory, ({ key, value }, context) => {
        const registered = canonicalPrefixes(value?.prefixes ?? []).map(({ text }) => text);
        const store = context.records(nodes);
        if (value === null || registered.length === 0) store.delete(key);
        else store.put(key, { prefixes: registered, originAsns: value.originAsns });
        scratchOf(context).allDirty = true;
      }),
    ],
    outputs: [prefixVisibility],
    stores: [prefixes, peers, feeds, nodes, written],
    onTimer: (collector, atMs, context) => onFeedTimer(collector, atMs, context, settings),
    beforeCommit: (context) => {
      const scratch = scratchOf(context);
      if (scratch.allDirty || scratch.dirty.size > 0) writeFindings(scratch, context, settings);
      scratch.prefixes.flush();
      scratch.peers.flush();
      scratch.feeds.flush();
    },
  };
}

function viewOf(
  value: {
    readonly prefix: string;
    readonly peer: string;
    readonly visible: boolean;
    readonly seenPrefix: string;
    readonly originAsn: number;
    readonly pathLength: number;
  } | null,
): PeerView | undefined {
  if (value === null) return undefined;
  const { peer, visible, originAsn, pathLength } = value;
  return { peer, visible, exact: value.seenPrefix === value.prefix, originAsn, pathLength };
}

function onView(prefix: string, peer: string, view: PeerView | undefined, context: Context): void {
  const scratch = scratchOf(context);
  const before = scratch.prefixes.get(prefix)?.views ?? [];
  const views = before.filter((known) => known.peer !== peer);
  if (view !== undefined) views.push(view);
  views.sort((a, b) => (a.peer < b.peer ? -1 : 1));
  scratch.prefixes.set(prefix, views.length === 0 ? undefined : { views });
  scratch.dirty.add(prefix);
}

/** The first part of a peer's name: `collector/ASN/address`. */
function collectorOf(peer: string): string {
  const slash = peer.indexOf("/");
  return slash < 0 ? peer : peer.slice(0, slash);
}

/** Some peer of the feed has spoken at `lastMs`; `nowMs` is when the log took the record. */
function onFeed(
  collector: string,
  lastMs: number,
  nowMs: number,
  context: Context,
  options: VisibilityOptions,
): void {
  const scratch = scratchOf(context);
  const before = scratch.feeds.get(collector) ?? { lastMs: 0, fresh: false, timerMs: 0 };
  if (lastMs <= before.lastMs) return;
  const fresh = nowMs - lastMs <= options.silenceMs;
  const timerMs = fresh && before.timerMs === 0 ? lastMs + options.silenceMs : before.timerMs;
  if (timerMs !== before.timerMs) context.schedule(collector, timerMs);
  if (fresh !== before.fresh) scratch.allDirty = true;
  scratch.feeds.set(collector, { lastMs, fresh, timerMs });
}

function onFeedTimer(
  collector: string,
  atMs: number,
  context: Context,
  options: VisibilityOptions,
): void {
  const scratch = scratchOf(context);
  const feed = scratch.feeds.get(collector);
  if (feed === undefined) return;
  const dueMs = feed.lastMs + options.silenceMs;
  if (dueMs > atMs) {
    context.schedule(collector, dueMs);
    scratch.feeds.set(collector, { ...feed, timerMs: dueMs });
    return;
  }
  scratch.feeds.set(collector, { ...feed, fresh: false, timerMs: 0 });
  scratch.allDirty = true;
}

function writeFindings(scratch: Scratch, context: Context, options: VisibilityOptions): void {
  const registrations = registrationsOf(context);
  const known = context.records(written);
  const affected = new Set(scratch.dirty);
  if (scratch.allDirty) {
    for (const prefix of registrations.keys()) affected.add(prefix);
    for (const [prefix] of known.entries()) affected.add(prefix);
  }
  const standingOf = (peer: string): PeerStanding | undefined => {
    const record = scratch.peers.get(peer);
    if (record === undefined) return undefined;
    return { ...record, fresh: scratch.feeds.get(collectorOf(peer))?.fresh === true };
  };
  for (const prefix of [...affected].sort()) {
    const registration = registrations.get(prefix);
    if (registration === undefined) {
      if (known.delete(prefix)) context.remove(prefixVisibility, prefix);
      continue;
    }
    const views = scratch.prefixes.get(prefix)?.views ?? [];
    const finding = judgePrefix(views, standingOf, registration.origins, options);
    const record: WrittenFinding = { ...finding, nodeIds: registration.nodeIds };
    const before = known.get(prefix);
    if (before !== undefined && isSame(before, record)) continue;
    known.put(prefix, record);
    context.emit(prefixVisibility, prefix, { prefix, ...record });
  }
}

/** The registered prefixes of this task's slot. */
function registrationsOf(context: Context): ReadonlyMap<string, Registration> {
  const found = new Map<string, Registration>();
  for (const [nodeId, node] of context.records(nodes).entries()) {
    for (const prefix of node.prefixes) {
      const key = encoder.encode(prefix);
      if (slotOfKey(prefixVisibility, context.slots, key) !== context.slot) continue;
      const registration: Registration = found.get(prefix) ?? { nodeIds: [], origins: new Set() };
      registration.nodeIds.push(nodeId);
      if (node.originAsns.length === 0) registration.origins = "any";
      else if (registration.origins !== "any") {
        for (const asn of node.originAsns) registration.origins.add(asn);
      }
      found.set(prefix, registration);
    }
  }
  return found;
}

function isSame(a: WrittenFinding, b: WrittenFinding): boolean {
  return (
    a.state === b.state &&
    a.reason === b.reason &&
    a.livePeers === b.livePeers &&
    a.seeingPeers === b.seeingPeers &&
    a.wrongOrigin === b.wrongOrigin &&
    a.minPathLength === b.minPathLength &&
    a.medianPathLength === b.medianPathLength &&
    a.origins.join() === b.origins.join() &&
    a.nodeIds.join() === b.nodeIds.join()
  );
}
