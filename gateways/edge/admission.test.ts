import { createSecretKey } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Address, parseAddress } from "../../domain/address.ts";
import { prefixOf } from "../../domain/prefix.ts";
import { signToken, type TokenKey } from "../../domain/token.ts";
import { admit } from "./admission.ts";

const key: TokenKey = {
  id: "k-1",
  secret: createSecretKey(Buffer.alloc(32, 1)),
  notBeforeMs: 0,
  notAfterMs: Number.MAX_SAFE_INTEGER,
};
const nowMs = 1_700_000_000_000;
const client = addressOf("133.11.7.8");

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return address;
}

function token(nodeId = "TYO", at = nowMs): string {
  const block = prefixOf(4, client.bytes, 16);
  return signToken(key, { nodeId, serviceId: "web", block }, at, 60_000);
}

const context = { nodeId: "TYO", client, keys: [key], nowMs };

describe("admission", () => {
  it.each([
    ["no token", undefined, context, { kind: "arrival" }],
    ["a good one", token(), context, { kind: "accepted", claims: { serviceId: "web" } }],
    [
      "one of another block",
      token(),
      { ...context, client: addressOf("133.12.7.8") },
      { kind: "elsewhere" },
    ],
    [
      "one of another family",
      token(),
      { ...context, client: addressOf("2001:200::1") },
      { kind: "elsewhere" },
    ],
    [
      "one of another node",
      token("SAO"),
      context,
      { kind: "refused", reason: "WRONG_NODE", status: 421 },
    ],
    [
      "an old one",
      token("TYO", nowMs - 1_000_000),
      context,
      { kind: "refused", reason: "EXPIRED", status: 403 },
    ],
    [
      "one of another key",
      token(),
      { ...context, keys: [] },
      { kind: "refused", reason: "UNKNOWN_KEY", status: 403 },
    ],
    ["nothing", "", context, { kind: "refused", reason: "MALFORMED", status: 400 }],
  ])("%s", (_, text, given, expected) => {
    expect(admit(text, given)).toMatchObject(expected);
  });

  it("accepts nothing that is not exactly what was signed", () => {
    const good = token();
    const change = fc.record({
      at: fc.nat({ max: good.length - 1 }),
      by: fc.constantFrom(..."AZaz09-_"),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          change.map(({ at, by }) => good.slice(0, at) + by + good.slice(at + 1)),
        ),
        (text) => {
          fc.pre(text !== good);
          expect(admit(text, context).kind).toBe("refused");
        },
      ),
    );
  });
});
