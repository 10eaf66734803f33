import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeScore } from "../../schemas/generated/events.ts";
import type { ScoreTable } from "../../sinks/scores/score-table.ts";

/** A score of `nodeId` that was written at `eventMs`. */
export function scoreOf(nodeId: string, eventMs: number, staticScore: number): NodeScore {
  return {
    eventId: new Uint8Array(16),
    eventMs,
    logicVersion: 1,
    nodeId,
    staticScore,
    liveCostMs: 1,
    learnedCorrectionMs: 0,
    latencyMs: 10,
    lossRatio: 0,
    loadRatio: 0,
    alive: true,
  };
}

/** What every driver of the score table must do. */
export function describeScoreTable(name: string, open: () => Promise<ScoreTable>): void {
  describe(`score table: ${name}`, () => {
    it("gives back the score and the best nodes", async () => {
      const table = await open();
      await table.put("A", scoreOf("A", 1, 0.5));
      await table.put("B", scoreOf("B", 1, 0.9));
      await table.put("C", scoreOf("C", 1, 0.5));
      expect((await table.get("A"))?.staticScore).toBe(0.5);
      expect(await table.get("X")).toBeUndefined();
      expect((await table.top(2)).map((score) => score.nodeId)).toEqual(["B", "A"]);
      expect(await table.size()).toBe(3);
    });

    it("never lets an older write win, in whatever order they come", async () => {
      const write = fc.record({
        node: fc.constantFrom("A", "B"),
        eventMs: fc.integer({ min: 0, max: 20 }),
        score: fc.double({ min: 0, max: 1, noNaN: true }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(write, { maxLength: 30 }), async (writes) => {
          const table = await open();
          const newest = new Map<string, { eventMs: number; score: number }>();
          for (const { node, eventMs, score } of writes) {
            await table.put(node, scoreOf(node, eventMs, score));
            if (eventMs >= (newest.get(node)?.eventMs ?? 0)) newest.set(node, { eventMs, score });
          }
          for (const [node, { score }] of newest)
            expect((await table.get(node))?.staticScore).toBe(score);
        }),
        { numRuns: 50 },
      );
    });

    it("forgets a node that left, unless a newer score came", async () => {
      const table = await open();
      await table.put("A", scoreOf("A", 10, 0.5));
      await table.remove("A", 9);
      expect(await table.get("A")).toBeDefined();
      await table.remove("A", 10);
      expect(await table.get("A")).toBeUndefined();
    });
  });
}
