import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeScore } from "../../schemas/generated/events.ts";
import type { ScoreTable } from "../../sinks/scores/score-table.ts";
import { scoreOf } from "./score-of.ts";

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

const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

const anyScore: fc.Arbitrary<NodeScore> = fc.record({
  eventId: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  eventMs: fc.integer({ min: 0, max: 2 ** 52 }),
  logicVersion: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  nodeId: fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
  staticScore: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0),
  liveCostMs: double,
  learnedCorrectionMs: double,
  latencyMs: double,
  lossRatio: double,
  loadRatio: double,
  alive: fc.boolean(),
});

function apply(table: ScoreTable, { node, atMs, score }: Write): Promise<boolean> | boolean {
  return score === undefined
    ? table.remove(node, atMs)
    : table.put(node, scoreOf(node, score), atMs);
}

/** Opens empty tables: several views of one, as processes have them; `maxNodes` is the most that it takes. */
export type OpenTables = (options?: {
  readonly views?: number;
  readonly maxNodes?: number;
}) => Promise<readonly [ScoreTable, ...ScoreTable[]]>;

/** What every driver of the score table must do. */
export function describeScoreTable(name: string, openTables: OpenTables): void {
  const open = async (): Promise<ScoreTable> => (await openTables())[0];

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

    it("gives back every field as it was", async () => {
      const table = await open();
      await fc.assert(
        fc.asyncProperty(anyScore, async (score) => {
          await table.put(score.nodeId, score, 7);
          expect(await table.get(score.nodeId)).toEqual(score);
        }),
        { numRuns: 100 },
      );
    });

    it("breaks ties by the bytes of the name, also where they do not all fit", async () => {
      const table = await open();
      const names = ["b", "\u{1f600}", "a", "\uffed", "aa", "\u00e9"];
      for (const node of names) await table.put(node, scoreOf(node, 0.5), 1);
      await table.put("best", scoreOf("best", 1 / 3 + 0.5), 1);
      const order = ["best", "a", "aa", "b", "\u00e9", "\uffed", "\u{1f600}"];
      for (let count = 0; count <= order.length + 1; count++) {
        const best = await table.top(count);
        expect(best.map(({ nodeId }) => nodeId)).toEqual(order.slice(0, count));
      }
    });

    it("ends in the latest moment of each node when several writers race", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(write, { selector: ({ node, atMs }) => `${node} ${atMs}`, maxLength: 36 }),
          fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 36, maxLength: 36 }),
          async (writes, writers) => {
            const views = await openTables({ views: 3 });
            const racing = writes.map((each, i) =>
              apply(views[writers[i] as number] as ScoreTable, each),
            );
            await Promise.all(racing);
            for (const node of ["A", "B", "C"]) {
              const ofNode = writes.filter((each) => each.node === node);
              const last = ofNode.sort((a, b) => b.atMs - a.atMs)[0];
              for (const view of views) {
                expect((await view.get(node))?.staticScore).toBe(last?.score);
              }
            }
          },
        ),
        { numRuns: 100 },
      );
    });

    it("takes no new node when it is full, except in the place of one that was removed", async () => {
      const [table] = await openTables({ maxNodes: 2 });
      expect(await table.put("A", scoreOf("A", 0.1), 1)).toBe(true);
      expect(await table.put("B", scoreOf("B", 0.2), 1)).toBe(true);
      expect(await table.put("C", scoreOf("C", 0.3), 1)).toBe(false);
      expect(await table.put("A", scoreOf("A", 0.4), 2)).toBe(true);
      await table.remove("B", 3);
      expect(await table.put("C", scoreOf("C", 0.3), 1)).toBe(true);
      expect((await table.top(9)).map(({ nodeId }) => nodeId)).toEqual(["A", "C"]);
      expect(await table.size()).toBe(2);
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
