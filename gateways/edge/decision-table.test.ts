import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cellKey } from "../../domain/cell.ts";
import type { RouteDecision } from "../../schemas/generated/events.ts";
import { DecisionTable, none } from "./decision-table.ts";

function decision(cell: string, version: number, fractions: readonly number[]): RouteDecision {
  return {
    eventId: Buffer.alloc(16),
    eventMs: 0,
    logicVersion: 1,
    serviceId: "web",
    cell,
    version,
    candidates: fractions.map((fraction, index) => ({ nodeId: `N${index}`, fraction })),
    flagged: version % 2 === 1,
    reason: "",
    ttlSeconds: version,
  };
}

describe("the table of decisions", () => {
  it("is a map, whatever comes and goes", () => {
    const cell = fc.constantFrom("JP", "BR", "DE", "US/va", "JP/13/2516");
    const step = fc.oneof(
      fc.record({
        cell,
        fractions: fc.option(
          fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }),
          {
            nil: undefined,
          },
        ),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const table = new DecisionTable();
        const model = new Map<string, RouteDecision>();
        for (const [version, { cell: at, fractions }] of steps.entries()) {
          const key = cellKey(at, "web");
          const before = table.generation;
          const known = model.has(key);
          if (fractions === undefined) {
            table.remove(key);
            model.delete(key);
            expect(table.generation > before).toBe(known);
          } else {
            const put = decision(at, version, fractions);
            table.put(key, put);
            model.set(key, put);
            expect(table.generation > before).toBe(!known);
          }
        }
        expect([...table.keys()].sort()).toEqual([...model.keys()].sort());
        for (const [, expected] of model) {
          const entry = table.find(expected.cell, "web");
          expect(table.versionOf(entry)).toBe(expected.version);
          expect(table.isFlagged(entry)).toBe(expected.flagged);
          expect(table.ttlSecondsOf(entry)).toBe(expected.ttlSeconds);
          expect(table.candidatesOf(entry)).toEqual(expected.candidates);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("keeps its memory when decisions grow and shrink for long", () => {
    const table = new DecisionTable();
    for (let version = 0; version < 20_000; version++) {
      const count = 1 + (version % 30);
      table.put("", decision(`C${version % 50}`, version, new Array(count).fill(1 / count)));
      if (version % 7 === 0) table.remove(cellKey(`C${version % 50}`, "web"));
    }
    expect(table.size).toBeLessThanOrEqual(50);
    expect(table.find("C1", "web")).toBeLessThan(50);
  });

  it("does not mix services up", () => {
    const table = new DecisionTable();
    table.put("", { ...decision("JP", 1, [1]), serviceId: "video" });
    expect(table.find("JP", "web")).toBe(none);
    expect(table.find("JP", "video")).not.toBe(none);
    table.remove(cellKey("JP", "video"));
    expect(table.find("JP", "video")).toBe(none);
  });
});
