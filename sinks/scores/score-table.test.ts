import { describeScoreTable } from "../../test/conformance/score-table.ts";
import { MemoryScoreTable, type ScoreTable } from "./score-table.ts";

describeScoreTable("memory", async ({ views = 1, maxNodes } = {}) => {
  const table = new MemoryScoreTable(maxNodes);
  const more: ScoreTable[] = Array.from({ length: views - 1 }, () => table);
  return [table, ...more];
});
