import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostOf } from "./host.ts";

describe("Host headers", () => {
  it.each([
    ["Video.Example:8080", "video.example"],
    ["video.example.", "video.example"],
    ["127.0.0.1:1", "127.0.0.1"],
    ["[2001:DB8::1]:443", "[2001:db8::1]"],
    ["[::1]", "[::1]"],
    ["a..b", undefined],
    ["a:b", undefined],
    ["a:1:2", undefined],
    ["[::1", undefined],
    ["[zz]", undefined],
    [":80", undefined],
    ["a b", undefined],
    ["evil.example/@x", undefined],
    [`${"a".repeat(64)}.example`, undefined],
    ["", undefined],
  ])("%j", (header, expected) => {
    expect(hostOf(header)).toBe(expected);
  });

  it("gives a bounded plain name or nothing, and the same name again", () => {
    const header = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.domain(),
      fc.string({ unit: fc.constantFrom("a", "Z", ".", "-", ":", "[", "]", "9", "@", "/") }),
    );
    fc.assert(
      fc.property(header, (text) => {
        const host = hostOf(text);
        if (host === undefined) return;
        expect(host).toMatch(/^([a-z0-9._-]{1,253}|\[[0-9a-f:.]+\])$/);
        expect(hostOf(host)).toBe(host);
        expect(hostOf(`${host}:443`)).toBe(host);
      }),
      { numRuns: 500 },
    );
  });
});
