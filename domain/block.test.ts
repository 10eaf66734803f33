import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "./address.ts";
import {
  addressOfKey,
  blockLength,
  blockOf,
  formatBlock,
  KEYS_4,
  KEYS_6,
  keyOf4,
  keyOf6,
  MAX_BLOCK_LENGTH_4,
  MAX_BLOCK_LENGTH_6,
  MIN_BLOCK_LENGTH_4,
  MIN_BLOCK_LENGTH_6,
  NO_KEY,
} from "./block.ts";

function bytesOf(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address.bytes;
}

/** A key and a run of keys around it, the borders often near or on powers of two. */
function runs(keys: number): fc.Arbitrary<{ key: number; from: number; to: number }> {
  const size = fc.oneof(
    fc.nat({ max: 40 }),
    fc.integer({ min: 0, max: Math.log2(keys) }).map((power) => 2 ** power),
    fc.maxSafeNat().map((value) => value % keys),
  );
  return fc.tuple(fc.maxSafeNat(), size, size).map(([value, before, after]) => {
    const key = value % keys;
    return { key, from: Math.max(0, key - before), to: Math.min(keys, key + 1 + after) };
  });
}

/** The rule in other words: try every length, ask for both ends. */
function slowLength(
  key: number,
  { from, to }: { from: number; to: number },
  { shortest, longest }: { shortest: number; longest: number },
): number {
  for (let length = shortest; length < longest; length++) {
    const size = BigInt(2 ** (longest - length));
    const first = (BigInt(key) / size) * size;
    if (first >= BigInt(from) && first + size <= BigInt(to)) return length;
  }
  return longest;
}

describe("keys", () => {
  it("count /24 from 0 and /56 from 2000::", () => {
    expect(keyOf4(bytesOf("1.2.3.4"))).toBe(0x010203);
    expect(keyOf4(bytesOf("255.255.255.255"))).toBe(KEYS_4 - 1);
    expect(keyOf6(bytesOf("2000::"))).toBe(0);
    expect(keyOf6(bytesOf("2000:0:0:0100::"))).toBe(1);
    expect(keyOf6(bytesOf("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))).toBe(KEYS_6 - 1);
    for (const text of ["::1", "1fff::", "4000::", "fe80::1", "fc00::"]) {
      expect(keyOf6(bytesOf(text))).toBe(NO_KEY);
    }
  });

  it("are those of their first address", () => {
    const target = new Uint8Array(16).fill(7);
    fc.assert(
      fc.property(fc.nat({ max: KEYS_4 - 1 }), fc.maxSafeNat(), (key4, key6) => {
        addressOfKey(4, key4, target);
        expect(keyOf4(target)).toBe(key4);
        expect(target[3]).toBe(0);
        addressOfKey(6, key6, target);
        expect(keyOf6(target)).toBe(key6);
        expect([...target.subarray(7)]).toEqual(new Array(9).fill(0));
      }),
    );
  });
});

describe("blockLength", () => {
  it("is the shortest that stays inside the run (IPv4)", () => {
    const bounds = { shortest: MIN_BLOCK_LENGTH_4, longest: MAX_BLOCK_LENGTH_4 };
    fc.assert(
      fc.property(runs(KEYS_4), ({ key, from, to }) => {
        const cut = { from: Math.max(from, key & ~0xff), to: Math.min(to, (key | 0xff) + 1) };
        expect(blockLength(4, key, cut.from, cut.to)).toBe(slowLength(key, cut, bounds));
        expect(blockLength(4, key, from, to)).toBe(slowLength(key, { from, to }, bounds));
      }),
      { numRuns: 1_000 },
    );
  });

  it("is the shortest that stays inside the run (IPv6)", () => {
    const bounds = { shortest: MIN_BLOCK_LENGTH_6, longest: MAX_BLOCK_LENGTH_6 };
    fc.assert(
      fc.property(runs(KEYS_6), ({ key, from, to }) => {
        expect(blockLength(6, key, from, to)).toBe(slowLength(key, { from, to }, bounds));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("formatBlock", () => {
  it("never shows host bits", () => {
    const bytes = bytesOf("203.0.113.77");
    expect(formatBlock(4, bytes, 22)).toBe("203.0.112.0/22");
    expect(blockOf(4, bytes, 22).bytes).toEqual(Uint8Array.from([203, 0, 112, 0]));
    expect(formatBlock(6, bytesOf("2001:db8:1:2ff::9"), 56)).toBe("2001:db8:1:200::/56");
  });
});
