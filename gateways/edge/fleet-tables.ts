import { isTokenName } from "../../domain/token.ts";
import type { OverlayEntry } from "../../domain/weighted-pick.ts";
import { supersedes } from "../../domain/weighted-pick.ts";
import type { NodeInventory, NodeOverlay, ServicePolicy } from "../../schemas/generated/events.ts";
import type { Topic } from "../../streams/topic.ts";
import { nodeInventory, nodeOverlay, servicePolicies } from "../../streams/topics.ts";
import { hostOf } from "./host.ts";
import { maxNodes, maxServices } from "./limits.ts";
import type { PersistentView } from "./persisted-views.ts";
import { originOf } from "./request-target.ts";

/** A node as a gateway needs it. */
export interface FleetNode {
  readonly nodeId: string;
  readonly place: string;
  readonly country: string;
  readonly jurisdiction: string;
  /** `scheme://host:port`; undefined when its base URL is none or no token can name it: then it gets no clients. */
  readonly origin: string | undefined;
  readonly capacityRps: number;
  readonly synthetic: boolean;
  /** The record that all this is from. */
  readonly inventory: NodeInventory;
}

/** The nodes of the inventory. */
export class NodeTable implements PersistentView<NodeInventory> {
  readonly topic: Topic<NodeInventory> = nodeInventory;
  readonly #nodes = new Map<string, FleetNode>();
  #generation = 0;

  get size(): number {
    return this.#nodes.size;
  }

  /** Raised by every change. */
  get generation(): number {
    return this.#generation;
  }

  keys(): Iterable<string> {
    return this.#nodes.keys();
  }

  *entries(): Iterable<readonly [string, NodeInventory]> {
    for (const [nodeId, { inventory }] of this.#nodes) yield [nodeId, inventory];
  }

  values(): Iterable<FleetNode> {
    return this.#nodes.values();
  }

  get(nodeId: string): FleetNode | undefined {
    return this.#nodes.get(nodeId);
  }

  put(nodeId: string, node: NodeInventory): void {
    if (!this.#nodes.has(nodeId) && this.#nodes.size >= maxNodes) return;
    this.#generation += 1;
    this.#nodes.set(nodeId, {
      nodeId,
      place: node.place,
      country: node.country,
      jurisdiction: node.jurisdiction,
      origin: isTokenName(nodeId) ? originOf(node.baseUrl) : undefined,
      capacityRps: node.capacityRps,
      synthetic: node.synthetic,
      inventory: node,
    });
  }

  remove(nodeId: string): void {
    if (this.#nodes.delete(nodeId)) this.#generation += 1;
  }
}

/** The policies of the services, and which host name belongs to which. */
export class PolicyTable implements PersistentView<ServicePolicy> {
  readonly topic: Topic<ServicePolicy> = servicePolicies;
  readonly #policies = new Map<string, ServicePolicy>();
  readonly #byHost = new Map<string, string>();
  #generation = 0;

  get size(): number {
    return this.#policies.size;
  }

  /** Raised by every change. */
  get generation(): number {
    return this.#generation;
  }

  keys(): Iterable<string> {
    return this.#policies.keys();
  }

  entries(): Iterable<readonly [string, ServicePolicy]> {
    return this.#policies;
  }

  get(serviceId: string): ServicePolicy | undefined {
    return this.#policies.get(serviceId);
  }

  /** The service of a host name as `hostOf` gives it. */
  serviceOf(host: string): string | undefined {
    return this.#byHost.get(host);
  }

  put(serviceId: string, policy: ServicePolicy): void {
    // A service that no token can name has no clients.
    if (!isTokenName(serviceId)) return;
    if (!this.#policies.has(serviceId) && this.#policies.size >= maxServices) return;
    this.#policies.set(serviceId, policy);
    this.#changed();
  }

  remove(serviceId: string): void {
    if (this.#policies.delete(serviceId)) this.#changed();
  }

  /** Where two services claim one name, the first by service id has it, on every gateway alike. */
  #changed(): void {
    this.#generation += 1;
    this.#byHost.clear();
    for (const serviceId of [...this.#policies.keys()].sort()) {
      for (const name of this.#policies.get(serviceId)?.hostnames ?? []) {
        const host = hostOf(name);
        if (host !== undefined && !this.#byHost.has(host)) this.#byHost.set(host, serviceId);
      }
    }
  }
}

/** The overlay: what must act at once. Entries that an older writer sent late do not count. */
export class OverlayTable implements PersistentView<NodeOverlay> {
  readonly topic: Topic<NodeOverlay> = nodeOverlay;
  readonly #entries = new Map<string, OverlayEntry>();

  get size(): number {
    return this.#entries.size;
  }

  /** For `pick`. */
  get byNode(): ReadonlyMap<string, OverlayEntry> {
    return this.#entries;
  }

  keys(): Iterable<string> {
    return this.#entries.keys();
  }

  *entries(): Iterable<readonly [string, NodeOverlay]> {
    for (const [nodeId, entry] of this.#entries) {
      yield [nodeId, { ...emptyHeader(), nodeId, ...entry, reason: "" }];
    }
  }

  put(nodeId: string, overlay: NodeOverlay): void {
    const { alive, draining, multiplier, epoch, sequence } = overlay;
    const current = this.#entries.get(nodeId);
    if (current === undefined && this.#entries.size >= maxNodes) return;
    const entry = { alive, draining, multiplier, epoch, sequence };
    if (supersedes(entry, current)) this.#entries.set(nodeId, entry);
  }

  remove(nodeId: string): void {
    this.#entries.delete(nodeId);
  }
}

/** For records that are written down from a view, which does not keep these. */
export function emptyHeader(): Pick<NodeOverlay, "eventId" | "eventMs" | "logicVersion"> {
  return { eventId: Buffer.alloc(16), eventMs: 0, logicVersion: 0 };
}
