import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SinkLane } from "./sink-lane.ts";
import { parseOffsets, positionOf } from "./sink-positions.ts";

describe("SinkLane", () => {
  it("stands before the first unfinished record, in whatever order they finish", () => {
    // For each record when it finishes: at once (0), or later in the order of these numbers.
    const finishes = fc.array(fc.nat(50), { maxLength: 40 });
    fc.assert(
      fc.property(finishes, fc.nat(100), (order, start) => {
        const lane = new SinkLane("t", 0, start);
        const open: { offset: number; at: number; finish: () => void }[] = [];
        for (const [i, at] of order.entries()) {
          const next = start + i + 1;
          if (at === 0) lane.pass(next);
          else open.push({ offset: next - 1, at, finish: lane.take(next) });
        }
        const expected = (): number =>
          Math.min(start + order.length, ...open.map(({ offset }) => offset));
        expect(lane.position).toBe(expected());
        open.sort((a, b) => a.at - b.at);
        for (let next = open.shift(); next !== undefined; next = open.shift()) {
          next.finish();
          expect(lane.position).toBe(expected());
        }
        expect(lane.waiting).toBe(0);
      }),
    );
  });

  it("has no position inside a snapshot, and the tail's once all of it is finished", () => {
    const lane = new SinkLane("t", 0, 5);
    const before = lane.take(6);
    lane.restart();
    const first = lane.take(undefined);
    lane.pass(undefined);
    lane.pass(90);
    expect(lane.position).toBeUndefined();
    before();
    expect(lane.position).toBeUndefined();
    first();
    expect(lane.position).toBe(90);
  });
});

describe("a sink's position", () => {
  it("holds the offsets of 16 slots in 256 characters, and gives them back", () => {
    const offsets = fc.array(fc.option(fc.maxSafeNat(), { nil: undefined }), { maxLength: 16 });
    fc.assert(
      fc.property(offsets, (given) => {
        const position = positionOf(given);
        expect(position.length).toBeLessThanOrEqual(256);
        const parsed = parseOffsets(position);
        for (const [i, offset] of given.entries()) expect(parsed[i]).toBe(offset);
      }),
    );
    expect(positionOf([35, undefined, 0])).toBe("z,,0");
  });

  it("is refused when it is something else", () => {
    for (const text of ["a b", "-1", "1,2;3", "0".repeat(12), ",".repeat(16)]) {
      expect(() => parseOffsets(text)).toThrow(expect.objectContaining({ code: "OCDN_BAD_INPUT" }));
    }
  });
});
