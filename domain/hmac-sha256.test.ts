import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HMAC_BYTES, hmacKey, hmacSha256 } from "./hmac-sha256.ts";

function tagOf(secret: Uint8Array, message: Uint8Array): string {
  const tag = new Uint8Array(HMAC_BYTES);
  hmacSha256(hmacKey(secret), message, 0, message.length, tag, 0);
  return Buffer.from(tag).toString("hex");
}

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

describe("HMAC-SHA-256", () => {
  it.each([
    [
      hex("0b".repeat(20)),
      text("Hi There"),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      text("Jefe"),
      text("what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [
      hex("aa".repeat(20)),
      hex("dd".repeat(50)),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ],
    [
      hex("aa".repeat(131)),
      text("Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ],
  ])("gives the tag of RFC 4231, case %#", (secret, message, expected) => {
    expect(tagOf(secret, message)).toBe(expected);
  });

  it("equals node:crypto for any key and message", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, (secret, message) => {
        expect(tagOf(secret, message)).toBe(
          createHmac("sha256", secret).update(message).digest("hex"),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it("reads a part of an array and may write behind it", () => {
    const secret = text("secret");
    const buffer = new Uint8Array(100).fill(7);
    hmacSha256(hmacKey(secret), buffer, 10, 60, buffer, 60);
    const expected = createHmac("sha256", secret).update(new Uint8Array(50).fill(7)).digest();
    expect(Buffer.from(buffer.subarray(60, 92)).equals(expected)).toBe(true);
    expect([...buffer.subarray(0, 60)].every((byte) => byte === 7)).toBe(true);
    expect([...buffer.subarray(92)].every((byte) => byte === 7)).toBe(true);
  });

  it("pads at every length around a block", () => {
    const secret = text("secret");
    for (let length = 0; length <= 130; length++) {
      const message = new Uint8Array(length).fill(length);
      expect(tagOf(secret, message)).toBe(
        createHmac("sha256", secret).update(message).digest("hex"),
      );
    }
  });
});
