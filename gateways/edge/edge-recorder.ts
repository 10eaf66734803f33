import { randomBytes } from "node:crypto";
import type { EdgeAction, EdgeEvent } from "../../schemas/generated/events.ts";
import type { Emitted } from "../../streams/processor.ts";
import type { EventProducer } from "../../streams/producer.ts";
import { edgeEvents } from "../../streams/topics.ts";
import type { Route } from "./router.ts";

type WritableEvent = { -readonly [Field in keyof Emitted<EdgeEvent>]: Emitted<EdgeEvent>[Field] };

/** What happened, beside the route that it happened on. */
export interface Happening {
  readonly action: EdgeAction;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly sessionId: string;
  readonly block: string;
  readonly reason: string;
  readonly status: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly stale: boolean;
}

/** A happening that is filled again and again. */
export type WritableHappening = { -readonly [Field in keyof Happening]: Happening[Field] };

/** Where the client is, and what was used to route it. */
export type Where = Pick<Route, "cell" | "decisionVersion" | "overlaySequence">;

export interface EdgeRecorderOptions {
  /** Gateway or node that sees it. */
  readonly seenBy: string;
  readonly synthetic: boolean;
  readonly nowMs: () => number;
}

/**
 * Writes `edge.events.v1`. The event is one object that is used again, since the producer encodes it at once.
 * While the log was never reached events are counted and given up: there is no log to hold them for.
 */
export class EdgeRecorder {
  readonly #nowMs: () => number;
  readonly #event: WritableEvent;
  readonly #start = randomBytes(6).toString("base64url");
  #producer: EventProducer | undefined;
  #count = 0;
  #lost = 0;

  constructor({ seenBy, synthetic, nowMs }: EdgeRecorderOptions) {
    this.#nowMs = nowMs;
    this.#event = emptyEvent(seenBy, synthetic);
  }

  /** Events that no log took. */
  get lost(): number {
    return this.#lost;
  }

  attach(producer: EventProducer): void {
    this.#producer = producer;
  }

  /** An opaque id for what has no session: unique, and says nothing about the client. */
  nextId(): string {
    this.#count += 1;
    return `${this.#start}.${this.#count.toString(36)}`;
  }

  record(happening: Happening, where: Where, geoHash: string): void {
    if (this.#producer === undefined) {
      this.#lost += 1;
      return;
    }
    const event = this.#event;
    event.sessionId = happening.sessionId;
    event.action = happening.action;
    event.nodeId = happening.nodeId;
    event.serviceId = happening.serviceId;
    event.cell = where.cell;
    event.block = happening.block;
    event.decisionVersion = where.decisionVersion;
    event.overlaySequence = where.overlaySequence;
    event.geoHash = geoHash;
    event.reason = happening.reason;
    event.status = happening.status;
    event.bytesSent = happening.bytesSent;
    event.durationMs = happening.durationMs;
    event.stale = happening.stale;
    if (!this.#producer.send(edgeEvents, event.sessionId, event, this.#nowMs())) this.#lost += 1;
  }
}

function emptyEvent(gatewayId: string, synthetic: boolean): WritableEvent {
  return {
    sessionId: "",
    action: "REDIRECTED",
    gatewayId,
    nodeId: "",
    serviceId: "",
    cell: "",
    block: "",
    decisionVersion: 0,
    overlaySequence: 0,
    geoHash: "",
    reason: "",
    status: 0,
    bytesSent: 0,
    durationMs: 0,
    stale: false,
    synthetic,
  };
}
