import { maxClosedSessions } from "./limits.ts";

/**
 * What a node remembers of sessions that are over: ids that were closed in an orderly way or followed already.
 * Any other id of the fleet is one that its client lost, here or at a node that may be dead. Bounded: of more,
 * the oldest are forgotten.
 */
export class SessionHistory {
  readonly #over = new Set<string>();

  /** The session ended as both sides wished. */
  closed(sessionId: string): void {
    this.#over.add(sessionId);
    if (this.#over.size > maxClosedSessions) {
      const oldest = this.#over.values().next();
      if (oldest.done !== true) this.#over.delete(oldest.value);
    }
  }

  /** Whether a session that follows this one is a reconnect; each lost session counts once. */
  followsLost(previousId: string): boolean {
    if (this.#over.has(previousId)) return false;
    this.closed(previousId);
    return true;
  }
}
