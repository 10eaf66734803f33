import { type AddressFamily, addressBytes, formatAddress } from "../../domain/address.ts";
import { maxPeers } from "./limits.ts";
import type { MrtView } from "./mrt-format.ts";

/** A router that feeds the collector. */
export interface FeedPeer {
  /** `collector/ASN/address`, the key of its events. */
  readonly peer: string;
  readonly peerAsn: number;
  readonly peerAddress: string;
  readonly family: AddressFamily;
  readonly address: Uint8Array;
  /** Another peer with the same hash. */
  readonly next: FeedPeer | undefined;
  /** Families of which a table dump is under way: bit 1 IPv4, bit 2 IPv6. */
  dumping: number;
}

/** The peers of one feed by ASN and address, so that their names are written once. */
export class FeedPeers {
  readonly #collector: string;
  readonly #byHash = new Map<number, FeedPeer>();
  #count = 0;

  constructor(collector: string) {
    this.#collector = collector;
  }

  /** The peer that the view names; undefined when there are more than `maxPeers`. */
  of(view: MrtView): FeedPeer | undefined {
    const { peerBytes, peerAt, peerAsn, peerFamily } = view;
    const size = addressBytes(peerFamily);
    let hash = peerAsn ^ peerFamily;
    for (let byte = 0; byte < size; byte++) {
      hash = Math.imul(hash ^ (peerBytes[peerAt + byte] as number), 0x01000193);
    }
    const first = this.#byHash.get(hash);
    for (let peer = first; peer !== undefined; peer = peer.next) {
      if (peer.peerAsn === peerAsn && peer.family === peerFamily && same(peer, view)) return peer;
    }
    return this.#count === maxPeers ? undefined : this.#add(view, hash, first);
  }

  #add(view: MrtView, hash: number, next: FeedPeer | undefined): FeedPeer {
    const { peerBytes, peerAt, peerAsn, peerFamily: family } = view;
    const address = new Uint8Array(peerBytes.subarray(peerAt, peerAt + addressBytes(family)));
    const peerAddress = formatAddress(address, 0, family);
    const name = `${this.#collector}/${peerAsn}/${peerAddress}`;
    const peer: FeedPeer = { peer: name, peerAsn, peerAddress, family, address, next, dumping: 0 };
    this.#byHash.set(hash, peer);
    this.#count++;
    return peer;
  }
}

function same(peer: FeedPeer, view: MrtView): boolean {
  const { address } = peer;
  for (let byte = 0; byte < address.length; byte++) {
    if (address[byte] !== view.peerBytes[view.peerAt + byte]) return false;
  }
  return true;
}
