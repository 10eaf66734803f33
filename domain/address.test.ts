import { isIP, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressBytes, formatAddress, parseAddress, parseAddressInto } from "./address.ts";

function canonical(text: string): string | undefined {
  const address = parseAddress(text);
  return address && formatAddress(address.bytes, 0, address.family);
}

const readable: readonly (readonly [string, string])[] = [
  ["192.0.2.1", "192.0.2.1"],
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:DB8::1", "2001:db8::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["::ffff:192.0.2.128", "192.0.2.128"],
  ["::FFFF:c000:280", "192.0.2.128"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
];

const refused: readonly string[] = [
  "",
  ".",
  ":",
  ":::",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.4 ",
  " 1.2.3.4",
  "01.2.3.4",
  "1.2.3.00",
  "1.2.3.256",
  "1..2.3",
  "1.2.3.",
  "+1.2.3.4",
  "0x1.2.3.4",
  "fe80::1%eth0",
  "[::1]",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "::1:2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7:",
  ":1:2:3:4:5:6:7",
  "12345::",
  "g::",
  "::1.2.3",
  "::1.2.3.4:5",
  "1:2:3:4:5:6:7:1.2.3.4",
  "::1:2:3:4:5:6:7:1.2.3.4",
  "1.2.3.4:80",
  "1.2.3.4/24",
  "\u0661.2.3.4",
  "0000:0000:0000:0000:0000:0000:255.255.255.2555",
];

describe("parseAddress", () => {
  it.each(readable)("reads %s as %s", (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it.each(refused)("refuses %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it("agrees with node:net on what an address is", () => {
    const piece = fc.constantFrom(
      "0",
      "1",
      "ff",
      "FFFF",
      ":",
      "::",
      ".",
      "1.2.3.4",
      "00",
      "12345",
      "g",
      "255",
    );
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6(), fc.string()), (candidate) => {
        const expected = candidate.includes("%") ? 0 : isIP(candidate);
        const address = parseAddress(candidate);
        expect(address === undefined).toBe(expected === 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it("writes into a given array and returns the family", () => {
    const target = new Uint8Array(16);
    expect(parseAddressInto("192.0.2.9", target)).toBe(4);
    expect([...target.subarray(0, 4)]).toEqual([192, 0, 2, 9]);
    expect(parseAddressInto("::ffff:1.2.3.4", target)).toBe(4);
    expect([...target.subarray(0, 4)]).toEqual([1, 2, 3, 4]);
    expect(parseAddressInto("nothing", target)).toBe(0);
  });
});

describe("formatAddress", () => {
  it("is read back, as one canonical text, from any offset", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(4, 6), fc.nat({ max: 5 }), (value, family, start) => {
        const padded = new Uint8Array(start + 16);
        padded.set(value, start);
        const text = formatAddress(padded, start, family);
        const back = parseAddress(text);
        if (text.startsWith("::ffff:") && text.includes(".")) {
          expect([...(back?.bytes ?? [])]).toEqual([...value.subarray(12)]);
          return;
        }
        expect(back?.family).toBe(family);
        expect([...(back?.bytes ?? [])]).toEqual([...value.subarray(0, addressBytes(family))]);
        if (family === 6) {
          expect(isIPv6(text)).toBe(true);
          expect(text).toBe(new URL(`http://[${text}]/`).hostname.slice(1, -1));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("prints IPv4-mapped bytes in mixed notation", () => {
    const bytes = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1]);
    expect(formatAddress(bytes, 0, 6)).toBe("::ffff:192.0.2.1");
  });

  it("takes missing bytes at the end for zeros", () => {
    expect(formatAddress(Uint8Array.from([0x20, 0x01, 0x0d, 0xb8]), 0, 6)).toBe("2001:db8::");
    expect(formatAddress(Uint8Array.from([10]), 0, 4)).toBe("10.0.0.0");
  });
});
