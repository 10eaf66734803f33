import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TestDriver } from "../../../streams/testing/test-driver.ts";
import {
  bgpFlaps,
  bgpPeers,
  bgpUpdates,
  deadLetters,
  nodeInventory,
  prefixViews,
  taskCommits,
} from "../../../streams/topics.ts";
import { ribProcessor } from "./processor.ts";
import { bgpMessage, type ListedPrefix } from "./testing/bgp-messages.ts";
import { type NaiveMessage, NaiveRib } from "./testing/naive-rib.ts";

const startMs = 1_800_000_000_000;

function register(driver: TestDriver, prefixes: readonly string[], nodeId = "SAO"): void {
  const value = {
    nodeId,
    place: "",
    country: "BR",
    region: "",
    latitude: 0,
    longitude: 0,
    baseUrl: "",
    capacityRps: 1,
    serviceTimeMs: 1,
    prefixes,
    originAsns: [],
    protocols: [],
    jurisdiction: "BR",
    synthetic: true,
  };
  driver.send(nodeInventory, nodeId, value, { eventMs: startMs });
}

class Feed {
  readonly driver: TestDriver;
  #atMs = startMs;

  constructor(driver: TestDriver) {
    this.driver = driver;
  }

  send(peer: string, given: Parameters<typeof bgpMessage>[1], stepMs = 1_000): void {
    this.#atMs += stepMs;
    this.driver.send(bgpUpdates, peer, bgpMessage(peer, given), { eventMs: this.#atMs });
  }
}

const p = (prefix: string): ListedPrefix[] => [{ prefix }];

describe("the rib", () => {
  it("says a re-announcement after a withdrawal, and a change of origin", () => {
    const driver = new TestDriver(ribProcessor());
    const feed = new Feed(driver);
    feed.send("c/1/a", { announced: p("192.0.2.0/24"), path: [1, 2, 3] });
    feed.send("c/1/a", { announced: p("192.0.2.0/24"), path: [1, 9, 3] });
    feed.send("c/1/a", { withdrawn: p("192.0.2.0/24") });
    feed.send("c/1/a", { announced: p("192.0.2.0/24"), path: [1, 2, 3] });
    feed.send("c/1/a", { announced: p("192.0.2.0/24"), path: [1, 2, 4] });
    expect(driver.outputs(bgpFlaps).map(({ key, value }) => ({ ...value, key }))).toMatchObject([
      {
        key: "c/1/a|192.0.2.0/24",
        change: "REANNOUNCED",
        originAsn: 3,
        previousOriginAsn: 3,
        withdrawnMs: startMs + 3_000,
      },
      { change: "ORIGIN_CHANGED", originAsn: 4, previousOriginAsn: 3, withdrawnMs: 0 },
    ]);
  });

  it("does not take a message that withdraws and announces a prefix for a flap", () => {
    const driver = new TestDriver(ribProcessor());
    const feed = new Feed(driver);
    const prefix = p("192.0.2.0/24");
    feed.send("c/1/a", { announced: prefix, path: [1, 2] });
    feed.send("c/1/a", { withdrawn: prefix, announced: prefix, path: [1, 5, 2] });
    expect(driver.outputs(bgpFlaps)).toEqual([]);
  });

  it("forgets withdrawals by time and by number", () => {
    const driver = new TestDriver(ribProcessor({ flapMemoryMs: 5_000, flapMemoryRoutes: 2 }));
    const feed = new Feed(driver);
    feed.send("c/1/a", { announced: p("10.0.0.0/8"), path: [1] });
    feed.send("c/1/a", { withdrawn: p("10.0.0.0/8") });
    feed.send("c/1/a", { announced: p("10.0.0.0/8"), path: [1] }, 5_001);
    expect(driver.outputs(bgpFlaps)).toEqual([]);
    const three = ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"].map((prefix) => ({ prefix }));
    feed.send("c/1/a", { withdrawn: three });
    feed.send("c/1/a", { announced: three, path: [1] });
    expect(driver.outputs(bgpFlaps).map(({ value }) => value?.prefix)).toEqual([
      "11.0.0.0/8",
      "12.0.0.0/8",
    ]);
  });

  it("writes a peer when its state changes and every 10 s", () => {
    const driver = new TestDriver(ribProcessor());
    const feed = new Feed(driver);
    for (let second = 0; second < 25; second++) {
      feed.send("c/1/a", { announced: p(`10.${second}.0.0/16`), path: [1] });
    }
    feed.send("c/1/a", { message: "END_OF_RIB" });
    feed.send("c/1/a", { message: "PEER_DOWN" });
    const written = driver.outputs(bgpPeers).map(({ value }) => value);
    expect(written.map((peer) => [peer?.up, peer?.fullTable, peer?.routes])).toEqual([
      [true, false, 1],
      [true, false, 11],
      [true, false, 21],
      [true, true, 25],
      [false, false, 0],
    ]);
  });

  it("says absence only where the peer's table is complete or the peer withdrew the prefix", () => {
    const driver = new TestDriver(ribProcessor());
    const feed = new Feed(driver);
    register(driver, ["192.0.2.0/24"]);
    feed.send("c/1/a", { announced: p("10.0.0.0/8"), path: [1] });
    feed.send("c/2/b", { withdrawn: p("192.0.2.0/24") });
    feed.send("c/3/c", { announced: p("192.0.0.0/16"), path: [3, 33] });
    feed.send("c/3/c", { announced: p("0.0.0.0/0"), path: [3, 34] });
    feed.send("c/4/d", { message: "END_OF_RIB", family: 4 });
    feed.send("c/5/e", { message: "END_OF_RIB", family: 6 });
    const views = driver.outputs(prefixViews).map(({ key, value }) => [key, value?.visible]);
    expect(views).toEqual([
      ["192.0.2.0/24|c/2/b", false],
      ["192.0.2.0/24|c/3/c", true],
      ["192.0.2.0/24|c/4/d", false],
    ]);
    feed.send("c/3/c", { withdrawn: p("192.0.0.0/16") });
    feed.send("c/4/d", { message: "PEER_DOWN" });
    expect(driver.outputs(prefixViews).map(({ key, value }) => [key, value?.visible])).toEqual([
      ["192.0.2.0/24|c/3/c", false],
      ["192.0.2.0/24|c/4/d", undefined],
    ]);
  });

  it("looks up a prefix that is registered later, and forgets one that is no longer", () => {
    const driver = new TestDriver(ribProcessor());
    const feed = new Feed(driver);
    feed.send("c/1/a", { announced: p("2001:db8::/32"), path: [1, 2] });
    register(driver, ["2001:db8:1::/48"]);
    register(driver, ["2001:db8:1::/48", "not a prefix"], "FRA");
    expect(driver.outputs(prefixViews)).toMatchObject([
      {
        key: "2001:db8:1::/48|c/1/a",
        value: { visible: true, seenPrefix: "2001:db8::/32", originAsn: 2, pathLength: 2 },
      },
    ]);
    register(driver, []);
    expect(driver.outputs(prefixViews)).toEqual([]);
    register(driver, [], "FRA");
    expect(driver.outputs(prefixViews)).toEqual([
      expect.objectContaining({ key: "2001:db8:1::/48|c/1/a", value: null }),
    ]);
  });

  it("sends a list that cannot be read to the dead letters and folds nothing of it", () => {
    const driver = new TestDriver(ribProcessor());
    const good = bgpMessage("c/1/a", { announced: p("10.0.0.0/8"), path: [1] });
    const announced = new Uint8Array([...good.announced, 0, 33, 1, 2, 3, 4, 5]);
    const value = { ...good, announced };
    driver.send(bgpUpdates, "c/1/a", value, { eventMs: startMs });
    expect(driver.outputs(deadLetters).map((output) => output.value?.code)).toEqual([
      "OCDN_UNDECODABLE",
    ]);
    expect(driver.outputs(bgpPeers)).toEqual([]);
  });

  it("frees what a lost session leaves behind", () => {
    const driver = new TestDriver(ribProcessor({ sweepEvery: 1 }));
    const feed = new Feed(driver);
    for (let i = 0; i < 200; i++) {
      feed.send("c/1/a", { announced: p(`${i + 1}.0.0.0/8`), path: [1, i + 2] });
    }
    feed.send("c/1/a", { message: "PEER_DOWN" });
    for (let i = 0; i < 256; i++) feed.send("c/2/b", { announced: p("10.0.0.0/8"), path: [5] });
    const sizes = new Map<string, number>();
    for (const { value } of driver.outputs(taskCommits)) {
      for (const { store, entries } of value?.stores ?? []) sizes.set(store, entries);
    }
    expect(Object.fromEntries(sizes)).toMatchObject({
      routes: 1,
      attributes: 1,
    });
  });
});

const prefixes = [
  "10.0.0.0/8",
  "10.1.0.0/16",
  "10.1.1.0/24",
  "11.0.0.0/8",
  "2001:db8::/32",
  "0.0.0.0/0",
];
const listed = fc.array(
  fc.record(
    {
      prefix: fc.constantFrom(...prefixes),
      pathId: fc.constantFrom(0, 7, 4_294_967_295),
    },
    { requiredKeys: ["prefix"] },
  ),
  { maxLength: 4 },
);
const messages: fc.Arbitrary<NaiveMessage[]> = fc.array(
  fc.record({
    peer: fc.constantFrom("c/1/a", "c/2/b"),
    kind: fc.oneof(
      { weight: 12, arbitrary: fc.constant("UPDATE" as const) },
      { weight: 3, arbitrary: fc.constant("RIB_ENTRY" as const) },
      {
        weight: 2,
        arbitrary: fc.constantFrom("DUMP_BEGIN", "DUMP_END", "PEER_DOWN", "END_OF_RIB"),
      },
    ),
    withdrawn: listed,
    announced: listed,
    path: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  }) as fc.Arbitrary<NaiveMessage>,
  { maxLength: 50 },
);

describe("the rib on random messages", () => {
  it("agrees with a rib of maps in routes, flaps and views", () => {
    fc.assert(
      fc.property(messages, (sent) => {
        const driver = new TestDriver(ribProcessor({ peerWriteMs: 1, sweepEvery: 3 }));
        const feed = new Feed(driver);
        const naive = new NaiveRib();
        register(driver, prefixes.slice(0, 5));
        const views = new Map<string, unknown>();
        const flaps: string[] = [];
        for (const message of sent) {
          naive.take(message);
          feed.send(message.peer, { ...message, message: message.kind });
          const peers = driver.outputs(bgpPeers);
          expect(peers.at(-1)?.value?.routes).toBe(naive.peers.get(message.peer)?.routes.size);
          for (const { value } of driver.outputs(bgpFlaps)) {
            flaps.push(`${value?.peer} ${value?.prefix} ${value?.change}`);
          }
          for (const { key, value } of driver.outputs(prefixViews)) views.set(key, value);
        }
        expect(flaps).toEqual(naive.flaps);
        for (const peer of naive.peers.keys()) {
          for (const prefix of prefixes.slice(0, 5)) {
            const want = naive.view(peer, prefix);
            const got = views.get(`${prefix}|${peer}`) ?? { visible: false };
            if (want === undefined) {
              expect(got).toMatchObject({ visible: false });
            } else {
              expect(got).toMatchObject({
                visible: true,
                seenPrefix: want.seenPrefix,
                pathLength: want.path.length,
              });
            }
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it("gives the same outputs and stores wherever commits fall", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.boolean(), { maxLength: 50 }), (sent, commits) => {
        const run = (commitAfter: (index: number) => boolean) => {
          const driver = new TestDriver(ribProcessor({ sweepEvery: 3 }));
          const feed = new Feed(driver);
          register(driver, prefixes.slice(0, 3));
          sent.forEach((message, index) => {
            feed.send(message.peer, { ...message, message: message.kind });
            if (commitAfter(index)) driver.commit();
          });
          const outputs = [bgpFlaps, bgpPeers, prefixViews].map((topic) =>
            driver.outputs(topic as typeof bgpFlaps),
          );
          const digests = new Map<string, string>();
          for (const { value } of driver.outputs(taskCommits)) {
            for (const { store, entries, digest } of value?.stores ?? []) {
              digests.set(store, `${entries} ${Buffer.from(digest).toString("hex")}`);
            }
          }
          // A store that was filled and emptied within one commit was never listed.
          const kept = [...digests].filter(([, digest]) => !digest.startsWith("0 ")).sort();
          return { outputs, kept };
        };
        expect(run((index) => commits[index] === true)).toEqual(run(() => false));
      }),
      { numRuns: 25 },
    );
  });
});
