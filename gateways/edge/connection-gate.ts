import type { Socket } from "node:net";
import { parseAddressInto } from "../../domain/address.ts";
import { maxConnectionRatePerAddress, maxConnectionsPerAddress } from "./limits.ts";

interface Entry {
  open: number;
  openedThisSecond: number;
}

export interface ConnectionGateOptions {
  /** Connections of these addresses are not counted: the configured proxies. */
  readonly isTrusted: (address: string) => boolean;
  readonly maxOpen?: number;
  readonly maxRate?: number;
}

/**
 * Counts connections per client address (an IPv6 client is its /64) and refuses what is over the bound: at most
 * so many open, at most so many new ones a second. Memory is bounded by the connections of the last second.
 */
export class ConnectionGate {
  readonly #entries = new Map<string, Entry>();
  readonly #isTrusted: (address: string) => boolean;
  readonly #maxOpen: number;
  readonly #maxRate: number;
  #refused = 0;

  constructor(options: ConnectionGateOptions) {
    this.#isTrusted = options.isTrusted;
    this.#maxOpen = options.maxOpen ?? maxConnectionsPerAddress;
    this.#maxRate = options.maxRate ?? maxConnectionRatePerAddress;
  }

  /** Connections refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes a connection into account, or destroys it and gives false. */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress;
    if (address === undefined) {
      socket.destroy();
      return false;
    }
    if (this.#isTrusted(address)) return true;
    const client = clientOf(address);
    const entry = this.#entries.get(client) ?? { open: 0, openedThisSecond: 0 };
    if (entry.open >= this.#maxOpen || entry.openedThisSecond >= this.#maxRate) {
      this.#refused += 1;
      socket.destroy();
      return false;
    }
    entry.open += 1;
    entry.openedThisSecond += 1;
    this.#entries.set(client, entry);
    socket.once("close", () => {
      entry.open -= 1;
    });
    return true;
  }

  /** Begins a new second; to be called once a second. */
  nextSecond(): void {
    for (const [client, entry] of this.#entries) {
      entry.openedThisSecond = 0;
      if (entry.open === 0) this.#entries.delete(client);
    }
  }
}

const scratch = new Uint8Array(16);

function clientOf(address: string): string {
  const family = parseAddressInto(address, scratch);
  if (family !== 6) return address;
  let text = "";
  for (let at = 0; at < 8; at++) text += (scratch[at] as number).toString(16).padStart(2, "0");
  return text;
}
