import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AddressFamily, formatAddress, parseAddress } from "./address.ts";
import {
  contains,
  covers,
  formatPrefix,
  formatPrefixAt,
  hostPrefix,
  maxPrefixLength,
  overlaps,
  type Prefix,
  parsePrefix,
  prefixOf,
} from "./prefix.ts";

const family = fc.constantFrom<AddressFamily>(4, 6);
/** Few distinct bytes, so that random prefixes often cover one another. */
const bytes = fc
  .array(fc.constantFrom(0, 1, 128, 255), { minLength: 16, maxLength: 16 })
  .map((list) => Uint8Array.from(list));
const prefixes: fc.Arbitrary<Prefix> = fc
  .tuple(family, bytes, fc.nat({ max: 128 }))
  .map(([kind, value, length]) => prefixOf(kind, value, length % (maxPrefixLength(kind) + 1)));

function must(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`no prefix: ${text}`);
  return prefix;
}

describe("parsePrefix", () => {
  it.each([
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["192.0.2.255/25", "192.0.2.128/25"],
    ["192.0.2.1/32", "192.0.2.1/32"],
    ["2001:db8:ffff::/33", "2001:db8:8000::/33"],
    ["::/0", "::/0"],
    ["::ffff:192.0.2.77/120", "192.0.2.0/24"],
    ["::ffff:0:0/96", "0.0.0.0/0"],
  ])("reads %s as %s", (text, expected) => {
    expect(formatPrefix(must(text))).toBe(expected);
  });

  it.each([
    "",
    "/",
    "10.0.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/8 ",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "::/129",
    "::/1000",
  ])("refuses %j", (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });

  it("reads its own text back", () => {
    fc.assert(
      fc.property(prefixes, (prefix) => {
        const back = must(formatPrefix(prefix));
        expect(formatPrefix(back)).toBe(formatPrefix(prefix));
      }),
    );
  });
});

describe("formatPrefixAt", () => {
  it("reads no more bytes than the length needs", () => {
    const packed = Uint8Array.from([99, 10, 1, 255, 77, 77]);
    expect(formatPrefixAt(packed, 1, 4, 17)).toBe("10.1.128.0/17");
    expect(formatPrefixAt(packed, 1, 4, 16)).toBe("10.1.0.0/16");
    expect(formatPrefixAt(packed, 1, 6, 12)).toBe("a00::/12");
    expect(formatPrefixAt(packed, 6, 4, 0)).toBe("0.0.0.0/0");
  });
});

describe("contains", () => {
  it("agrees with node:net's BlockList", () => {
    fc.assert(
      fc.property(prefixes, family, bytes, (prefix, kind, value) => {
        const text = formatAddress(value, 0, kind);
        const address = parseAddress(text);
        if (address === undefined) throw new Error(text);
        const list = new BlockList();
        const name = prefix.family === 4 ? "ipv4" : "ipv6";
        list.addSubnet(formatAddress(prefix.bytes, 0, prefix.family), prefix.length, name);
        const expected =
          address.family === prefix.family &&
          list.check(text, address.family === 4 ? "ipv4" : "ipv6");
        expect(contains(prefix, address)).toBe(expected);
      }),
    );
  });
});

describe("covers and overlaps", () => {
  it("overlap exactly when one covers the other", () => {
    fc.assert(
      fc.property(prefixes, prefixes, (left, right) => {
        expect(overlaps(left, right)).toBe(covers(left, right) || covers(right, left));
        expect(overlaps(left, right)).toBe(overlaps(right, left));
        expect(covers(left, left)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("are told apart by their border", () => {
    expect(covers(must("10.0.0.0/8"), must("10.255.0.0/16"))).toBe(true);
    expect(covers(must("10.255.0.0/16"), must("10.0.0.0/8"))).toBe(false);
    expect(overlaps(must("10.0.0.0/9"), must("10.128.0.0/9"))).toBe(false);
    expect(overlaps(must("0.0.0.0/0"), must("::/0"))).toBe(false);
    const host = parseAddress("192.0.2.7");
    if (host === undefined) throw new Error("no address");
    expect(covers(must("192.0.2.0/29"), hostPrefix(host))).toBe(true);
  });

  it("are copies: the bytes that they were made from stay, also those of a Buffer", () => {
    const given = Buffer.from([192, 0, 2, 255]);
    expect(formatPrefix(prefixOf(4, given, 24))).toBe("192.0.2.0/24");
    expect([...given]).toEqual([192, 0, 2, 255]);
  });
});
