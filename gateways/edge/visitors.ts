import type { IncomingMessage } from "node:http";
import type { Address } from "../../domain/address.ts";
import { formatBlock } from "../../domain/block.ts";
import type { GeoTable } from "../../domain/geo-table.ts";
import type { ClientReader } from "./client-reader.ts";
import type { Where } from "./edge-recorder.ts";
import { type RequestHead, readHead } from "./request-head.ts";
import type { ServiceFinder } from "./service-finder.ts";

/** A client as a node sees it. */
export interface Visitor {
  readonly address: Address;
  readonly block: string;
  readonly blockLength: number;
  readonly where: Where;
  /** The service that the Host header names; a token may name another. */
  readonly hostService: string | undefined;
}

export interface VisitorReaderOptions {
  readonly clients: ClientReader;
  readonly services: ServiceFinder;
  readonly geo: () => GeoTable;
}

/** Finds out who sends a request. */
export class VisitorReader {
  readonly #options: VisitorReaderOptions;
  readonly #head: RequestHead = { host: undefined, forwarded: undefined, forwardedFor: undefined };

  constructor(options: VisitorReaderOptions) {
    this.#options = options;
  }

  /** Undefined when the connection is gone. */
  read(request: IncomingMessage): Visitor | undefined {
    const { clients, services, geo } = this.#options;
    const head = readHead(request.rawHeaders, this.#head);
    const address = clients.addressOf(request.socket, head);
    if (address === undefined) return undefined;
    const table = geo();
    const { family, bytes } = address;
    const range = table.find(family, bytes);
    const blockLength = table.lengthOf(range, family, bytes);
    return {
      address,
      block: formatBlock(family, bytes, blockLength),
      blockLength,
      where: { cell: table.nameOf(table.cellOf(range)), decisionVersion: 0, overlaySequence: 0 },
      hostService: services.find(head.host),
    };
  }
}
