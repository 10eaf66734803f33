import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress } from "../../domain/address.ts";
import { addressOfKey } from "../../domain/block.ts";
import { readAsnCsv } from "./asn-csv.ts";
import { MAX_CSV_LINE_BYTES } from "./limits.ts";
import type { Segments } from "./segments.ts";

function read(text: string): ReturnType<typeof readAsnCsv> {
  return readAsnCsv("asn.csv", Buffer.from(text));
}

function pairs(segments: Segments | undefined): string {
  const values = segments?.values ?? [];
  return Array.from(
    segments?.starts ?? [],
    (start, at) => `${start.toString(16)}:${values[at]}`,
  ).join(" ");
}

function four(...lines: string[]): string {
  return pairs(read(lines.join("\n")).four);
}

describe("readAsnCsv", () => {
  it("reads ranges, their gaps and the end of the space", () => {
    const lines = ['1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."', "1.0.2.0,1.0.3.255,7,x", ""];
    expect(four(...lines)).toBe("0:0 10000:13335 10001:0 10002:7 10004:0");
    expect(four("255.255.255.0,255.255.255.255,9,x")).toBe("0:0 ffffff:9");
    expect(four("0.0.0.0,255.255.255.255,9,x\r\n")).toBe("0:9");
  });

  it("keeps families apart", () => {
    const { four: left, six } = read(
      "2000::,2000:0:0:1ff:ffff:ffff:ffff:ffff,5,a\n0.0.1.0,0.0.1.255,6,b\n",
    );
    expect(pairs(left)).toBe("0:0 1:6 2:0");
    expect(pairs(six)).toBe("0:5 2:0");
    expect(read("").four).toBeUndefined();
    expect(pairs(read("fc00::,fdff::,5,a").six)).toBe("");
  });

  it("gives a /24 to the range that has most of it, the first in a tie", () => {
    expect(four("1.0.0.0,1.0.0.99,1,a", "1.0.0.100,1.0.0.255,2,b")).toBe("0:0 10000:2 10001:0");
    expect(four("1.0.0.0,1.0.0.127,1,a", "1.0.0.128,1.0.0.255,2,b")).toBe("0:0 10000:1 10001:0");
    expect(four("1.0.0.200,1.0.2.9,1,a")).toBe("0:0 10000:1 10003:0");
    expect(four("1.0.0.0,1.0.1.99,1,a", "1.0.1.100,1.0.2.255,2,b")).toBe(
      "0:0 10000:1 10001:2 10003:0",
    );
  });

  it("leaves the overlapping part to the earlier range, as the published table needs", () => {
    expect(four("1.0.0.0,1.0.1.255,1,a", "1.0.1.0,1.0.2.255,2,b")).toBe(
      "0:0 10000:1 10002:2 10003:0",
    );
    expect(four("1.0.0.0,1.0.9.255,1,a", "1.0.1.0,1.0.2.255,2,b")).toBe("0:0 10000:1 1000a:0");
  });

  it.each([
    ["line 1: the first field is no address", "x,1.0.0.0,1,a"],
    ["line 1: the second field is no address of the same family", "1.0.0.0,::1,1,a"],
    ["line 1: the second field", "1.0.0.0"],
    ["line 1: the third field is no AS number", "1.0.0.0,1.0.0.1,x,a"],
    ["line 1: the third field", "1.0.0.0,1.0.0.1,4294967296,a"],
    ["line 1: the range ends before it begins", "1.0.1.0,1.0.0.0,1,a"],
    ["line 3: the ranges are not sorted", "1.0.1.0,1.0.1.0,1,a\n\n1.0.0.0,1.0.0.1,1,a"],
    [`line 2: longer than ${MAX_CSV_LINE_BYTES} bytes`, `\n1.0.1.0,1.0.1.0,1,${"a".repeat(5_000)}`],
  ])("throws OCDN_GEO: %s", (message, text) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: "OCDN_GEO", message: expect.stringContaining(message) }),
    );
  });

  it("finds the range of every key of random tables (IPv6)", () => {
    const bytes = new Uint8Array(16);
    const gaps = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.integer({ min: 1, max: 4 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(gaps, (list) => {
        const expected: number[] = [];
        const lines = list.map(([gap, size], at) => {
          for (let skipped = 0; skipped < gap; skipped++) expected.push(0);
          addressOfKey(6, expected.length, bytes);
          const first = formatAddress(bytes, 0, 6);
          for (let key = 0; key < size; key++) expected.push(at + 1);
          addressOfKey(6, expected.length - 1, bytes);
          bytes.fill(255, 7);
          return `${first},${formatAddress(bytes, 0, 6)},${at + 1},name`;
        });
        const { six } = read(lines.join("\n"));
        const found = expected.map((_, key) => {
          const at = six?.starts.findLastIndex((start) => start <= key) ?? -1;
          return six?.values[at];
        });
        expect(found).toEqual(expected);
      }),
    );
  });
});
