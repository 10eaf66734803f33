import { createSecretKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TokenKey } from "../../domain/token.ts";
import { maxClosedSessions } from "./limits.ts";
import { SessionHistory } from "./session-history.ts";
import { isSessionId, newSessionId } from "./session-ids.ts";

function keyOf(id: string, fill: number): TokenKey {
  return { id, secret: createSecretKey(Buffer.alloc(32, fill)), notBeforeMs: 0, notAfterMs: 1 };
}

describe("session ids", () => {
  const keys = [keyOf("old", 1), keyOf("new", 2)];

  it("are known by every key of the ring, and are never the same", () => {
    const ids = keys.map((key) => newSessionId(key));
    expect(ids.every((id) => isSessionId(id, keys))).toBe(true);
    expect(new Set([...ids, newSessionId(keys[0] as TokenKey)]).size).toBe(3);
  });

  it("cannot be made without a key", () => {
    const good = newSessionId(keys[0] as TokenKey);
    expect(isSessionId(newSessionId(keyOf("old", 9)), keys)).toBe(false);
    expect(isSessionId(newSessionId(keyOf("gone", 1)), keys)).toBe(false);
    const change = fc.record({
      at: fc.nat({ max: good.length - 1 }),
      by: fc.constantFrom(..."Az09-_."),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          change.map(({ at, by }) => good.slice(0, at) + by + good.slice(at + 1)),
        ),
        (text) => {
          fc.pre(text !== good);
          expect(isSessionId(text, keys)).toBe(false);
        },
      ),
    );
  });
});

describe("what a node remembers of sessions", () => {
  it("a lost one is followed once, a closed one never", () => {
    const history = new SessionHistory();
    history.closed("closed");
    expect(history.followsLost("closed")).toBe(false);
    expect(history.followsLost("lost")).toBe(true);
    expect(history.followsLost("lost")).toBe(false);
  });

  it("is bounded, the oldest go first", () => {
    const history = new SessionHistory();
    for (let count = 0; count <= maxClosedSessions; count++) history.closed(`s${count}`);
    expect(history.followsLost(`s${maxClosedSessions}`)).toBe(false);
    expect(history.followsLost("s1")).toBe(false);
    expect(history.followsLost("s0")).toBe(true);
  });
});
