import { prohibitionOf } from "../../domain/permission.ts";
import type { Candidate } from "../../domain/weighted-pick.ts";
import { DecisionTable } from "./decision-table.ts";
import { NodeTable, OverlayTable, PolicyTable } from "./fleet-tables.ts";
import type { PersistentView } from "./persisted-views.ts";

/** The four tables that a redirect is made from, and what follows from them for a service and a country. */
export class Tables {
  readonly nodes: NodeTable = new NodeTable();
  readonly policies: PolicyTable = new PolicyTable();
  readonly overlay: OverlayTable = new OverlayTable();
  readonly decisions: DecisionTable = new DecisionTable();
  /** By service, then by country. */
  readonly #forbidden = new Map<string, Map<string, ReadonlySet<string>>>();
  #nodesSeen = -1;
  #policiesSeen = -1;
  #namesSeen = -1;
  #everybody: readonly Candidate[] = [];

  /** For a follower, the small ones first. */
  get views(): readonly PersistentView<never>[] {
    const views: unknown[] = [this.nodes, this.policies, this.overlay, this.decisions];
    return views as PersistentView<never>[];
  }

  /** Entries of all four. */
  get size(): number {
    return this.nodes.size + this.policies.size + this.overlay.size + this.decisions.size;
  }

  /** Empties all four: they are of another log. */
  clear(): void {
    for (const view of this.views) for (const key of [...view.keys()]) view.remove(key);
  }

  /** Nodes that may not serve clients of this country, or that no client can be sent to. */
  forbidden(serviceId: string, country: string): ReadonlySet<string> {
    this.#refresh();
    let byCountry = this.#forbidden.get(serviceId);
    if (byCountry === undefined) {
      byCountry = new Map();
      this.#forbidden.set(serviceId, byCountry);
    }
    let forbidden = byCountry.get(country);
    if (forbidden === undefined) {
      forbidden = this.#makeForbidden(serviceId, country);
      byCountry.set(country, forbidden);
    }
    return forbidden;
  }

  /** Every node by its capacity: for clients for whose cells nothing is decided yet. */
  everybody(): readonly Candidate[] {
    this.#refresh();
    return this.#everybody;
  }

  #refresh(): void {
    const nodesNow = this.nodes.generation;
    const policiesNow = this.policies.generation;
    const namesNow = this.decisions.nodeIds.length;
    if (
      nodesNow === this.#nodesSeen &&
      policiesNow === this.#policiesSeen &&
      namesNow === this.#namesSeen
    ) {
      return;
    }
    this.#nodesSeen = nodesNow;
    this.#policiesSeen = policiesNow;
    this.#namesSeen = namesNow;
    this.#forbidden.clear();
    const nodes = [...this.nodes.values()].sort((left, right) =>
      left.nodeId < right.nodeId ? -1 : 1,
    );
    const total = nodes.reduce((sum, node) => sum + node.capacityRps, 0);
    this.#everybody = nodes.map(({ nodeId, capacityRps }) => ({
      nodeId,
      fraction: total > 0 ? capacityRps / total : 1 / nodes.length,
    }));
  }

  #makeForbidden(serviceId: string, country: string): ReadonlySet<string> {
    const policy = this.policies.get(serviceId);
    const forbidden = new Set<string>();
    for (const nodeId of [...this.nodes.keys(), ...this.decisions.nodeIds]) {
      const node = this.nodes.get(nodeId);
      const mayServe =
        policy !== undefined &&
        node?.origin !== undefined &&
        prohibitionOf(policy, node, country) === undefined;
      if (!mayServe) forbidden.add(nodeId);
    }
    return forbidden;
  }
}
