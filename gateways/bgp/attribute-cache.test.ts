import { describe, expect, it } from "vitest";
import { AttributeCache } from "./attribute-cache.ts";
import type { AttributeVerdict } from "./attribute-decoder.ts";
import { attributeCacheSlots, maxCachedAttributeBytes } from "./limits.ts";

function verdict(): AttributeVerdict {
  return { attributes: null, withdrawn: "origin", discarded: [] };
}

function key(value: number): Uint8Array {
  return new Uint8Array([value >> 24, value >> 16, value >> 8, value, 7]);
}

describe("the cache of attributes", () => {
  it("answers by content and mark, wherever the bytes stand", () => {
    const cache = new AttributeCache();
    const kept = verdict();
    const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 9]);
    expect(cache.get(bytes, 1, 6, 4)).toBeUndefined();
    cache.put(bytes, 1, 6, 4, kept);
    expect(cache.get(new Uint8Array([1, 2, 3, 4, 5]), 0, 5, 4)).toBe(kept);
    expect(cache.get(bytes, 1, 6, 2)).toBeUndefined();
    expect(cache.get(bytes, 1, 5, 4)).toBeUndefined();
    bytes.fill(0);
    expect(cache.get(new Uint8Array([1, 2, 3, 4, 5]), 0, 5, 4)).toBe(kept);
  });

  it("never answers with another's, however full it is", () => {
    const cache = new AttributeCache();
    const made = new Map<number, AttributeVerdict>();
    for (let value = 0; value < 2 * attributeCacheSlots; value++) {
      const bytes = key(value);
      if (cache.get(bytes, 0, 5, 0) !== undefined) throw new Error(`${value} was known before`);
      const one = verdict();
      cache.put(bytes, 0, 5, 0, one);
      if (value % 97 === 0) made.set(value, one);
    }
    let hits = 0;
    for (const [value, one] of made) {
      const known = cache.get(key(value), 0, 5, 0);
      if (known === undefined) continue;
      hits++;
      if (known !== one) throw new Error(`${value} got another's attributes`);
    }
    expect(hits).toBeGreaterThan(made.size / 10);
  });

  it("does not keep long ones", () => {
    const cache = new AttributeCache();
    const long = new Uint8Array(maxCachedAttributeBytes + 1);
    cache.get(long, 0, long.length, 0);
    cache.put(long, 0, long.length, 0, verdict());
    expect(cache.get(long, 0, long.length, 0)).toBeUndefined();
  });
});
