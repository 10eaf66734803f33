import type { Context } from "../../../streams/processor.ts";
import { type PackedStore, type StoreSpec, storeSpec } from "../../../streams/store.ts";
import { PeerState } from "./peer-state.ts";
import type { RouteTable } from "./route-table.ts";

/** Peers whose lost routes are being freed: peer key -> next slice. */
export const sweepStore: StoreSpec = storeSpec("sweeps");

const slices = 256;
const nothing = new Uint8Array(0);
const slice = new Uint8Array(2);

/** The peer lost routes: its entries are to be freed, from the first slice on. */
export function beginSweep(
  context: Context,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
): void {
  slice.fill(0);
  context.packed(sweepStore).put(key, keyStart, keyEnd, slice, 0, 2);
}

/** Frees one slice of one peer. Routes that are lost count for nothing before, so this only gives memory back. */
export function sweepStep(context: Context, routes: RouteTable, peers: PackedStore): void {
  const store = context.packed(sweepStore);
  if (store.size === 0) return;
  let key: Uint8Array = nothing;
  let next = 0;
  store.scan(nothing, (bytes, keyStart, keyEnd, valueStart) => {
    key = new Uint8Array(bytes.subarray(keyStart, keyEnd));
    next = (bytes[valueStart] as number) * 256 + (bytes[valueStart + 1] as number);
    return false;
  });
  const peer = new PeerState();
  peer.load(peers, key, 0, key.length);
  routes.sweep(peer, next);
  peer.save(peers, key, 0, key.length);
  if (peer.staleCount === 0 || next + 1 === slices) {
    store.delete(key, 0, key.length);
  } else {
    slice[0] = (next + 1) >> 8;
    slice[1] = next + 1;
    store.put(key, 0, key.length, slice, 0, 2);
  }
}
