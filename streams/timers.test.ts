import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PackedStore } from "./packed-store.ts";
import { Timers, utf8Before } from "./timers.ts";

describe("the order of timers", () => {
  it("is the byte order of UTF-8 for any well-formed keys", () => {
    const key = fc.string({ unit: "binary", maxLength: 6 });
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(utf8Before(a, b)).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0);
      }),
      { numRuns: 2_000 },
    );
    expect(utf8Before("\u{1f5fc}", "\uffff")).toBe(false);
  });
});

describe("timers", () => {
  const entry = fc.record({
    key: fc.constantFrom("a", "b", "c", "\u{1f5fc}"),
    atMs: fc.integer({ min: 0, max: 20 }),
  });

  it("come in (time, key) order, each once, also after a rebuild", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40 }), fc.boolean(), (entries, rebuilt) => {
        const store = new PackedStore("timers");
        const timers = new Timers(store, 1);
        for (const { key, atMs } of entries) timers.schedule(0, key, atMs);
        const used = rebuilt ? new Timers(store, 1) : timers;
        if (rebuilt) used.rebuild();
        const fired: string[] = [];
        for (let due = used.takeDue(0, 10); due !== undefined; due = used.takeDue(0, 10)) {
          fired.push(`${String(due.atMs).padStart(2, "0")} ${due.key}`);
        }
        const expected = new Set(
          entries
            .filter(({ atMs }) => atMs <= 10)
            .map(({ key, atMs }) => `${String(atMs).padStart(2, "0")} ${key}`),
        );
        expect(fired).toEqual([...expected].sort((a, b) => (utf8Before(a, b) ? -1 : 1)));
      }),
    );
  });
});
