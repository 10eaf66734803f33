import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packAsPath } from "../../../domain/as-path.ts";
import type { BgpAttributes } from "../../../schemas/generated/events.ts";
import { AttributePacker, unpackAttributes } from "./packed-attributes.ts";

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const maybe = fc.option(uint32);
const bytes = fc.uint8Array({ maxLength: 80 });
const path = fc
  .array(
    fc.record({
      kind: fc.constantFrom("sequence" as const, "set" as const),
      asns: fc.array(uint32, { minLength: 1, maxLength: 5 }),
    }),
    { maxLength: 3 },
  )
  .map((segments) => packAsPath(segments) as Uint8Array);

const attributes: fc.Arbitrary<BgpAttributes> = fc.record({
  origin: fc.constantFrom("IGP", "EGP", "INCOMPLETE"),
  asPath: path,
  nextHop: fc.oneof(fc.constant("2001:db8::1"), fc.string({ unit: "binary", maxLength: 20 })),
  multiExitDisc: maybe,
  localPref: maybe,
  atomicAggregate: fc.boolean(),
  aggregatorAsn: maybe,
  aggregatorAddress: fc.constantFrom("", "192.0.2.1"),
  communities: bytes,
  extendedCommunities: bytes,
  largeCommunities: bytes,
  originatorId: fc.constantFrom("", "10.0.0.1"),
  clusterList: bytes,
});

describe("packed attributes", () => {
  it("give the attributes back, and equal bytes only for equal attributes", () => {
    const packer = new AttributePacker();
    fc.assert(
      fc.property(attributes, attributes, (one, other) => {
        const packed = packer.bytes.slice(0, packer.pack(one));
        const first = packer.bytes.slice(0, packer.pack(one));
        expect(first).toEqual(packer.bytes.slice(0, first.length));
        expect(unpackAttributes(first)).toEqual(one);
        const second = packer.bytes.slice(0, packer.pack(other));
        expect(unpackAttributes(second)).toEqual(other);
        expect(packed.length).toBe(first.length);
      }),
      { numRuns: 100 },
    );
  });
});
