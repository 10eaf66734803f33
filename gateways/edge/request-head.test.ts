import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress } from "../../domain/address.ts";
import { parsePrefix } from "../../domain/prefix.ts";
import { clientAddress } from "../site/client-address.ts";
import { ClientReader } from "./client-reader.ts";
import { readHead } from "./request-head.ts";

const empty = (): { host: undefined; forwarded: undefined; forwardedFor: undefined } => ({
  host: undefined,
  forwarded: undefined,
  forwardedFor: undefined,
});

describe("the header fields of routing", () => {
  it("are found in any case and joined where there are several", () => {
    const raw = [
      "hOsT",
      "a",
      "X-Forwarded-For",
      "1.1.1.1",
      "Accept",
      "*/*",
      "x-forwarded-for",
      "2.2.2.2",
      "Forwarded",
      "for=3.3.3.3",
    ];
    expect(readHead(raw, empty())).toEqual({
      host: "a",
      forwardedFor: "1.1.1.1,2.2.2.2",
      forwarded: "for=3.3.3.3",
    });
  });

  it("are forgotten between requests", () => {
    const head = empty();
    readHead(["Host", "a", "Forwarded", "for=1.1.1.1"], head);
    expect(readHead(["Accept", "b"], head)).toEqual(empty());
  });
});

describe("the client's address", () => {
  const proxy = parsePrefix("127.0.0.0/8");
  if (proxy === undefined) throw new Error("prefix");
  const options = { trustedProxies: [proxy], forwardedHeader: "either" as const };

  it("is what the slow way says, whatever the headers are", () => {
    const reader = new ClientReader(options);
    const hop = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ maxLength: 8 }),
      fc.constantFrom("127.0.0.9", " 1.2.3.4 ", "1.2.3.4:80", "[2001:db8::1]:1", "unknown", ""),
    );
    const list = fc.option(
      fc.array(hop, { minLength: 1, maxLength: 3 }).map((hops) => hops.join(",")),
      { nil: undefined },
    );
    const forwarded = fc.option(
      fc.constantFrom("for=5.5.5.5", 'for="[2001:db8::2]"', "by=x", "for="),
      { nil: undefined },
    );
    const peer = fc.constantFrom("127.0.0.1", "9.9.9.9", "::ffff:127.0.0.1", "fe80::1%eth0");
    fc.assert(
      fc.property(peer, list, forwarded, (remoteAddress, forwardedFor, header) => {
        const socket = { remoteAddress } as never;
        const found = reader.read(socket, { host: undefined, forwarded: header, forwardedFor });
        const headers = { forwarded: header, "x-forwarded-for": forwardedFor };
        const expected = clientAddress(remoteAddress, headers, options);
        const text = (one: typeof found): string | undefined =>
          one && formatAddress(one.bytes, 0, one.family);
        expect(text(found)).toBe(text(expected));
        const kept = reader.addressOf(socket, { host: undefined, forwarded: header, forwardedFor });
        expect(kept).toEqual(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it("is not there once the connection is gone", () => {
    const reader = new ClientReader(options);
    expect(reader.read({ remoteAddress: undefined } as never, empty())).toBeUndefined();
    expect(reader.isTrusted("127.1.2.3")).toBe(true);
    expect(reader.isTrusted("128.1.2.3")).toBe(false);
  });
});
