import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NativeBuffer } from "./tap.ts";
import { TextCache } from "./text-cache.ts";

const letter = fc
  .oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((point) => String.fromCodePoint(point));

describe("TextCache", () => {
  it("reads what Buffer reads, however often and in whatever order", () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.string({ unit: letter })), { maxLength: 30 });
    fc.assert(
      fc.property(texts, fc.nat(), (list, seed) => {
        const cache = new TextCache();
        for (let turn = 0; turn < list.length * 3; turn += 1) {
          const text = list[(turn * 7 + seed) % list.length] ?? "";
          const bytes = Buffer.from(`<${text}>`, "utf8") as NativeBuffer;
          expect(cache.read(bytes, 1, bytes.length - 2)).toBe(text);
        }
      }),
    );
  });

  it("replaces invalid UTF-8 as Buffer does", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const buffer = Buffer.from(bytes) as NativeBuffer;
        expect(new TextCache().read(buffer, 0, buffer.length)).toBe(buffer.toString("utf8"));
      }),
    );
  });
});
