import { originAsn } from "../../../../domain/as-path.ts";
import { covers, parsePrefix } from "../../../../domain/prefix.ts";
import type { ListedPrefix } from "./bgp-messages.ts";
import { attributesOf } from "./bgp-messages.ts";

export interface NaiveMessage {
  readonly peer: string;
  readonly kind: "UPDATE" | "RIB_ENTRY" | "DUMP_BEGIN" | "DUMP_END" | "PEER_DOWN" | "END_OF_RIB";
  readonly withdrawn: readonly ListedPrefix[];
  readonly announced: readonly ListedPrefix[];
  readonly path: readonly number[];
}

interface NaivePeer {
  routes: Map<string, readonly number[]>;
  dumped: Set<string> | undefined;
  full: boolean;
  withdrawn: Map<string, { readonly origin: number; readonly message: number }>;
}

/** The rib as a person would write it with maps; the oracle of its tests. Flaps are `peer prefix change`. */
export class NaiveRib {
  readonly peers: Map<string, NaivePeer> = new Map();
  readonly flaps: string[] = [];
  #message = 0;

  take(message: NaiveMessage): void {
    const peer = this.#peer(message.peer);
    this.#message += 1;
    switch (message.kind) {
      case "DUMP_BEGIN":
        peer.dumped = new Set();
        return;
      case "DUMP_END":
        if (peer.dumped !== undefined) {
          for (const key of [...peer.routes.keys()]) {
            if (!peer.dumped.has(key)) peer.routes.delete(key);
          }
        }
        peer.dumped = undefined;
        peer.full = true;
        return;
      case "PEER_DOWN":
        peer.routes.clear();
        peer.dumped = undefined;
        peer.full = false;
        return;
      case "END_OF_RIB":
        peer.full = true;
        return;
      case "UPDATE":
      case "RIB_ENTRY":
        this.#routes(peer, message);
    }
  }

  /** The best route for `prefix`: the longest that covers it, of several paths the first of the shortest. */
  view(
    peerName: string,
    prefix: string,
  ): { seenPrefix: string; path: readonly number[] } | undefined {
    const target = parsePrefix(prefix);
    let best: { seenPrefix: string; path: readonly number[]; length: number } | undefined;
    for (const [key, path] of this.#peer(peerName).routes) {
      const seenPrefix = key.split("#")[0] as string;
      const route = parsePrefix(seenPrefix);
      if (target === undefined || route === undefined) continue;
      if (route.length === 0 || !covers(route, target)) continue;
      const better =
        best === undefined ||
        route.length > best.length ||
        (route.length === best.length && path.length < best.path.length);
      if (better) best = { seenPrefix, path, length: route.length };
    }
    return best;
  }

  #peer(name: string): NaivePeer {
    let peer = this.peers.get(name);
    if (peer === undefined) {
      peer = { routes: new Map(), dumped: undefined, full: false, withdrawn: new Map() };
      this.peers.set(name, peer);
    }
    return peer;
  }

  #routes(peer: NaivePeer, message: NaiveMessage): void {
    for (const listed of message.withdrawn) {
      const key = keyOf(listed);
      const path = peer.routes.get(key);
      peer.routes.delete(key);
      peer.dumped?.delete(key);
      if ((path !== undefined || !peer.full) && !peer.withdrawn.has(key)) {
        const origin = path === undefined ? 0 : originOf(path);
        peer.withdrawn.set(key, { origin, message: this.#message });
      }
    }
    for (const listed of message.announced) this.#announce(peer, message, listed);
  }

  #announce(peer: NaivePeer, message: NaiveMessage, listed: ListedPrefix): void {
    const key = keyOf(listed);
    const now = originOf(message.path);
    const path = peer.routes.get(key);
    const memory = peer.withdrawn.get(key);
    let before = path === undefined ? 0 : originOf(path);
    if (path === undefined && memory !== undefined) {
      peer.withdrawn.delete(key);
      if (message.kind === "UPDATE" && memory.message !== this.#message) {
        this.flaps.push(`${message.peer} ${listed.prefix} REANNOUNCED`);
      } else {
        before = memory.origin;
      }
    }
    if (before !== 0 && now !== 0 && before !== now) {
      this.flaps.push(`${message.peer} ${listed.prefix} ORIGIN_CHANGED`);
    }
    peer.routes.set(key, message.path);
    peer.dumped?.add(key);
  }
}

function keyOf({ prefix, pathId }: ListedPrefix): string {
  return pathId === undefined ? `${prefix}#` : `${prefix}#${pathId}`;
}

function originOf(path: readonly number[]): number {
  return originAsn(attributesOf(path).asPath);
}
