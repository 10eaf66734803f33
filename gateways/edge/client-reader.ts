import type { Socket } from "node:net";
import {
  type Address,
  type AddressFamily,
  addressBytes,
  parseAddress,
  parseAddressInto,
} from "../../domain/address.ts";
import { contains } from "../../domain/prefix.ts";
import { type ClientAddressOptions, clientAddress } from "../site/client-address.ts";
import type { RequestHead } from "./request-head.ts";
import { type SocketState, socketState } from "./socket-state.ts";

/** Finds the address of clients; what belongs to a socket is found out once. */
export class ClientReader {
  readonly #options: ClientAddressOptions;
  /** The address of the request being read; 16 bytes, of which family 4 uses the first four. */
  readonly #only: { family: AddressFamily; readonly bytes: Uint8Array } = {
    family: 4,
    bytes: new Uint8Array(16),
  };

  constructor(options: ClientAddressOptions) {
    this.#options = options;
  }

  /** Whether a connection from this address is a configured proxy's. */
  isTrusted(address: string): boolean {
    return this.#trusts(addressAt(address));
  }

  /**
   * The client's address, or undefined when the connection is gone. It holds until the next call; `addressOf`
   * makes one to keep.
   */
  read(socket: Socket, head: RequestHead): Address | undefined {
    const { address, isTrusted } = this.#peer(socket);
    if (!isTrusted || (head.forwarded === undefined && head.forwardedFor === undefined)) {
      return address;
    }
    if (head.forwarded === undefined && head.forwardedFor !== undefined) {
      // One hop that is a plain address is the client, whether it is a proxy or not.
      const family = parseAddressInto(head.forwardedFor, this.#only.bytes);
      if (family !== 0) {
        this.#only.family = family;
        return this.#only;
      }
    }
    const headers = { forwarded: head.forwarded, "x-forwarded-for": head.forwardedFor };
    return clientAddress(socket.remoteAddress, headers, this.#options);
  }

  /** As `read`, but an address of its own. */
  addressOf(socket: Socket, head: RequestHead): Address | undefined {
    const found = this.read(socket, head);
    if (found === undefined) return undefined;
    return { family: found.family, bytes: found.bytes.slice(0, addressBytes(found.family)) };
  }

  #peer(socket: Socket): SocketState {
    const state = socketState(socket);
    if (!state.isKnown) {
      state.address = addressAt(socket.remoteAddress);
      state.isTrusted = this.#trusts(state.address);
      // A connection that is gone has no address; that may be the first look or a later one.
      state.isKnown = state.address !== undefined;
    }
    return state;
  }

  #trusts(address: Address | undefined): boolean {
    if (address === undefined) return false;
    return this.#options.trustedProxies.some((prefix) => contains(prefix, address));
  }
}

function addressAt(text: string | undefined): Address | undefined {
  const zone = text?.indexOf("%") ?? -1;
  return text === undefined ? undefined : parseAddress(zone < 0 ? text : text.slice(0, zone));
}
