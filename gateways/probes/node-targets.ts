import type { NodeInventory } from "../../schemas/generated/events.ts";
import type { Topic } from "../../streams/topic.ts";
import { nodeInventory } from "../../streams/topics.ts";
import type { TableView } from "../site/table-follower.ts";
import type { ProxyTarget } from "./latency-proxy.ts";
import { maxTargets } from "./limits.ts";

/** Path of a node's health answer. */
export const healthPath = "/_opencdn/health";

interface Target {
  readonly url: URL;
  readonly proxied: ProxyTarget;
}

/** The nodes of the inventory that can be asked over HTTP. */
export class NodeTargets implements TableView<NodeInventory> {
  readonly topic: Topic<NodeInventory> = nodeInventory;
  readonly #targets = new Map<string, Target>();
  readonly #urls = new Map<string, URL>();

  get size(): number {
    return this.#targets.size;
  }

  /** Health URL by node. */
  get urls(): ReadonlyMap<string, URL> {
    return this.#urls;
  }

  keys(): Iterable<string> {
    return this.#targets.keys();
  }

  put(nodeId: string, node: NodeInventory): void {
    if (!this.#targets.has(nodeId) && this.#targets.size >= maxTargets) return;
    if (!URL.canParse(healthPath, node.baseUrl)) {
      this.remove(nodeId);
      return;
    }
    const url = new URL(healthPath, node.baseUrl);
    const standardPort = url.protocol === "https:" ? 443 : 80;
    const proxied = {
      host: url.hostname,
      port: url.port === "" ? standardPort : Number(url.port),
      latitude: node.latitude,
      longitude: node.longitude,
    };
    this.#targets.set(nodeId, { url, proxied });
    this.#urls.set(nodeId, url);
  }

  remove(nodeId: string): void {
    this.#targets.delete(nodeId);
    this.#urls.delete(nodeId);
  }

  /** The node as the delay proxy reaches it. */
  proxied(nodeId: string): ProxyTarget | undefined {
    return this.#targets.get(nodeId)?.proxied;
  }
}
