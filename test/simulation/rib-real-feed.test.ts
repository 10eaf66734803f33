import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../domain/address.ts";
import { mrtSourceSchema } from "../../gateways/bgp/config.ts";
import { openMrtSource } from "../../gateways/bgp/mrt-source.ts";
import { ribProcessor } from "../../processors/router/rib/processor.ts";
import { bgpMessage } from "../../processors/router/rib/testing/bgp-messages.ts";
import { type NaiveMessage, NaiveRib } from "../../processors/router/rib/testing/naive-rib.ts";
import type { BgpUpdate } from "../../schemas/generated/events.ts";
import type { SourceEvent } from "../../streams/source.ts";
import { TestDriver } from "../../streams/testing/test-driver.ts";
import { bgpFlaps, bgpPeers, bgpUpdates, deadLetters } from "../../streams/topics.ts";

const folder = "../shared/data/bgp";
const established = "6";
/** Routes of SAFI 2 in updates.20070211.0141, which the rib leaves out. */
const multicast = new Set(["2914 192.12.135.0/24", "2914 157.130.0.0/16"]);

/** The origin as the rib takes it: the last AS, or the only one of a last set; 0 for a set of several. */
function lastOrigin(path: string): readonly number[] {
  const last = path.trim().split(" ").at(-1) ?? "";
  const asns = last.replace(/[{}]/g, "").split(",").map(Number);
  return asns.length === 1 && asns[0] !== 0 ? (asns as number[]) : [];
}

/** The text of RFC 5952; bgpdump writes single zero groups as `::` too. */
function canonical(text: string): string {
  const address = parseAddress(text);
  return address === undefined ? text : formatAddress(address.bytes, 0, address.family);
}

/** What `bgpdump -m` says of the same file, line by line, without a byte of our parser. */
function* messagesOf(file: string): Generator<NaiveMessage> {
  const lines = gunzipSync(readFileSync(`${file}.expected.gz`))
    .toString("latin1")
    .split("\n");
  for (const line of lines) {
    const [, , what, address, asn, prefix, path] = line.split("|");
    const peer = `test/${asn}/${canonical(address ?? "")}`;
    const nothing = { peer, withdrawn: [], announced: [], path: [] };
    if (what === "STATE") {
      // bgpdump prints the old and the new state where others have prefix and path.
      if ((prefix === established) !== (path === established))
        yield { ...nothing, kind: "PEER_DOWN" };
    } else if (multicast.has(`${asn} ${prefix}`)) {
      // Not a unicast route; bgpdump prints both alike.
    } else if (what === "W") {
      yield { ...nothing, kind: "UPDATE", withdrawn: [{ prefix: prefix ?? "" }] };
    } else if (what === "A") {
      const announced = [{ prefix: prefix ?? "" }];
      yield { ...nothing, kind: "UPDATE", announced, path: lastOrigin(path ?? "") };
    }
  }
}

async function fold(file: string): Promise<{ flaps: string[]; routes: Map<string, number> }> {
  const source = await openMrtSource({
    path: file,
    ...mrtSourceSchema.parse({ collector: "test" }),
  });
  const driver = new TestDriver(ribProcessor({ peerWriteMs: 1 }));
  const last = new Map<string, number>();
  for await (const batch of source.read(undefined)) {
    for (const event of batch.events as readonly SourceEvent<BgpUpdate>[]) {
      driver.send(bgpUpdates, event.key, event.value, { eventMs: event.eventMs });
      last.set(event.key, event.eventMs);
    }
    driver.commit();
  }
  // A message without routes a second later, so that every peer is written once more.
  for (const [peer, eventMs] of last) {
    driver.send(bgpUpdates, peer, bgpMessage(peer, {}), { eventMs: eventMs + 1_000 });
  }
  expect(driver.outputs(deadLetters)).toEqual([]);
  const routes = new Map<string, number>();
  for (const { key, value } of driver.outputs(bgpPeers)) routes.set(key, value?.routes ?? 0);
  const flaps = driver
    .outputs(bgpFlaps)
    .map(({ value }) => `${value?.peer} ${value?.prefix} ${value?.change}`);
  return { flaps, routes };
}

describe("the rib on recorded updates", () => {
  for (const name of [
    "updates.20020722.2238.gz",
    "updates.20070211.0141.gz",
    "updates.20100722.2015.gz",
    "updates.long_withdrawal.gz",
  ]) {
    const file = `${folder}/${name}`;
    const skipped = existsSync(file) ? "" : `, skipped: needs ${file}`;
    it.skipIf(skipped !== "")(`agrees with bgpdump and maps on ${name}${skipped}`, async () => {
      const naive = new NaiveRib();
      for (const message of messagesOf(file)) naive.take(message);
      const { flaps, routes } = await fold(file);
      expect(flaps.length).toBe(naive.flaps.length);
      expect([...flaps].sort()).toEqual([...naive.flaps].sort());
      for (const [peer, count] of routes) {
        expect([peer, naive.peers.get(peer)?.routes.size ?? 0]).toEqual([peer, count]);
      }
    });
  }
});
