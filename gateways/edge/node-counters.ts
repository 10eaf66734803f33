import type { NodeMetrics } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import { HostMetrics, type MetricsScope } from "../site/host-metrics.ts";

/** Counts what happens at a node over an interval, and adds what the host says. */
export class NodeCounters {
  readonly #node: { readonly nodeId: string; readonly synthetic: boolean };
  readonly #host: HostMetrics;
  #sinceMs = performance.now();
  #connects = 0;
  #reconnects = 0;
  #requests = 0;
  #bytesSent = 0;

  constructor(node: { readonly nodeId: string; readonly synthetic: boolean }, scope: MetricsScope) {
    this.#node = node;
    this.#host = new HostMetrics(scope);
  }

  request(bytesSent: number): void {
    this.#requests += 1;
    this.#bytesSent += bytesSent;
  }

  connect(reconnected: boolean): void {
    if (reconnected) this.#reconnects += 1;
    else this.#connects += 1;
  }

  /** A session ended, having been sent so much. */
  sessionEnded(bytesSent: number): void {
    this.#bytesSent += bytesSent;
  }

  /** The interval since the last call, as an event; begins anew. */
  take(connections: number): Emitted<NodeMetrics> {
    const nowMs = performance.now();
    const event: Emitted<NodeMetrics> = {
      ...this.#node,
      ...this.#host.take(),
      connections,
      connects: this.#connects,
      reconnects: this.#reconnects,
      requests: this.#requests,
      bytesSent: this.#bytesSent,
      intervalMs: Math.max(1, Math.round(nowMs - this.#sinceMs)),
    };
    this.#sinceMs = nowMs;
    this.#connects = 0;
    this.#reconnects = 0;
    this.#requests = 0;
    this.#bytesSent = 0;
    return event;
  }

  close(): void {
    this.#host.close();
  }
}
