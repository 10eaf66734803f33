import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress } from "../../domain/address.ts";
import { type Prefix, parsePrefix } from "../../domain/prefix.ts";
import { clientAddress, type ForwardedHeader, type ForwardedHeaders } from "./client-address.ts";
import { readForwardedFor } from "./forwarded-header.ts";
import { MAX_FORWARDED_BYTES } from "./limits.ts";

const trustedProxies = ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1/32"]
  .map(parsePrefix)
  .filter((prefix): prefix is Prefix => prefix !== undefined);
const proxy = "10.1.2.3";

function seen(
  headers: ForwardedHeaders,
  socket: string | undefined = proxy,
  forwardedHeader: ForwardedHeader = "either",
): string | undefined {
  const address = clientAddress(socket, headers, { trustedProxies, forwardedHeader });
  return address && formatAddress(address.bytes, 0, address.family);
}

describe("clientAddress", () => {
  it("is the socket's address, whatever a client says, without a trusted proxy", () => {
    const headers = { forwarded: "for=6.6.6.6", "x-forwarded-for": "6.6.6.6" };
    expect(seen(headers, "203.0.113.7")).toBe("203.0.113.7");
    expect(seen(headers, "::ffff:203.0.113.7")).toBe("203.0.113.7");
    expect(seen(headers, "fe80::1%eth0")).toBe("fe80::1");
    expect(seen(headers, "")).toBeUndefined();
    expect(
      clientAddress(undefined, headers, { trustedProxies, forwardedHeader: "either" }),
    ).toBeUndefined();
  });

  it.each<[ForwardedHeaders, string]>([
    [{}, proxy],
    [{ "x-forwarded-for": "203.0.113.7" }, "203.0.113.7"],
    [{ "x-forwarded-for": "6.6.6.6, 203.0.113.7" }, "203.0.113.7"],
    [{ "x-forwarded-for": "203.0.113.7, 10.9.9.9, 2001:db8::5" }, "203.0.113.7"],
    [{ "x-forwarded-for": "203.0.113.7:4711,10.9.9.9:80" }, "203.0.113.7"],
    [{ "x-forwarded-for": "[2001:db9::1]:4711" }, "2001:db9::1"],
    [{ "x-forwarded-for": ["6.6.6.6", "203.0.113.7"] }, "203.0.113.7"],
    [{ "x-forwarded-for": "10.9.9.9" }, "10.9.9.9"],
    [{ "x-forwarded-for": "6.6.6.6, unknown" }, proxy],
    [{ "x-forwarded-for": "6.6.6.6, unknown, 10.9.9.9" }, "10.9.9.9"],
    [{ "x-forwarded-for": "6.6.6.6," }, proxy],
    [{ forwarded: "for=203.0.113.7" }, "203.0.113.7"],
    [{ forwarded: 'For="[2001:db9::1]:4711";proto=https;by=203.0.113.43' }, "2001:db9::1"],
    [{ forwarded: "for=6.6.6.6, for=203.0.113.7, for=10.9.9.9" }, "203.0.113.7"],
    [{ forwarded: "for=6.6.6.6, for=_hidden" }, proxy],
    [{ forwarded: "for=6.6.6.6, proto=https" }, proxy],
    [{ forwarded: "for=203.0.113.7", "x-forwarded-for": "203.0.113.7" }, "203.0.113.7"],
    [{ forwarded: "for=6.6.6.6", "x-forwarded-for": "203.0.113.7" }, proxy],
  ])("behind a proxy, for %j, is %s", (headers, expected) => {
    expect(seen(headers)).toBe(expected);
  });

  it("reads only the configured header", () => {
    const headers = { forwarded: "for=6.6.6.6", "x-forwarded-for": "203.0.113.7" };
    expect(seen(headers, proxy, "x-forwarded-for")).toBe("203.0.113.7");
    expect(seen(headers, proxy, "forwarded")).toBe("6.6.6.6");
    expect(seen({ forwarded: "for=6.6.6.6" }, proxy, "x-forwarded-for")).toBe(proxy);
  });

  it("stops after a bounded number of proxies", () => {
    const chain = Array.from({ length: 40 }, (_, at) => `10.0.0.${at}`).join(",");
    expect(seen({ "x-forwarded-for": `6.6.6.6,${chain}` })).toBe("10.0.0.24");
  });
});

describe("spoofing", () => {
  const piece = fc.constantFrom(
    "6.6.6.6",
    "for=6.6.6.6",
    ",",
    ";",
    '"',
    "\\",
    "=",
    " ",
    "[",
    "]",
    ":",
    "for=",
    "10.0.0.9",
    "x",
    '",for=6.6.6.6',
    "\t",
  );
  const written = fc.oneof(
    fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join("")),
    fc.string(),
    fc.constant("6.6.6.6,".repeat(5_000)),
  );
  const real = fc.constantFrom("203.0.113.7", "2001:db9::1");

  it("by X-Forwarded-For is impossible: what the proxy added counts", () => {
    fc.assert(
      fc.property(written, real, (forged, client) => {
        expect(seen({ "x-forwarded-for": `${forged}, ${client}` })).toBe(client);
      }),
      { numRuns: 1_000 },
    );
  });

  it("by Forwarded gives the client or, where the header is broken, the proxy", () => {
    fc.assert(
      fc.property(
        written,
        real,
        fc.constantFrom("", ";proto=https", ';host="a,b"'),
        (forged, client, rest) => {
          const added = client.includes(":")
            ? `for="[${client}]:443"${rest}`
            : `for=${client}${rest}`;
          const header = forged === "" ? added : `${forged}, ${added}`;
          expect([client, proxy]).toContain(seen({ forwarded: header }));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("by the header that the proxy does not set gives the client or the proxy", () => {
    fc.assert(
      fc.property(written, real, (forged, client) => {
        const result = seen({ forwarded: forged, "x-forwarded-for": client });
        expect([client, proxy]).toContain(result);
      }),
    );
  });
});

describe("readForwardedFor", () => {
  it("reads the examples of RFC 7239", () => {
    expect(readForwardedFor('for="_gazonk"')).toEqual(["_gazonk"]);
    expect(readForwardedFor('For="[2001:db8:cafe::17]:4711"')).toEqual([
      "[2001:db8:cafe::17]:4711",
    ]);
    expect(readForwardedFor("for=192.0.2.60;proto=http;by=203.0.113.43")).toEqual(["192.0.2.60"]);
    expect(readForwardedFor("for=192.0.2.43, for=198.51.100.17")).toEqual([
      "192.0.2.43",
      "198.51.100.17",
    ]);
    expect(readForwardedFor('by="a\\"b,c;for=x";for=y')).toEqual(["y"]);
  });

  it.each([
    "",
    "for",
    "for=",
    "for= x",
    "for=x,",
    ",for=x",
    "for=x;",
    'for="x',
    'for="x"y',
    "for=x y",
    "=x",
  ])("believes nothing of %j", (header) => {
    expect(readForwardedFor(header)).toEqual([]);
  });

  it("reads nothing of a header that is too long", () => {
    const header = `for=${"x".repeat(MAX_FORWARDED_BYTES)}`;
    expect(readForwardedFor(header)).toEqual([]);
    expect(readForwardedFor('for="'.repeat(1_000_000))).toEqual([]);
  });
});
