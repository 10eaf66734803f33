import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RunningHash } from "./running-hash.ts";

interface Pair {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

const pairs = fc.array(
  fc.record({
    key: fc.uint8Array({ maxLength: 40 }),
    value: fc.option(fc.uint8Array({ maxLength: 70 }), { nil: undefined }),
  }),
  { maxLength: 12 },
);

/** Each pair lies in a buffer of its own: `before` bytes, the key, `between` bytes, the value. */
function hashOf(
  list: readonly Pair[],
  before: number = 3,
  between: number = 0,
): { digest: string; checks: number[] } {
  const hash = new RunningHash();
  const checks: number[] = [];
  for (const { key, value } of list) {
    const keyEnd = before + key.length;
    const start = keyEnd + between;
    const bytes = new Uint8Array(start + (value?.length ?? 0) + 2).fill(0xaa);
    bytes.set(key, before);
    if (value !== undefined) bytes.set(value, start);
    const view = new DataView(bytes.buffer);
    if (value === undefined) hash.add(view, before, keyEnd, -1, -1);
    else hash.add(view, before, keyEnd, start, start + value.length);
    checks.push(hash.check());
  }
  return { digest: Buffer.from(hash.digest()).toString("hex"), checks };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("the running hash", () => {
  it("depends on the records and not on where they lie, and begins anew after a reset", () => {
    fc.assert(
      fc.property(pairs, fc.nat(9), fc.nat(9), (list, before, between) => {
        expect(hashOf(list, before, between)).toEqual(hashOf(list));
      }),
    );
    const hash = new RunningHash();
    const fresh = Buffer.from(hash.digest());
    hash.add(new DataView(new ArrayBuffer(8)), 0, 4, 4, 8);
    expect(Buffer.from(hash.digest()).equals(fresh)).toBe(false);
    hash.reset();
    expect(hash.count).toBe(0);
    expect(Buffer.from(hash.digest()).equals(fresh)).toBe(true);
  });

  it("depends on the numbers among the records and on their order", () => {
    const record = new DataView(new ArrayBuffer(8));
    const digest = (steps: readonly (number | "record")[]): string => {
      const hash = new RunningHash();
      for (const step of steps) {
        if (step === "record") hash.add(record, 0, 4, 4, 8);
        else hash.addNumber(step);
      }
      return Buffer.from(hash.digest()).toString("hex");
    };
    const seen = new Set([
      digest(["record"]),
      digest([0, "record"]),
      digest([1, "record"]),
      digest(["record", 1]),
      digest([1, 0, "record"]),
      digest([0, 1, "record"]),
    ]);
    expect(seen.size).toBe(6);
  });

  it("sees every flipped bit, and every check after it differs by chance at most", () => {
    let missed = 0;
    let checked = 0;
    fc.assert(
      fc.property(pairs, fc.nat(), fc.nat(), (list, which, bit) => {
        const at = which % Math.max(1, list.length);
        const key = list[at]?.key;
        if (key === undefined || key.length === 0) return;
        const flipped = key.slice();
        const place = bit % (8 * key.length);
        flipped[place >> 3] = (flipped[place >> 3] as number) ^ (1 << (place & 7));
        const changed = hashOf(
          (list as readonly Pair[]).with(at, { ...(list[at] as Pair), key: flipped }),
        );
        const original = hashOf(list);
        expect(changed.digest).not.toBe(original.digest);
        expect(changed.checks.slice(0, at)).toEqual(original.checks.slice(0, at));
        for (let i = at; i < list.length; i++) {
          checked += 1;
          if (changed.checks[i] === original.checks[i]) missed += 1;
        }
      }),
      { seed: 20_261_124, numRuns: 1_000 },
    );
    expect(checked).toBeGreaterThan(1_000);
    expect(missed).toBeLessThan(3);
  });

  it("tells order, lengths, tombstones and where a key ends", () => {
    const a = { key: text("a"), value: text("1") };
    const b = { key: text("b"), value: text("2") };
    const lists: readonly (readonly Pair[])[] = [
      [],
      [a, b],
      [b, a],
      [a],
      [a, a],
      [{ key: text("ab"), value: text("c") }],
      [{ key: text("a"), value: text("bc") }],
      [{ key: text("a"), value: text("") }],
      [{ key: text("a"), value: undefined }],
      [{ key: text("a"), value: text("1\0") }],
      [{ key: text("a\0"), value: text("1") }],
      [{ key: text(""), value: text("") }],
    ];
    expect(new Set(lists.map((list) => hashOf(list).digest)).size).toBe(lists.length);
  });
});
