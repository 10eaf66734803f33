import zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32, portableCrc32 } from "./checksum.ts";

describe("crc32", () => {
  it("gives the check value of CRC-32/ISO-HDLC", () => {
    expect(crc32(Buffer.from("123456789"))).toBe(0xcbf43926);
    expect(portableCrc32(Buffer.from("123456789"))).toBe(0xcbf43926);
  });

  it.skipIf(!("crc32" in zlib))("is the same without zlib, whole or continued", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        const whole = crc32(bytes);
        expect(portableCrc32(bytes)).toBe(whole);
        const first = portableCrc32(bytes.subarray(0, cut));
        expect(portableCrc32(bytes.subarray(cut), first)).toBe(whole);
      }),
    );
  });
});
