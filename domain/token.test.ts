import { createSecretKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Address, parseAddress } from "./address.ts";
import { formatPrefix, parsePrefix } from "./prefix.ts";
import {
  DEFAULT_CLOCK_SKEW_MS,
  MAX_CLOCK_SKEW_MS,
  MAX_TOKEN_LENGTH,
  MAX_TOKEN_LIFETIME_MS,
  signingKey,
  signToken,
  type TokenBinding,
  type TokenContext,
  type TokenKey,
  verifyToken,
} from "./token.ts";

const nowMs = 1_750_000_000_000;
const dayMs = 86_400_000;

function keyOf(id: string, fill: number, fromMs = nowMs - dayMs, toMs = nowMs + dayMs): TokenKey {
  const secret = createSecretKey(new Uint8Array(32).fill(fill));
  return { id, secret, notBeforeMs: fromMs, notAfterMs: toMs };
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
}

function bindingOf(block: string, nodeId = "TYO", serviceId = "video"): TokenBinding {
  const prefix = parsePrefix(block);
  if (prefix === undefined) throw new Error(block);
  return { nodeId, serviceId, block: prefix };
}

const key = keyOf("k1", 1);
const binding = bindingOf("203.0.112.0/22");
const token = signToken(key, binding, nowMs, 60_000);
const context: TokenContext = {
  keys: [key],
  nodeId: "TYO",
  serviceId: "video",
  client: addressOf("203.0.113.77"),
  nowMs,
};

function codeOf(text: string, changes: Partial<TokenContext> = {}): string {
  const result = verifyToken(text, { ...context, ...changes });
  return result.kind === "failure" ? result.code : result.kind;
}

describe("verifyToken", () => {
  it("accepts what was signed, with its claims", () => {
    const result = verifyToken(token, context);
    if (result.kind === "failure") throw new Error(result.code);
    const { block, ...rest } = result.claims;
    expect(formatPrefix(block)).toBe("203.0.112.0/22");
    expect(rest).toEqual({
      keyId: "k1",
      nodeId: "TYO",
      serviceId: "video",
      issuedMs: nowMs,
      expiresMs: nowMs + 60_000,
    });
    expect(token.length).toBeLessThan(80);
  });

  it.each<[string, Partial<TokenContext>]>([
    ["WRONG_NODE", { nodeId: "SAO" }],
    ["WRONG_SERVICE", { serviceId: "vide" }],
    ["WRONG_BLOCK", { client: addressOf("203.0.116.1") }],
    ["WRONG_BLOCK", { client: addressOf("2001:db8::1") }],
    ["UNKNOWN_KEY", { keys: [] }],
    ["UNKNOWN_KEY", { keys: [keyOf("k2", 1)] }],
    ["UNKNOWN_KEY", { keys: [keyOf("k1", 1, 0, nowMs - MAX_CLOCK_SKEW_MS)] }],
    ["UNKNOWN_KEY", { keys: [keyOf("k1", 1, nowMs + MAX_CLOCK_SKEW_MS)] }],
    ["BAD_SIGNATURE", { keys: [keyOf("k1", 2)] }],
    ["accepted", { nowMs: nowMs + 60_000 + DEFAULT_CLOCK_SKEW_MS - 1 }],
    ["EXPIRED", { nowMs: nowMs + 60_000 + DEFAULT_CLOCK_SKEW_MS }],
    ["EXPIRED", { nowMs: nowMs + 60_000, clockSkewMs: 0 }],
    ["accepted", { nowMs: nowMs - DEFAULT_CLOCK_SKEW_MS }],
    ["NOT_YET", { nowMs: nowMs - DEFAULT_CLOCK_SKEW_MS - 1 }],
    ["EXPIRED", { nowMs: nowMs + 60_000 + MAX_CLOCK_SKEW_MS, clockSkewMs: 10 * MAX_CLOCK_SKEW_MS }],
  ])("answers %s to %j", (expected, changes) => {
    expect(codeOf(token, changes)).toBe(expected);
  });

  it("says nothing about the content of a token with a bad signature", () => {
    const forged = signToken(keyOf("k1", 9), bindingOf("10.0.0.0/24", "X", "Y"), 0, 1_000);
    expect(codeOf(forged)).toBe("BAD_SIGNATURE");
  });

  it.each([
    "",
    "A",
    "=",
    "é",
    `${token}=`,
    `${token}A`,
    ` ${token}`,
    token.slice(1),
    "A".repeat(80),
  ])("refuses %j as malformed", (text) => {
    expect(codeOf(text)).toBe("MALFORMED");
  });

  it("bounds the length before it decodes", () => {
    expect(codeOf("A".repeat(MAX_TOKEN_LENGTH + 1))).toBe("MALFORMED");
    expect(codeOf("A".repeat(50_000_000))).toBe("MALFORMED");
  });

  it("never accepts changed bytes", () => {
    const bytes = Buffer.from(token, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(["MALFORMED", "UNKNOWN_KEY", "BAD_SIGNATURE"]).toContain(
        codeOf(changed.toString("base64url")),
      );
    }
  });

  it("survives random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, asVersion) => {
        if (asVersion && bytes.length > 0) bytes[0] = 1;
        const text = Buffer.from(bytes).toString("base64url");
        expect(["MALFORMED", "UNKNOWN_KEY", "BAD_SIGNATURE"]).toContain(codeOf(text));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("signToken", () => {
  it("makes tokens that are accepted, however long names and blocks are", () => {
    const name = fc.stringMatching(/^[!-~]{1,64}$/);
    const block = fc.constantFrom(
      "0.0.0.0/0",
      "203.0.112.0/23",
      "1.2.3.4/32",
      "2001:db8::/41",
      "::1/128",
    );
    fc.assert(
      fc.property(
        name,
        name,
        block,
        fc.integer({ min: 1, max: MAX_TOKEN_LIFETIME_MS }),
        (nodeId, serviceId, text, lifetimeMs) => {
          const bound = bindingOf(text, nodeId, serviceId);
          const made = signToken(keyOf("a-16-letters-key", 3), bound, nowMs, lifetimeMs);
          expect(made.length).toBeLessThanOrEqual(MAX_TOKEN_LENGTH);
          const client = { family: bound.block.family, bytes: bound.block.bytes };
          expect(
            codeOf(made, { keys: [keyOf("a-16-letters-key", 3)], nodeId, serviceId, client }),
          ).toBe("accepted");
        },
      ),
    );
  });

  it("throws for what configuration may not contain", () => {
    const names = ["", "a b", "é", "a".repeat(65)];
    for (const nodeId of names) {
      expect(() => signToken(key, { ...binding, nodeId }, nowMs, 1)).toThrow(RangeError);
    }
    for (const lifetimeMs of [0, -1, Number.NaN, MAX_TOKEN_LIFETIME_MS + 1]) {
      expect(() => signToken(key, binding, nowMs, lifetimeMs)).toThrow(RangeError);
    }
    expect(() => signToken({ ...key, id: "K 1" }, binding, nowMs, 1)).toThrow(RangeError);
    expect(() => signToken(key, binding, 5e15, 1)).toThrow(RangeError);
  });
});

describe("signingKey", () => {
  it("is the newest of the valid ones", () => {
    const old = keyOf("old", 1, nowMs - 10 * dayMs, nowMs + dayMs);
    const next = keyOf("next", 2, nowMs + 1, nowMs + 10 * dayMs);
    const past = keyOf("past", 3, nowMs - dayMs, nowMs);
    expect(signingKey([old, next, past], nowMs)?.id).toBe("old");
    expect(signingKey([old, next, past], nowMs + 1)?.id).toBe("next");
    expect(signingKey([past], nowMs)).toBeUndefined();
  });

  it("lets old and new tokens be verified while keys rotate", () => {
    const keys = [key, keyOf("k2", 2, nowMs)];
    const fresh = signToken(keys[1] ?? key, binding, nowMs, 60_000);
    expect(codeOf(token, { keys })).toBe("accepted");
    expect(codeOf(fresh, { keys })).toBe("accepted");
  });
});
