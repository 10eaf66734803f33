import type { AddressFamily } from "../../domain/address.ts";
import { type MrtView, uint16, uint32 } from "./mrt-format.ts";

const PEER_IPV6 = 1;
const PEER_AS4 = 2;
const ADDRESS_STRIDE = 16;

/**
 * The peers of a TABLE_DUMP_V2 file (RFC 6396 section 4.3.1), which its RIB entries name by
 * number. Packed: 22 bytes a peer, at most 65,535 peers.
 */
export class PeerIndex {
  count = 0;
  #families: Uint8Array = new Uint8Array(0);
  #asns: Uint32Array = new Uint32Array(0);
  #addresses: Uint8Array = new Uint8Array(0);

  /** Reads a PEER_INDEX_TABLE record; false when it is damaged, and then there are no peers. */
  read(view: MrtView): boolean {
    this.count = 0;
    const { bytes, bodyStart, bodyEnd } = view;
    if (bodyEnd - bodyStart < 6) return false;
    const countAt = bodyStart + 6 + uint16(bytes, bodyStart + 4);
    if (countAt + 2 > bodyEnd) return false;
    const count = uint16(bytes, countAt);
    this.#families = new Uint8Array(count);
    this.#asns = new Uint32Array(count);
    this.#addresses = new Uint8Array(count * ADDRESS_STRIDE);
    let at = countAt + 2;
    for (let index = 0; index < count; index++) {
      if (at >= bodyEnd) return false;
      const type = bytes[at] as number;
      const addressBytes = (type & PEER_IPV6) === 0 ? 4 : 16;
      const asnBytes = (type & PEER_AS4) === 0 ? 2 : 4;
      const addressAt = at + 5;
      const asnAt = addressAt + addressBytes;
      if (asnAt + asnBytes > bodyEnd) return false;
      this.#families[index] = addressBytes === 4 ? 4 : 6;
      this.#asns[index] = asnBytes === 2 ? uint16(bytes, asnAt) : uint32(bytes, asnAt);
      this.#addresses.set(bytes.subarray(addressAt, asnAt), index * ADDRESS_STRIDE);
      at = asnAt + asnBytes;
    }
    this.count = count;
    return true;
  }

  /** Writes peer number `index` into the view; false when there is no such peer. */
  describe(index: number, view: MrtView): boolean {
    if (index >= this.count) return false;
    view.peerAsn = this.#asns[index] as number;
    view.peerFamily = this.#families[index] as AddressFamily;
    view.peerBytes = this.#addresses;
    view.peerAt = index * ADDRESS_STRIDE;
    return true;
  }
}
