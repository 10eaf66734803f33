import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashKey, hashPair, hashRange, lanesToBytes, MultisetDigest, newLanes } from "./hash.ts";

const none = new DataView(new ArrayBuffer(0));

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function murmur(bytes: Uint8Array, seed: number): Uint8Array {
  const out = newLanes();
  hashRange(viewOf(bytes), 0, bytes.length, seed, out);
  return lanesToBytes(out);
}

function pair(key: Uint8Array, value: Uint8Array | undefined): Int32Array {
  const out = newLanes();
  if (value === undefined) hashPair(viewOf(key), 0, key.length, none, -1, -1, out);
  else hashPair(viewOf(key), 0, key.length, viewOf(value), 0, value.length, out);
  return out;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("hashRange", () => {
  // SMHasher's verification: hash of the hashes of 0, 0 1, 0 1 2, ... with seeds 256 - length.
  it("gives SMHasher's verification value of MurmurHash3 x86_128", () => {
    const keys = Uint8Array.from({ length: 256 }, (_, i) => i);
    const hashes = new Uint8Array(256 * 16);
    for (let i = 0; i < 256; i++) hashes.set(murmur(keys.subarray(0, i), 256 - i), i * 16);
    expect(viewOf(murmur(hashes, 0)).getUint32(0, true)).toBe(0xb3ece62a);
  });

  it("hashes a range inside a buffer as the range alone", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(9),
        fc.nat(9),
        (bytes, before, after) => {
          const padded = new Uint8Array(before + bytes.length + after).fill(0xaa);
          padded.set(bytes, before);
          const out = newLanes();
          hashRange(viewOf(padded), before, before + bytes.length, 7, out);
          expect(lanesToBytes(out)).toEqual(murmur(bytes, 7));
        },
      ),
    );
  });
});

describe("hashKey", () => {
  it("gives the known hashes of MurmurHash3 x86_32 with seed 0", () => {
    const hash = (key: string): number => hashKey(viewOf(text(key)), 0, key.length) >>> 0;
    expect(hash("")).toBe(0);
    expect(hash("test")).toBe(0xba6bd213);
    expect(hash("Hello, world!")).toBe(0xc0363e43);
    expect(hash("The quick brown fox jumps over the lazy dog")).toBe(0x2e4ff723);
  });
});

describe("hashPair", () => {
  it("is the reference over the key filled to 16 bytes and the value, seeded with the key's length", () => {
    const bytes = fc.uint8Array({ maxLength: 70 });
    fc.assert(
      fc.property(bytes, bytes, (key, value) => {
        const filled = Math.ceil(key.length / 16) * 16;
        const joined = new Uint8Array(filled + value.length);
        joined.set(key);
        joined.set(value, filled);
        expect(lanesToBytes(pair(key, value))).toEqual(murmur(joined, key.length));
      }),
    );
  });

  it("tells apart where the key ends, and an empty value from none", () => {
    const seen = new Set(
      [
        pair(text("a"), text("bc")),
        pair(text("ab"), text("c")),
        pair(text("abc"), text("")),
        pair(text(""), text("abc")),
        pair(text("abc"), undefined),
        pair(text("abc\0"), text("")),
      ].map((lanes) => hex(lanesToBytes(lanes))),
    );
    expect(seen.size).toBe(6);
  });
});

describe("MultisetDigest", () => {
  it("does not depend on order and forgets what is removed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.uint8Array({ maxLength: 9 }), fc.boolean()), { maxLength: 20 }),
        fc.infiniteStream(fc.nat()),
        (items, numbers) => {
          const kept = new MultisetDigest();
          for (const [bytes, keep] of items) if (keep) kept.add(pair(bytes, bytes));
          const all = new MultisetDigest();
          const shuffled = items
            .map((item) => ({ item, at: numbers.next().value as number }))
            .sort((a, b) => a.at - b.at);
          for (const { item } of shuffled) all.add(pair(item[0], item[0]));
          for (const [bytes, keep] of items) if (!keep) all.remove(pair(bytes, bytes));
          expect(all.digest()).toEqual(kept.digest());
        },
      ),
    );
  });

  it("is zero when empty and counts equal members", () => {
    const digest = new MultisetDigest();
    expect(digest.digest()).toEqual(new Uint8Array(16));
    digest.add(pair(text("a"), text("a")));
    const once = digest.digest();
    digest.add(pair(text("a"), text("a")));
    expect(digest.digest()).not.toEqual(once);
  });
});
