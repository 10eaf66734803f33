import { describe, expect, it } from "vitest";
import { Freshness } from "./freshness.ts";

describe("freshness of tables", () => {
  it("is stale until it caught up, then while the engine is away for long", () => {
    let nowMs = 0;
    const freshness = new Freshness({ staleAfterMs: 3_000, nowMs: () => nowMs });
    expect([freshness.stale, freshness.connected]).toEqual([true, false]);
    freshness.reach(true);
    expect([freshness.stale, freshness.connected]).toEqual([true, true]);
    freshness.caughtUp();
    expect(freshness.stale).toBe(false);
    freshness.reach(false);
    nowMs = 2_000;
    freshness.reach(false);
    nowMs = 3_000;
    expect([freshness.stale, freshness.connected]).toEqual([false, false]);
    nowMs = 3_001;
    expect(freshness.stale).toBe(true);
    freshness.reach(true);
    expect(freshness.stale).toBe(false);
  });
});
