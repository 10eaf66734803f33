import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SnapshotSweep } from "./snapshot-sweep.ts";

const slots = 3;
const slotOf = (key: string): number => key.charCodeAt(0) % slots;
const keys = fc.uniqueArray(fc.constantFrom(..."abcdefghijkl"), { maxLength: 12 });

class Keys extends Set<string> {
  remove(key: string): void {
    this.delete(key);
  }
}

function snapshot(sweep: SnapshotSweep, view: Keys, slot: number, table: readonly string[]): void {
  sweep.begin(slot);
  for (const key of table.filter((one) => slotOf(one) === slot)) {
    sweep.sent(slot, key);
    view.add(key);
  }
  sweep.complete(slot);
}

describe("sweeps after snapshots", () => {
  it("a first round makes any view equal to the table, with a tail in between", () => {
    fc.assert(
      fc.property(keys, keys, keys, keys, (old, table, added, removed) => {
        const view = new Keys(old);
        const sweep = new SnapshotSweep({ slots, slotOf, view });
        const expected = new Set(table);
        for (let slot = 0; slot < slots; slot++) {
          snapshot(sweep, view, slot, table);
          for (const key of added.filter((one) => slotOf(one) === slot)) {
            sweep.sent(slot, key);
            view.add(key);
            expected.add(key);
          }
          for (const key of removed.filter((one) => slotOf(one) === slot)) {
            sweep.removed(slot, key);
            view.delete(key);
            expected.delete(key);
          }
        }
        expect([...view].sort()).toEqual([...expected].sort());
      }),
    );
  });

  it("later ones sweep their slot only, and a new log all", () => {
    fc.assert(
      fc.property(keys, keys, keys, (first, later, other) => {
        const view = new Keys();
        const sweep = new SnapshotSweep({ slots, slotOf, view });
        for (let slot = 0; slot < slots; slot++) snapshot(sweep, view, slot, first);
        expect([...view].sort()).toEqual([...first].sort());
        snapshot(sweep, view, 1, later);
        const mixed = [
          ...first.filter((key) => slotOf(key) !== 1),
          ...later.filter((key) => slotOf(key) === 1),
        ];
        expect([...view].sort()).toEqual(mixed.sort());
        sweep.restart();
        for (let slot = 0; slot < slots; slot++) snapshot(sweep, view, slot, other);
        expect([...view].sort()).toEqual([...other].sort());
      }),
    );
  });

  it("a snapshot that begins again before it was complete starts afresh", () => {
    const view = new Keys(["a", "d"]);
    const sweep = new SnapshotSweep({ slots, slotOf, view });
    for (let slot = 0; slot < slots; slot++) snapshot(sweep, view, slot, ["a", "d"]);
    sweep.begin(1);
    sweep.sent(1, "a");
    snapshot(sweep, view, 1, ["d"]);
    expect([...view]).toEqual(["d"]);
  });
});
