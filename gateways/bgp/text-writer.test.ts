import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../domain/address.ts";
import { ascii, TextWriter } from "./text-writer.ts";

function written(write: (out: TextWriter) => void): string {
  const out = new TextWriter(256);
  write(out);
  return Buffer.from(out.bytes.subarray(0, out.length)).toString("latin1");
}

function ipv6(text: string): string {
  const parsed = parseAddress(text);
  if (parsed?.family !== 6) throw new Error(`${text} is no IPv6 address`);
  return written((out) => out.ipv6(parsed.bytes, 0));
}

describe("text without strings", () => {
  it("prints numbers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        expect(written((out) => out.decimal(value))).toBe(String(value));
        expect(written((out) => out.signed(value | 0))).toBe(String(value | 0));
      }),
    );
    for (const value of [0, 9, 10, 255, 256, 999, 1000, 4_294_967_295]) {
      expect(written((out) => out.decimal(value))).toBe(String(value));
    }
  });

  it("prints dotted quads and copies slices", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
        expect(written((out) => out.quad(bytes, 0))).toBe(bytes.join("."));
      }),
    );
    const long = ascii("x".repeat(100));
    expect(written((out) => out.slice(long, 1, 99))).toBe("x".repeat(98));
  });

  it("prints IPv6 as bgpdump does", () => {
    expect(ipv6("2001:db8::1")).toBe("2001:db8::1");
    expect(ipv6("2001:7f8:30:0:2:1:0:8447")).toBe("2001:7f8:30::2:1:0:8447");
    expect(ipv6("fe80::")).toBe("fe80::");
    expect(ipv6("::")).toBe("::");
    expect(ipv6("::1")).toBe("::1");
    expect(ipv6("::2")).toBe("::0.0.0.2");
    expect(ipv6("1:0:0:2:0:0:0:3")).toBe("1:0:0:2::3");
    const mapped = new Uint8Array(16).fill(0xff, 10, 12).fill(7, 12);
    expect(written((out) => out.ipv6(mapped, 0))).toBe("::ffff:7.7.7.7");
  });

  it("agrees with RFC 5952 where no group stands alone", () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const bytes = new Uint8Array(groups.flatMap((value) => [value >> 8, value & 0xff]));
        const text = written((out) => out.ipv6(bytes, 0));
        expect(parseAddress(text)?.bytes.slice(-4)).toEqual(bytes.slice(-4));
        const alone = groups.some((value, at) => {
          return value === 0 && groups[at - 1] !== 0 && groups[at + 1] !== 0;
        });
        const low = groups.slice(0, 6).every((value) => value === 0);
        const mapped = groups.slice(0, 5).every((value) => value === 0) && groups[5] === 0xffff;
        if (!alone && !low && !mapped) expect(text).toBe(formatAddress(bytes, 0, 6));
      }),
    );
  });
});
