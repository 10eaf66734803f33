import { formatPrefixAt, type Prefix, prefixOf } from "../../../domain/prefix.ts";
import { NO_PATH_ID, PrefixListReader } from "../../../domain/prefix-list.ts";
import type { BgpAttributes, BgpChange, BgpUpdate } from "../../../schemas/generated/events.ts";
import { OpenCdnError } from "../../../streams/errors.ts";
import type { Context, Recorded } from "../../../streams/processor.ts";
import { type StoreSpec, storeSpec } from "../../../streams/store.ts";
import { bgpFlaps } from "../../../streams/topics.ts";
import { AttributeTable } from "./attribute-table.ts";
import type { RibOptions } from "./config.ts";
import type { PeerState } from "./peer-state.ts";
import { nodePrefixes, PrefixWatch, prefixUses, watched } from "./prefix-watch.ts";
import { noAttributes, RouteTable } from "./route-table.ts";
import { WithdrawalMemory } from "./withdrawal-memory.ts";

export const routeStore: StoreSpec = storeSpec("routes");
export const attributeStore: StoreSpec = storeSpec("attributes");
export const withdrawnStore: StoreSpec = storeSpec("withdrawn");
export const ringStore: StoreSpec = storeSpec("ring");

/** Views over the stores of one task. */
export interface RibTables {
  readonly attributes: AttributeTable;
  readonly routes: RouteTable;
  readonly memory: WithdrawalMemory;
  readonly watch: PrefixWatch;
}

export function openTables(context: Context, options: RibOptions): RibTables {
  const attributes = new AttributeTable(context.packed(attributeStore));
  return {
    attributes,
    routes: new RouteTable(context.packed(routeStore), attributes),
    memory: new WithdrawalMemory(
      context.packed(withdrawnStore),
      context.packed(ringStore),
      options.flapMemoryRoutes,
    ),
    watch: new PrefixWatch(
      context.records(nodePrefixes),
      context.records(prefixUses),
      context.packed(watched),
    ),
  };
}

const reader = new PrefixListReader();

/** One message being folded: what it says, and of whom. */
export interface Fold {
  readonly context: Context;
  readonly tables: RibTables;
  readonly options: RibOptions;
  readonly event: Recorded<BgpUpdate>;
  readonly peer: PeerState;
  /** Routes that cover or equal a registered prefix and were touched. */
  readonly touched: { readonly route: Prefix; readonly withdrawn: boolean }[];
}

/**
 * Folds the prefixes of one message into the peer's table: withdrawals first, then announcements, as RFC 4271
 * section 3.1 has them in one message. Announced prefixes without attributes are withdrawn (RFC 7606).
 */
export function foldRoutes(fold: Fold, update: BgpUpdate): void {
  if (update.withdrawn.length > 0) withdrawAll(fold, update.withdrawn);
  if (update.announced.length > 0) {
    if (update.attributes === null) withdrawAll(fold, update.announced);
    else announceAll(fold, update.announced, update.attributes, update.message === "RIB_ENTRY");
  }
}

function withdrawAll(fold: Fold, list: Uint8Array): void {
  const { peer } = fold;
  const { eventMs } = fold.event;
  const { routes, attributes, memory, watch } = fold.tables;
  reader.open(list);
  while (reader.next()) {
    const held = routes.withdraw(peer, reader);
    const family = reader.family === 6 ? 1 : 0;
    // A complete table that lacks the route says that the withdrawal means nothing.
    if (held || !peer.full[family]) {
      const origin = held && attributes.load(routes.previous) ? attributes.originAsn : 0;
      memory.remember(routes.key, memoryKeyEnd(routes), eventMs, origin, peer.message);
    }
    if (watch.active && watch.hits(reader)) touch(fold, true);
  }
  checkList();
  routes.settle();
}

/** A list that cannot be read to its end makes the whole message a dead letter; what was folded is undone. */
function checkList(): void {
  const { failure } = reader;
  if (failure === undefined) return;
  throw new OpenCdnError(
    "OCDN_UNDECODABLE",
    `reading a list of prefixes: ${failure.code} at byte ${failure.offset}`,
  );
}

function announceAll(fold: Fold, list: Uint8Array, given: BgpAttributes, fromDump: boolean): void {
  const { peer } = fold;
  const { routes, attributes, memory, watch } = fold.tables;
  const id = attributes.intern(given);
  const { originAsn, pathLength } = attributes;
  let taken = 0;
  // Neighbours in a message mostly replace the same attributes.
  let known = noAttributes;
  let knownOrigin = 0;
  reader.open(list);
  while (reader.next()) {
    if (routes.announce(peer, reader, id)) taken += 1;
    const { previous } = routes;
    if (previous === noAttributes) {
      if (memory.size > 0 && memory.take(routes.key, memoryKeyEnd(routes))) {
        returned(fold, originAsn, fromDump);
      }
    } else if (previous !== id) {
      if (previous !== known) {
        knownOrigin = attributes.load(previous) ? attributes.originAsn : 0;
        known = previous;
      }
      if (differ(knownOrigin, originAsn)) flap(fold, "ORIGIN_CHANGED", originAsn, knownOrigin, 0);
    }
    if (watch.active && watch.hits(reader)) touch(fold, false);
  }
  checkList();
  attributes.acquire(id, taken, originAsn, pathLength);
  routes.settle();
}

/** Appends the reader's path id to the route's key: what the withdrawal memory calls a route. */
function memoryKeyEnd(routes: RouteTable): number {
  const { pathId } = reader;
  const { key, keyEnd } = routes;
  if (pathId === NO_PATH_ID) return keyEnd;
  key[keyEnd] = pathId >>> 24;
  key[keyEnd + 1] = pathId >>> 16;
  key[keyEnd + 2] = pathId >>> 8;
  key[keyEnd + 3] = pathId;
  return keyEnd + 4;
}

/**
 * A remembered route is back. It flapped when an announcement said so (a dump is a state, not an event), not too
 * late, and not in the message that withdrew it (RFC 4271 section 4.3: such a message only announces).
 */
function returned(fold: Fold, originAsn: number, fromDump: boolean): void {
  const { memory } = fold.tables;
  if (fold.event.eventMs - memory.withdrawnMs > fold.options.flapMemoryMs) return;
  if (memory.message !== fold.peer.message && !fromDump) {
    flap(fold, "REANNOUNCED", originAsn, memory.originAsn, memory.withdrawnMs);
  } else if (differ(memory.originAsn, originAsn)) {
    flap(fold, "ORIGIN_CHANGED", originAsn, memory.originAsn, 0);
  }
}

/** An unknown origin (an AS set, no path) is no change. */
function differ(before: number, now: number): boolean {
  return before !== now && before !== 0 && now !== 0;
}

function flap(
  fold: Fold,
  change: BgpChange,
  originAsn: number,
  previousOriginAsn: number,
  withdrawnMs: number,
): void {
  const prefix = formatPrefixAt(reader.list, reader.start, reader.family, reader.length);
  const peer = fold.event.key;
  fold.context.emit(bgpFlaps, `${peer}|${prefix}`, {
    peer,
    prefix,
    change,
    originAsn,
    previousOriginAsn,
    withdrawnMs,
  });
}

function touch(fold: Fold, withdrawn: boolean): void {
  const bytes = new Uint8Array(16);
  reader.addressInto(bytes, 0);
  fold.touched.push({ route: prefixOf(reader.family, bytes, reader.length), withdrawn });
}
