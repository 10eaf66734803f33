import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ViewKeys } from "./view-keys.ts";

const key = fc.constantFrom("a", "b", "c", "d", "e");

describe("the keys of a view", () => {
  it("follow a table whatever of it is missed between two snapshots", () => {
    const seen = fc.record({ key, removed: fc.boolean() });
    const round = fc.record({ tail: fc.array(seen), table: fc.uniqueArray(key) });
    fc.assert(
      fc.property(fc.array(round, { maxLength: 6 }), (rounds) => {
        const keys = new ViewKeys();
        const view = new Set<string>();
        for (const { tail, table } of rounds) {
          for (const { key: name, removed } of tail) {
            keys.took(1, name, !removed);
            if (removed) view.delete(name);
            else view.add(name);
          }
          keys.begin(1);
          for (const name of table) {
            keys.took(1, name, true);
            view.add(name);
          }
          for (const name of keys.complete(1)) expect(view.delete(name)).toBe(true);
          expect(view).toEqual(new Set(table));
        }
        expect(new Set(keys.takeAll().map((held) => held.key))).toEqual(view);
        expect(keys.takeAll()).toEqual([]);
      }),
    );
  });

  it("keeps slots apart, and forgets a snapshot that begins again", () => {
    const keys = new ViewKeys();
    keys.took(0, "a", true);
    keys.took(1, "b", true);
    keys.begin(1);
    keys.took(1, "c", true);
    keys.begin(1);
    keys.took(1, "b", true);
    expect(keys.complete(1)).toEqual(["c"]);
    expect(keys.takeAll()).toEqual([
      { slot: 0, key: "a" },
      { slot: 1, key: "b" },
    ]);
  });

  it("takes the end of a snapshot that never began for nothing", () => {
    const keys = new ViewKeys();
    keys.took(0, "a", true);
    expect(keys.complete(0)).toEqual([]);
  });
});
