import { covers } from "../../../domain/prefix.ts";
import type { BgpUpdate } from "../../../schemas/generated/events.ts";
import {
  type Context,
  global,
  keyed,
  type Processor,
  type Recorded,
} from "../../../streams/processor.ts";
import { type PackedStore, type StoreSpec, storeSpec } from "../../../streams/store.ts";
import {
  bgpFlaps,
  bgpPeers,
  bgpUpdates,
  nodeInventory,
  prefixViews,
} from "../../../streams/topics.ts";
import type { RegisteredPrefix } from "../registered-prefix.ts";
import { type RibInput, type RibOptions, ribOptions } from "./config.ts";
import {
  attributeStore,
  type Fold,
  foldRoutes,
  openTables,
  type RibTables,
  ringStore,
  routeStore,
  withdrawnStore,
} from "./fold.ts";
import { PeerState } from "./peer-state.ts";
import { knownViews, removeView, writeView } from "./prefix-view.ts";
import { coveredBy, nodePrefixes, prefixUses, watched } from "./prefix-watch.ts";
import { beginSweep, sweepStep, sweepStore } from "./sweep.ts";

export const peerStore: StoreSpec = storeSpec("peers");

/** Views over the stores, for one commit; `registered` is read when the first route needs it. */
class Scratch {
  readonly tables: RibTables;
  readonly peer = new PeerState();
  registered: readonly RegisteredPrefix[] | undefined = undefined;

  constructor(context: Context, options: RibOptions) {
    this.tables = openTables(context, options);
  }
}

/**
 * Folds BGP messages into one table a peer, and says what others need of it: flaps and changes of origin, the
 * state of each peer, and each peer's view of the prefixes that nodes registered. Everything is said in the order
 * of the messages, so the outputs don't depend on where commits fall.
 */
export function ribProcessor(options: RibInput = {}): Processor {
  const settings = ribOptions.parse(options);
  const scratchOf = (context: Context) => context.scratch(() => new Scratch(context, settings));
  return {
    name: "rib",
    logicVersion: 1,
    inputs: [
      keyed(bgpUpdates, (event, context) => {
        if (event.value !== null)
          onUpdate(event, event.value, scratchOf(context), context, settings);
      }),
      global(nodeInventory, ({ key, value }, context) => {
        onInventory(key, value?.prefixes ?? [], scratchOf(context), context);
      }),
    ],
    outputs: [bgpFlaps, bgpPeers, prefixViews],
    stores: [
      peerStore,
      routeStore,
      attributeStore,
      withdrawnStore,
      ringStore,
      sweepStore,
      nodePrefixes,
      prefixUses,
      watched,
      knownViews,
    ],
  };
}

function onUpdate(
  event: Recorded<BgpUpdate>,
  update: BgpUpdate,
  scratch: Scratch,
  context: Context,
  options: RibOptions,
): void {
  const { peer, tables } = scratch;
  const peers = context.packed(peerStore);
  const { keyBytes, keyStart, keyEnd, eventMs } = event;
  const isNew = !peer.load(peers, keyBytes, keyStart, keyEnd);
  if (isNew) peer.number = peers.size;
  const state = stateOf(peer);
  const staleBefore = peer.staleCount;
  peer.live = update.live;
  peer.lastMs = Math.max(peer.lastMs, eventMs);
  if (update.message === "UPDATE" || update.message === "RIB_ENTRY") {
    peer.up = true;
    if (update.part === 0) peer.message = (peer.message + 1) >>> 0;
    const fold: Fold = { context, tables, options, event, peer, touched: [] };
    foldRoutes(fold, update);
    if (fold.touched.length > 0) writeTouched(fold, scratch);
  } else {
    onState(event.key, update, scratch, context);
  }
  const due = eventMs - peer.writtenMs >= options.peerWriteMs;
  if (isNew || due || state !== stateOf(peer)) {
    peer.writtenMs = eventMs;
    writePeer(event.key, peer, context);
  }
  peer.save(peers, keyBytes, keyStart, keyEnd);
  if (peer.staleCount > staleBefore) beginSweep(context, keyBytes, keyStart, keyEnd);
  if (event.offset % options.sweepEvery === 0) sweepStep(context, tables.routes, peers);
}

/** What others learn of a peer at once, as a number. */
function stateOf(peer: PeerState): number {
  const full = peer.full[0] || peer.full[1];
  return (peer.up ? 1 : 0) | (peer.live ? 2 : 0) | (full ? 4 : 0);
}

function writePeer(name: string, peer: PeerState, context: Context): void {
  context.emit(bgpPeers, name, {
    peer: name,
    up: peer.up,
    live: peer.live,
    lastMessageMs: peer.lastMs,
    routes: peer.routeCount,
    fullTable: peer.full[0] === true || peer.full[1] === true,
  });
}

/** Everything that is no message about routes. */
function onState(name: string, update: BgpUpdate, scratch: Scratch, context: Context): void {
  const { peer } = scratch;
  const families = familiesOf(update.family);
  switch (update.message) {
    case "DUMP_BEGIN":
      peer.up = true;
      for (const family of families) peer.beginDump(family);
      return;
    case "DUMP_END":
      for (const family of families) peer.endDump(family);
      writeFamilies(name, families, scratch, context);
      return;
    case "END_OF_RIB":
      peer.up = true;
      for (const family of families) peer.full[family] = true;
      writeFamilies(name, families, scratch, context);
      return;
    case "PEER_UP":
    case "PEER_DOWN":
      // A session that comes up begins with an empty table, also where the end of the last one was not seen.
      peer.lose(0);
      peer.lose(1);
      peer.up = update.message === "PEER_UP";
      for (const { text } of registeredOf(scratch)) removeView(context, name, text);
      return;
    case "UPDATE":
    case "RIB_ENTRY":
    case "OTHER":
      // A kind that a newer writer knows is a sign of life, and no more.
      return;
  }
}

function familiesOf(family: number): readonly (0 | 1)[] {
  if (family === 4) return [0];
  return family === 6 ? [1] : [0, 1];
}

function registeredOf(scratch: Scratch): readonly RegisteredPrefix[] {
  if (!scratch.tables.watch.active) return [];
  scratch.registered ??= scratch.tables.watch.registered();
  return scratch.registered;
}

/** A table became complete: what it lacks is known to be absent. */
function writeFamilies(
  name: string,
  families: readonly (0 | 1)[],
  scratch: Scratch,
  context: Context,
): void {
  for (const registered of registeredOf(scratch)) {
    if (!families.includes(registered.prefix.family === 6 ? 1 : 0)) continue;
    writeView(context, scratch.tables, name, scratch.peer, registered, false);
  }
}

/** Writes the views of the registered prefixes that the touched routes cover, each once. */
function writeTouched(fold: Fold, scratch: Scratch): void {
  const spoken = new Map<RegisteredPrefix, boolean>();
  for (const { route, withdrawn } of fold.touched) {
    for (const registered of coveredBy(route, registeredOf(scratch))) {
      const exact = withdrawn && covers(registered.prefix, route);
      spoken.set(registered, (spoken.get(registered) ?? false) || exact);
    }
  }
  for (const [registered, exact] of spoken) {
    writeView(fold.context, fold.tables, fold.event.key, fold.peer, registered, exact);
  }
}

function onInventory(
  nodeId: string,
  prefixes: readonly string[],
  scratch: Scratch,
  context: Context,
): void {
  scratch.registered = undefined;
  const { added, removed } = scratch.tables.watch.register(nodeId, prefixes);
  if (added.length === 0 && removed.length === 0) return;
  const peers = context.packed(peerStore);
  const { peer } = scratch;
  for (const { key, name } of allPeers(peers)) {
    peer.load(peers, key, 0, key.length);
    for (const registered of added)
      writeView(context, scratch.tables, name, peer, registered, false);
    for (const text of removed) removeView(context, name, text);
  }
}

const decoder = new TextDecoder();

function allPeers(peers: PackedStore): { readonly key: Uint8Array; readonly name: string }[] {
  const found: { key: Uint8Array; name: string }[] = [];
  peers.scan(new Uint8Array(0), (bytes, keyStart, keyEnd) => {
    const key = new Uint8Array(bytes.subarray(keyStart, keyEnd));
    found.push({ key, name: decoder.decode(key) });
    return undefined;
  });
  return found;
}
