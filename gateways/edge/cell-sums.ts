import { cellCountry } from "../../domain/cell.ts";
import type { CellRequests } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import { maxCellsPerSecond } from "./limits.ts";

interface NodeSum {
  readonly nodeId: string;
  requests: number;
  bytesSent: number;
}

interface CellSum {
  readonly cell: string;
  readonly serviceId: string;
  readonly nodes: NodeSum[];
}

/**
 * Sums the requests of an interval by cell, service and node. Cells over the bound are summed under their
 * country, so that demand is never lost, only coarser.
 */
export class CellSums {
  readonly #gatewayId: string;
  readonly #byService = new Map<string, Map<string, CellSum>>();
  #count = 0;

  constructor(gatewayId: string) {
    this.#gatewayId = gatewayId;
  }

  add(cell: string, serviceId: string, nodeId: string, bytesSent: number): void {
    const sum = this.#sumOf(cell, serviceId);
    for (const node of sum.nodes) {
      if (node.nodeId === nodeId) {
        node.requests += 1;
        node.bytesSent += bytesSent;
        return;
      }
    }
    sum.nodes.push({ nodeId, requests: 1, bytesSent });
  }

  /** The sums since the last call, as events; begins anew. */
  take(intervalMs: number): Emitted<CellRequests>[] {
    const events: Emitted<CellRequests>[] = [];
    for (const sums of this.#byService.values()) {
      for (const { cell, serviceId, nodes } of sums.values()) {
        events.push({ cell, gatewayId: this.#gatewayId, serviceId, intervalMs, nodes });
      }
      sums.clear();
    }
    this.#count = 0;
    return events;
  }

  #sumOf(cell: string, serviceId: string): CellSum {
    let sums = this.#byService.get(serviceId);
    if (sums === undefined) {
      sums = new Map();
      this.#byService.set(serviceId, sums);
    }
    const known = sums.get(cell);
    if (known !== undefined) return known;
    const name = this.#count < maxCellsPerSecond ? cell : cellCountry(cell);
    let sum = sums.get(name);
    if (sum === undefined) {
      sum = { cell: name, serviceId, nodes: [] };
      sums.set(name, sum);
      this.#count += 1;
    }
    return sum;
  }
}
