import type { RecordFault } from "./mrt-format.ts";
import type { UpdateFault } from "./update-fault.ts";

/**
 * What became of a part that was not sound: the record or message was skipped, its routes count as
 * withdrawn, or one attribute was left out.
 */
export type FaultEffect = "skipped" | "treatedAsWithdraw" | "attributeDiscarded";

export type FeedFault = RecordFault | UpdateFault | "tooManyPeers" | "listTooLong";

export interface FaultCount {
  readonly effect: FaultEffect;
  readonly reason: FeedFault;
  readonly count: number;
  /** Record of the first one, in bytes of the decompressed stream. */
  readonly firstOffset: number;
}

/** What a feed held, counted while it is read. */
export class MrtStats {
  records = 0;
  updates = 0;
  ribEntries = 0;
  /** Routes, those of RIB entries included. */
  announced = 0;
  withdrawn = 0;
  stateChanges = 0;
  /** OPEN, NOTIFICATION, KEEPALIVE and others that are no routes. */
  otherMessages = 0;
  /** Messages that the collector sent. */
  localMessages = 0;
  /** Messages or entries of families that are no unicast routes. */
  otherFamilies = 0;
  readonly #faults = new Map<string, { -readonly [K in keyof FaultCount]: FaultCount[K] }>();

  fault(effect: FaultEffect, reason: FeedFault, offset: number): void {
    const key = `${effect} ${reason}`;
    const known = this.#faults.get(key);
    if (known === undefined) {
      this.#faults.set(key, { effect, reason, count: 1, firstOffset: offset });
    } else {
      known.count++;
    }
  }

  /** Faults by effect and reason, in the order in which they first came. */
  faults(): readonly FaultCount[] {
    return [...this.#faults.values()];
  }
}
