import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ContentStore } from "./content.ts";
import { crc32, pngOf } from "./png.ts";

const tokyo = new ContentStore({ nodeId: "TYO", place: "Tokyo" });
const saoPaulo = new ContentStore({ nodeId: "SAO", place: "" });

describe("content", () => {
  it("is the same at every node, with a validator of its own for each body", () => {
    const path = fc.nat({ max: 1_000 }).map((number) => `/object/${number}`);
    fc.assert(
      fc.property(path, path, fc.constantFrom("", ".json", ".png"), (one, other, ending) => {
        const content = tokyo.get(one + ending);
        const elsewhere = saoPaulo.get(one + ending);
        expect(elsewhere.etag).toBe(content.etag);
        expect(elsewhere.body.equals(content.body)).toBe(true);
        expect(content.etag).toMatch(/^"[\w-]{22}"$/);
        const second = tokyo.get(other + ending);
        expect(content.etag === second.etag).toBe(content.body.equals(second.body));
      }),
      { numRuns: 30 },
    );
  });

  it("has a kind by its ending", () => {
    expect(JSON.parse(tokyo.get("/catalog.json").body.toString())).toMatchObject({
      path: "/catalog.json",
    });
    expect(tokyo.get("/blob.bin").body.length).toBe(16_384);
    expect(tokyo.get("/a").type).toBe("text/plain; charset=utf-8");
    expect(tokyo.get("/").body.toString()).toContain("TYO (Tokyo)");
    expect(saoPaulo.get("/").body.toString()).toContain("edge node SAO.");
  });

  it("stays the same after the cache was emptied by many objects", () => {
    const store = new ContentStore({ nodeId: "TYO", place: "", cacheBytes: 50_000 });
    const before = store.get("/first.bin");
    for (let object = 0; object < 3; object++) store.get(`/${object}.bin`);
    const after = store.get("/first.bin");
    expect(after).not.toBe(before);
    expect(after.etag).toBe(before.etag);
    expect(after.body.equals(before.body)).toBe(true);
  });
});

describe("pictures", () => {
  it("are whole PNG files", () => {
    const png = pngOf(16, Buffer.alloc(16, 3));
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    const types: string[] = [];
    let pixels = Buffer.alloc(0);
    for (let at = 8; at < png.length; ) {
      const length = png.readUInt32BE(at);
      const type = png.toString("latin1", at + 4, at + 8);
      const body = png.subarray(at + 4, at + 8 + length);
      expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(body));
      if (type === "IDAT") pixels = inflateSync(body.subarray(4));
      types.push(type);
      at += 12 + length;
    }
    expect(types).toEqual(["IHDR", "IDAT", "IEND"]);
    expect(pixels.length).toBe(16 * (1 + 3 * 16));
  });

  it("have the check sum of RFC 2083", () => {
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
    expect(crc32(Buffer.alloc(0))).toBe(0);
  });
});
