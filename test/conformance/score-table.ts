import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeScore } from "../../schemas/generated/events.ts";
import type { ScoreTable } from "../../sinks/scores/score-table.ts";

/** A score of `nodeId`. */
export function scoreOf(nodeId: string, staticScore: number): NodeScore {
  return {
    eventId: new Uint8Array(16),
    eventMs: 1,
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

interface Write {
  readonly node: string;
  readonly atMs: number;
  /** Undefined: a removal. */
  readonly score: number | undefined;
}

const write: fc.Arbitrary<Write> = fc.record({
  node: fc.constantFrom("A", "B", "C"),
  atMs: fc.integer({ min: 0, max: 12 }),
  score: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
});

function apply(table: ScoreTable, { node, atMs, score }: Write): Promise<boolean> | boolean {
  return score === undefined
    ? table.remove(node, atMs)
    : table.put(node, scoreOf(node, score), atMs);
}

/** What every driver of the score table must do. */
export function describeScoreTable(name: string, open: () => Promise<ScoreTable>): void {
  describe(`score table: ${name}`, () => {
    it("gives back the score and the best nodes", async () => {
      const table = await open();
      expect(await table.put("A", scoreOf("A", 0.5), 1)).toBe(true);
      await table.put("B", scoreOf("B", 0.9), 1);
      await table.put("C", scoreOf("C", 0.5), 1);
      expect((await table.get("A"))?.staticScore).toBe(0.5);
      expect(await table.get("X")).toBeUndefined();
      expect((await table.top(2)).map((score) => score.nodeId)).toEqual(["B", "A"]);
      expect(await table.size()).toBe(3);
    });

    it("keeps the write of the latest moment, in whatever order writes come", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(write, { maxLength: 40 }), async (writes) => {
          const table = await open();
          const latest = new Map<string, Write>();
          for (const each of writes) {
            const isLatest = each.atMs >= (latest.get(each.node)?.atMs ?? 0);
            if (isLatest) latest.set(each.node, each);
            expect(await apply(table, each)).toBe(isLatest);
          }
          const there = [...latest.values()].filter(({ score }) => score !== undefined);
          for (const { node, score } of latest.values()) {
            expect((await table.get(node))?.staticScore).toBe(score);
          }
          expect(await table.size()).toBe(there.length);
          const best = there
            .sort((a, b) => (b.score ?? 0) - (a.score ?? 0) || (a.node < b.node ? -1 : 1))
            .map(({ node }) => node);
          expect((await table.top(2)).map(({ nodeId }) => nodeId)).toEqual(best.slice(0, 2));
        }),
        { numRuns: 200 },
      );
    });

    it("lets no old write bring back a node that was removed", async () => {
      const table = await open();
      await table.put("A", scoreOf("A", 0.5), 10);
      await table.remove("A", 11);
      expect(await table.put("A", scoreOf("A", 0.9), 10)).toBe(false);
      expect(await table.get("A")).toBeUndefined();
      expect(await table.size()).toBe(0);
    });
  });
}
