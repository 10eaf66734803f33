import type { Socket } from "node:net";
import type { Address } from "../../domain/address.ts";

/** What is known of one connection; filled in by whoever finds it out. */
export interface SocketState {
  /** Requests in this second. */
  second: number;
  count: number;
  /** The other end, once it was looked at. */
  isKnown: boolean;
  address: Address | undefined;
  /** A configured proxy. */
  isTrusted: boolean;
}

const state: unique symbol = Symbol("what is known of this connection");

interface StatefulSocket extends Socket {
  [state]?: SocketState;
}

/**
 * The state of a connection. It is one property, given to every socket when it connects: properties that come one
 * by one later would give sockets many shapes, and the runtime's own code is a third slower on those.
 */
export function socketState(socket: StatefulSocket): SocketState {
  let known = socket[state];
  if (known === undefined) {
    known = { second: 0, count: 0, isKnown: false, address: undefined, isTrusted: false };
    socket[state] = known;
  }
  return known;
}
