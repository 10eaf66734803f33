import { describe, expect, it } from "vitest";
import { countPrefixes } from "../../domain/prefix-list.ts";
import { readEvents } from "./testing/mrt-reading.ts";
import {
  address,
  asPath,
  attribute,
  endpoints,
  message,
  record,
  route,
  routes,
  updateBody,
} from "./testing/mrt-writer.ts";

const external = { peerAsn: 64_500, localAsn: 12_654, peer: "192.0.2.1", local: "192.0.2.2" };
const internal = { ...external, localAsn: 64_500 };
const origin = attribute(0x40, 1, Buffer.from([0]));
const path = attribute(0x40, 2, asPath([[2, 64_500]], 2));
const hop = attribute(0x40, 3, address("192.0.2.1"));
const announced = routes([route("203.0.113.0/24"), route("198.51.100.0/24")]);
const aggregator = (asn: number): Buffer =>
  attribute(0xc0, 7, Buffer.concat([Buffer.from([asn >> 8, asn & 255]), address("192.0.2.7")]));

function read(attributes: readonly Uint8Array[], session = external, list: Uint8Array = announced) {
  const body = message(2, updateBody({ attributes, announced: list }));
  const bytes = Buffer.concat([endpoints(session, 2), body]);
  return readEvents(record({ seconds: 1, type: 16, subtype: 1 }, bytes));
}

const reach = (...tail: number[]): Buffer =>
  attribute(0x80, 14, Buffer.concat([Buffer.from([0, 2, 1, ...tail])]));

describe("treat as withdraw", () => {
  const cases: [string, readonly Uint8Array[]][] = [
    ["originMissing", [path, hop]],
    ["asPathMissing", [origin, hop]],
    ["nextHopMissing", [origin, path]],
    ["origin", [attribute(0x40, 1, Buffer.from([3])), path, hop]],
    ["origin", [attribute(0x40, 1, Buffer.from([0, 0])), path, hop]],
    ["attributeFlags", [attribute(0xc0, 1, Buffer.from([0])), path, hop]],
    ["attributeFlags", [origin, path, hop, attribute(0x40, 8, Buffer.alloc(4))]],
    ["asPath", [origin, attribute(0x40, 2, Buffer.from([2, 2, 0, 1])), hop]],
    ["asPath", [origin, attribute(0x40, 2, Buffer.from([2, 0])), hop]],
    ["asPath", [origin, attribute(0x40, 2, Buffer.from([9, 1, 0, 1])), hop]],
    ["asPath", [origin, attribute(0x40, 2, Buffer.from([2, 1, 0, 1, 2])), hop]],
    ["nextHop", [origin, path, attribute(0x40, 3, Buffer.alloc(5))]],
    ["multiExitDisc", [origin, path, hop, attribute(0x80, 4, Buffer.alloc(3))]],
    ["communities", [origin, path, hop, attribute(0xc0, 8, Buffer.alloc(5))]],
    ["communities", [origin, path, hop, attribute(0xc0, 8, Buffer.alloc(0))]],
    ["extendedCommunities", [origin, path, hop, attribute(0xc0, 16, Buffer.alloc(4))]],
    ["largeCommunities", [origin, path, hop, attribute(0xc0, 32, Buffer.alloc(8))]],
    ["attributeLength", [origin, path, hop, Buffer.from([0x40, 6])]],
    ["attributeLength", [origin, path, hop, Buffer.from([0x80, 4, 9, 0])]],
  ];
  for (const [reason, attributes] of cases) {
    it(`${reason}: ${Buffer.concat(attributes).toString("hex").slice(-16)}`, () => {
      const { events, stats } = read(attributes);
      expect(events).toHaveLength(1);
      const value = events[0]?.value;
      expect(value).toMatchObject({ message: "UPDATE", attributes: null, malformed: reason });
      expect(countPrefixes(value?.withdrawn as Uint8Array)).toBe(2);
      expect(value?.announced).toHaveLength(0);
      expect(stats.faults()).toMatchObject([{ effect: "treatedAsWithdraw", reason, count: 1 }]);
    });
  }

  it("judges local preference, originator and clusters of internal peers only", () => {
    const bad: [string, Buffer][] = [
      ["localPref", attribute(0x40, 5, Buffer.alloc(3))],
      ["originatorId", attribute(0x80, 9, Buffer.alloc(5))],
      ["clusterList", attribute(0x80, 10, Buffer.alloc(6))],
    ];
    for (const [reason, one] of bad) {
      expect(read([origin, path, hop, one], internal).events[0]?.value.malformed).toBe(reason);
      const outside = read([origin, path, hop, one]);
      expect(outside.events[0]?.value.malformed).toBe("");
      expect(outside.stats.faults()).toMatchObject([
        { effect: "attributeDiscarded", reason: `${reason}External`, count: 1 },
      ]);
    }
  });

  it("withdraws the routes before one that cannot be read", () => {
    const { events, stats } = read([origin, path, hop], external, Buffer.from([8, 10, 24, 1, 2]));
    expect([...(events[0]?.value.withdrawn ?? [])]).toEqual([0, 8, 10]);
    expect(events[0]?.value.malformed).toBe("nlri");
    expect(stats.faults()).toMatchObject([{ effect: "treatedAsWithdraw", reason: "nlri" }]);
    expect(read([origin, path, hop], external, Buffer.from([33, 1, 2, 3, 4, 5])).events).toEqual(
      [],
    );
  });
});

describe("attributes that are left out", () => {
  const sound = [origin, path, hop];
  const trans = attribute(0x40, 2, asPath([[2, 64_500, 23_456]], 2));
  const long = (...asns: number[]): Buffer => attribute(0xc0, 17, asPath([[2, ...asns]], 4));
  const longAggregator = attribute(
    0xc0,
    18,
    Buffer.concat([Buffer.from([0, 1, 0, 7]), address("192.0.2.8")]),
  );

  it("keep the routes", () => {
    const cases: [string, Buffer][] = [
      ["atomicAggregate", attribute(0x40, 6, Buffer.alloc(1))],
      ["aggregator", attribute(0xc0, 7, Buffer.alloc(5))],
      ["attributeRepeated", attribute(0x40, 1, Buffer.from([1]))],
      ["as4Path", attribute(0xc0, 17, Buffer.from([2, 2, 0, 0, 0, 1]))],
      ["as4Aggregator", attribute(0xc0, 18, Buffer.alloc(7))],
    ];
    for (const [reason, one] of cases) {
      const { events, stats } = read([...sound, one]);
      expect(events[0]?.value).toMatchObject({ malformed: "", attributes: { origin: "IGP" } });
      expect(events[0]?.value.attributes).toMatchObject({
        atomicAggregate: false,
        aggregatorAsn: null,
      });
      expect(stats.faults()).toMatchObject([{ effect: "attributeDiscarded", reason, count: 1 }]);
    }
  });

  it("join AS4_PATH and AS4_AGGREGATOR unless the aggregator is younger (RFC 6793)", () => {
    const joined = read([origin, trans, hop, long(70_001), aggregator(23_456), longAggregator]);
    expect(joined.events[0]?.value.attributes).toMatchObject({
      aggregatorAsn: 65_543,
      aggregatorAddress: "192.0.2.8",
      asPath: new Uint8Array([2, 2, 0, 0, 251, 244, 0, 1, 17, 113]),
    });
    const stale = read([origin, trans, hop, long(70_001), aggregator(64_511), longAggregator]);
    expect(stale.events[0]?.value.attributes).toMatchObject({
      aggregatorAsn: 64_511,
      aggregatorAddress: "192.0.2.7",
      asPath: new Uint8Array([2, 2, 0, 0, 251, 244, 0, 0, 91, 160]),
    });
  });
});

describe("messages that are skipped", () => {
  it("name the reason and the record, and the next one is read", () => {
    const good = Buffer.concat([
      endpoints(external, 2),
      message(2, updateBody({ attributes: [origin, path, hop], announced })),
    ]);
    const head = { seconds: 1, type: 16, subtype: 1 };
    const body = (attributes: readonly Uint8Array[]): Buffer =>
      Buffer.concat([endpoints(external, 2), message(2, updateBody({ attributes }))]);
    const unreach = attribute(0x80, 15, Buffer.from([0, 1, 1, 0]));
    const cut = Buffer.from(good.subarray(0, good.length - 1));
    const marker = Buffer.from(good);
    marker[20] = 0;
    const family = Buffer.from(good);
    family[7] = 9;
    const sizes = Buffer.from(good);
    sizes.writeUInt16BE(9_999, 16 + 19);
    const cases: [string, Buffer][] = [
      ["messageTruncated", cut],
      ["bgpMarker", marker],
      ["addressFamily", family],
      ["updateLength", sizes],
      ["multiprotocolRepeated", body([origin, path, hop, unreach, unreach])],
      ["mpReach", body([origin, path, reach(16, 1)])],
      ["mpReach", body([origin, path, reach(5, 1, 2, 3, 4, 5, 0)])],
      ["mpUnreach", body([attribute(0x80, 15, Buffer.from([0, 1]))])],
      ["recordTruncated", good.subarray(0, 30)],
    ];
    for (const [reason, bad] of cases) {
      const { events, stats } = readEvents(Buffer.concat([record(head, bad), record(head, good)]));
      expect(events).toHaveLength(1);
      expect(stats.faults()).toMatchObject([
        { effect: "skipped", reason, count: 1, firstOffset: 0 },
      ]);
    }
  });
});
