import { describe, expect, it } from "vitest";
import { describeScoreTable, scoreOf } from "../../test/conformance/score-table.ts";
import { MemoryScoreTable } from "./score-table.ts";

describeScoreTable("memory", async () => new MemoryScoreTable());

describe("a full score table in memory", () => {
  it("takes no new node, except in the place of one that was removed", () => {
    const table = new MemoryScoreTable(2);
    expect(table.put("A", scoreOf("A", 0.1), 1)).toBe(true);
    expect(table.put("B", scoreOf("B", 0.2), 1)).toBe(true);
    expect(table.put("C", scoreOf("C", 0.3), 1)).toBe(false);
    expect(table.put("A", scoreOf("A", 0.4), 2)).toBe(true);
    table.remove("B", 3);
    expect(table.put("C", scoreOf("C", 0.3), 1)).toBe(true);
    expect(table.top(9).map(({ nodeId }) => nodeId)).toEqual(["A", "C"]);
    expect(table.size()).toBe(2);
  });
});
