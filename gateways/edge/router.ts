import type { AddressFamily } from "../../domain/address.ts";
import { cellCountry } from "../../domain/cell.ts";
import type { GeoTable } from "../../domain/geo-table.ts";
import {
  type Candidate,
  hashBlock,
  type PickReason,
  pick,
  type RefusalReason,
} from "../../domain/weighted-pick.ts";
import { none } from "./decision-table.ts";
import type { Tables } from "./tables.ts";

/** `NO_DECISION`: nothing is decided for the client's cells; by capacity. `NOT_READY`: no tables yet. */
export type RouteReason =
  | PickReason
  | RefusalReason
  | "NO_DECISION"
  | "NOT_READY"
  | "UNKNOWN_SERVICE";

/** Where a client goes, and everything that an event, a header or an explanation says about it. */
export interface Route {
  /** Origin of the node's URL; undefined when refused. */
  readonly origin: string | undefined;
  /** Empty when refused. */
  readonly nodeId: string;
  readonly reason: RouteReason;
  /** The client's own, narrowest cell. */
  readonly cell: string;
  readonly country: string;
  readonly blockLength: number;
  /** Cell whose decision was used; empty when none was. */
  readonly decisionCell: string;
  readonly decisionVersion: number;
  readonly overlaySequence: number;
  /** The decision is a last good one that was kept. */
  readonly flagged: boolean;
}

type WritableRoute = { -readonly [Field in keyof Route]: Route[Field] };

/** Not looked up yet. */
const unknown = -2;

/**
 * Turns a client's address into a node: block and cell by the geo table, the narrowest decision on the way up
 * from the cell, hard masks by the client's own country, then `pick`. Pure but for its caches, which follow the
 * tables. The returned route is one object, used again by the next call.
 */
export class Router {
  readonly #tables: Tables;
  #geo: GeoTable;
  /** By service: by cell the entry of the decision that holds, `none`, or `unknown`. */
  readonly #deciding = new Map<string, Int32Array>();
  #decisionsSeen = -1;
  readonly #route: WritableRoute = emptyRoute();

  constructor(tables: Tables, geo: GeoTable) {
    this.#tables = tables;
    this.#geo = geo;
  }

  get geo(): GeoTable {
    return this.#geo;
  }

  /** Replaces the geo table by a reloaded one. */
  useGeo(geo: GeoTable): void {
    this.#geo = geo;
    this.#deciding.clear();
  }

  /** The route of the address in `bytes` (4 or 16) for a service. */
  route(serviceId: string, family: AddressFamily, bytes: Uint8Array): Route {
    const route = this.#route;
    const geo = this.#geo;
    const range = geo.find(family, bytes);
    const cell = geo.cellOf(range);
    const length = geo.lengthOf(range, family, bytes);
    const { countries, country } = geo.arrays;
    route.cell = geo.nameOf(cell);
    route.country = countries[country[cell] as number] ?? "ZZ";
    route.blockLength = length;
    route.origin = undefined;
    route.nodeId = "";
    route.decisionCell = "";
    route.decisionVersion = 0;
    route.overlaySequence = 0;
    route.flagged = false;
    if (this.#tables.nodes.size === 0) return this.#refuse("NOT_READY");
    if (this.#tables.policies.get(serviceId) === undefined) return this.#refuse("UNKNOWN_SERVICE");
    this.#choose(serviceId, cell, hashBlock(family, bytes, length));
    return route;
  }

  #choose(serviceId: string, cell: number, blockHash: number): void {
    const route = this.#route;
    const entry = this.#entryOf(serviceId, cell);
    if (entry === none) {
      this.#pick(serviceId, this.#tables.everybody(), blockHash, true);
      return;
    }
    const { decisions } = this.#tables;
    route.decisionCell = decisions.cellOf(entry);
    route.decisionVersion = decisions.versionOf(entry);
    route.flagged = decisions.isFlagged(entry);
    this.#pick(serviceId, decisions.candidatesOf(entry), blockHash, false);
    if (route.origin !== undefined || cellCountry(route.decisionCell) === route.country) return;
    // A wider cell's decision names no node that may serve this country: it says nothing about those that may.
    this.#pick(serviceId, this.#tables.everybody(), blockHash, true);
  }

  #pick(
    serviceId: string,
    candidates: readonly Candidate[],
    blockHash: number,
    undecided: boolean,
  ): void {
    const route = this.#route;
    const forbidden = this.#tables.forbidden(serviceId, route.country);
    const picked = pick(candidates, this.#tables.overlay.byNode, blockHash, forbidden);
    if (picked.kind === "refused") {
      this.#refuse(picked.reason);
      return;
    }
    route.nodeId = picked.nodeId;
    route.origin = this.#tables.nodes.get(picked.nodeId)?.origin;
    route.overlaySequence = picked.entry?.sequence ?? 0;
    route.reason = undecided && picked.reason === "FRACTION" ? "NO_DECISION" : picked.reason;
    if (undecided) {
      route.decisionCell = "";
      route.decisionVersion = 0;
      route.flagged = false;
    }
  }

  #refuse(reason: RouteReason): Route {
    this.#route.reason = reason;
    return this.#route;
  }

  /** The narrowest decision for the service, from this cell upwards. */
  #entryOf(serviceId: string, cell: number): number {
    const { decisions } = this.#tables;
    if (decisions.generation !== this.#decisionsSeen) {
      this.#decisionsSeen = decisions.generation;
      for (const cells of this.#deciding.values()) cells.fill(unknown);
    }
    let cells = this.#deciding.get(serviceId);
    if (cells === undefined) {
      cells = new Int32Array(this.#geo.cellCount).fill(unknown);
      this.#deciding.set(serviceId, cells);
    }
    const known = cells[cell] as number;
    if (known !== unknown) return known;
    const found = this.#findUpwards(serviceId, cell);
    cells[cell] = found;
    return found;
  }

  #findUpwards(serviceId: string, from: number): number {
    const { decisions } = this.#tables;
    for (let cell = from; ; cell = this.#geo.parentOf(cell)) {
      const entry = decisions.find(this.#geo.nameOf(cell), serviceId);
      if (entry !== none || cell === 0) return entry;
    }
  }
}

function emptyRoute(): WritableRoute {
  return {
    origin: undefined,
    nodeId: "",
    reason: "NOT_READY",
    cell: "",
    country: "",
    blockLength: 0,
    decisionCell: "",
    decisionVersion: 0,
    overlaySequence: 0,
    flagged: false,
  };
}
