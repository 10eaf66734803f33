import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { seeded } from "../../gateways/bgp/testing/mrt-generator.ts";
import {
  address,
  asPath,
  attribute,
  endpoints,
  message,
  record,
  route,
  routes,
  type UpdateParts,
  updateBody,
} from "../../gateways/bgp/testing/mrt-writer.ts";
import type { PrefixVisibility } from "../../schemas/generated/events.ts";
import { readTable } from "../../streams/table-reader.ts";
import { prefixVisibility } from "../../streams/topics.ts";
import { runSeed } from "../kits/seed.ts";
import { UpSystem, until } from "../kits/up-system.ts";

const prefix = "203.0.113.0/24";
const originAsn = 64_500;
const brazil = "200.160.2.3";
const brazilians = Array.from({ length: 30 }, (_, index) => `200.160.${index}.3`);
/** The file's seconds: when the prefix is withdrawn, and when the feed ends. */
const withdrawnAt = 40;
const endsAt = 80;
const speed = 4;
const silenceMs = 6_000;

const peers = [64_601, 64_602, 64_603, 64_604, 64_605];

/** One BGP message of a peer as a record of type BGP4MP (RFC 6396 section 4.4). */
function update(seconds: number, peer: number, parts: UpdateParts): Buffer {
  const session = {
    peerAsn: peers[peer] as number,
    localAsn: 64_999,
    peer: `192.0.2.${peer + 1}`,
    local: "192.0.2.254",
  };
  const body = Buffer.concat([endpoints(session, 4), message(2, updateBody(parts))]);
  return record({ seconds: 1_700_000_000 + seconds, type: 16, subtype: 4 }, body);
}

function announcement(peer: number, prefixes: readonly string[], origin: number): UpdateParts {
  const neighbour = peers[peer] as number;
  return {
    attributes: [
      attribute(0x40, 1, Uint8Array.of(0)),
      attribute(0x40, 2, asPath([[2, neighbour, 65_010, origin]], 4)),
      attribute(0x40, 3, address(`192.0.2.${peer + 1}`)),
    ],
    announced: routes(prefixes.map((text) => route(text))),
  };
}

/**
 * A feed of five peers: each announces 200 prefixes and SAO's, goes on with other news every second, withdraws SAO's
 * prefix at `withdrawnAt`, and goes on until `endsAt`.
 */
function feed(): Buffer {
  const random = seeded(runSeed);
  const other = (): string =>
    `${60 + Math.floor(random() * 30)}.${Math.floor(random() * 256)}.${Math.floor(random() * 256)}.0/24`;
  const records: Buffer[] = [];
  for (let second = 0; second <= endsAt; second++) {
    for (const peer of peers.keys()) {
      if (second === 0) {
        const table = Array.from({ length: 200 }, other);
        records.push(update(second, peer, announcement(peer, table, 65_020)));
        records.push(update(second, peer, announcement(peer, [prefix], originAsn)));
      }
      if (second === withdrawnAt) {
        records.push(update(second, peer, { withdrawn: routes([route(prefix)]) }));
      }
      records.push(update(second, peer, announcement(peer, [other(), other()], 65_030)));
    }
  }
  return Buffer.concat(records);
}

interface Explained {
  readonly pick: { readonly nodeId: string };
  readonly why: {
    readonly candidates: readonly {
      readonly nodeId: string;
      readonly masked: boolean;
      readonly reasons: readonly string[];
    }[];
  };
}

describe(`a prefix that the internet no longer sees (OPENCDN_SEED=${runSeed})`, () => {
  let system: UpSystem;

  beforeAll(async () => {
    const fleet = parse(await readFile("cli/demo/fleet.yaml", "utf8")) as {
      nodes: Record<string, Record<string, unknown>>;
    };
    fleet.nodes["SAO"] = { ...fleet.nodes["SAO"], prefixes: [prefix], originAsns: [originAsn] };
    const file = path.join(await UpSystem.newFolder(), "fleet.yaml");
    await writeFile(file, stringify(fleet));
    system = await UpSystem.start({
      folder: path.dirname(file),
      settings: { processors: { visibility: { silenceMs }, rib: { peerWriteMs: 1_000 } } },
      args: ["--fleet", file],
    });
  });

  afterAll(async () => {
    await system?.dispose();
  });

  it("takes the node's clients away with NOT_VISIBLE, and silence gives them back", async () => {
    const mrt = path.join(system.folder, "feed.mrt");
    await writeFile(mrt, feed());
    const log = await system.log();
    const seen = async (
      state: PrefixVisibility["state"],
    ): Promise<PrefixVisibility | undefined> => {
      const view = (await readTable(log, prefixVisibility)).get(prefix);
      return view?.state === state ? view : undefined;
    };
    const nodes = async (): Promise<Set<string>> =>
      new Set((await system.nodesOf(brazilians)).values());
    const saoOf = (explained: Explained | undefined) =>
      explained?.why.candidates.find(({ nodeId }) => nodeId === "SAO");
    const explain = async (): Promise<Explained | undefined> =>
      (await system.json<Explained>("route", "--ip", brazil))[0];
    try {
      await until("SAO's clients", async () => (await nodes()).has("SAO") || undefined);
      const ingest = system.json<{ readonly files: readonly { readonly faults: number }[] }>(
        ...["ingest", "mrt", mrt, "--rebase", "now", "--speed", String(speed)],
      );
      expect(await until("the prefix", () => seen("YES"))).toMatchObject({
        livePeers: peers.length,
        seeingPeers: peers.length,
        origins: [originAsn],
        wrongOrigin: false,
      });
      const before = await explain();
      expect(before?.pick.nodeId).toBe("SAO");
      expect(saoOf(before)).toMatchObject({ masked: false });
      expect((await nodes()).has("SAO")).toBe(true);

      expect(await until("the withdrawal", () => seen("NO"))).toMatchObject({
        livePeers: peers.length,
        seeingPeers: 0,
        reason: "NOT_SEEN",
      });
      const left = await until("the last of SAO's clients", async () => {
        const now = await nodes();
        return now.has("SAO") ? undefined : now;
      });
      expect([...left].filter((node) => !["TYO", "FRA", "IAD"].includes(node))).toEqual([]);
      const during = await explain();
      expect(during?.pick.nodeId).not.toBe("SAO");
      expect(saoOf(during)).toMatchObject({
        masked: true,
        reasons: expect.arrayContaining(["NOT_VISIBLE"]),
      });

      expect((await ingest)[0]?.files).toMatchObject([{ faults: 0 }]);
      // The feed is silent from here on: what it said last is no news about now.
      expect(await until("the silence", () => seen("UNKNOWN"))).toMatchObject({
        reason: "FEED_SILENT",
      });
      await until("SAO's clients", async () => (await nodes()).has("SAO") || undefined);
      const after = await until("the explanation", async () => {
        const now = await explain();
        return now?.pick.nodeId === "SAO" ? now : undefined;
      });
      expect(saoOf(after)).toMatchObject({ masked: false });
      expect(saoOf(after)?.reasons).not.toContain("NOT_VISIBLE");
    } finally {
      await log.close();
    }
  }, 90_000);
});
