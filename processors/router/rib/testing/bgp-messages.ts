import { packAsPath } from "../../../../domain/as-path.ts";
import { parsePrefix } from "../../../../domain/prefix.ts";
import { NO_PATH_ID, PrefixListWriter } from "../../../../domain/prefix-list.ts";
import type { BgpAttributes, BgpMessage, BgpUpdate } from "../../../../schemas/generated/events.ts";
import type { Emitted } from "../../../../streams/processor.ts";

/** A prefix, with a path id where one is given. */
export interface ListedPrefix {
  readonly prefix: string;
  readonly pathId?: number;
}

const nothing = new Uint8Array(0);

/** The packed list of these prefixes; throws for a text that is none. */
export function packList(prefixes: readonly ListedPrefix[]): Uint8Array {
  const writer = new PrefixListWriter();
  for (const { prefix, pathId } of prefixes) {
    const parsed = parsePrefix(prefix);
    if (parsed === undefined) throw new Error(`no prefix: ${prefix}`);
    writer.add(parsed.family, parsed.bytes, 0, parsed.length, pathId ?? NO_PATH_ID);
  }
  return writer.toBytes();
}

/** Attributes with this AS path. */
export function attributesOf(asns: readonly number[]): BgpAttributes {
  const asPath = packAsPath(asns.length === 0 ? [] : [{ kind: "sequence", asns }]);
  if (!(asPath instanceof Uint8Array)) throw new Error("no AS path");
  return {
    origin: "IGP",
    asPath,
    nextHop: "192.0.2.1",
    multiExitDisc: null,
    localPref: null,
    atomicAggregate: false,
    aggregatorAsn: null,
    aggregatorAddress: "",
    communities: nothing,
    extendedCommunities: nothing,
    largeCommunities: nothing,
    originatorId: "",
    clusterList: nothing,
  };
}

/** A message of a live peer; what is not given is empty. */
export function bgpMessage(
  peer: string,
  given: {
    readonly message?: BgpMessage;
    readonly withdrawn?: readonly ListedPrefix[];
    readonly announced?: readonly ListedPrefix[];
    readonly path?: readonly number[];
    readonly family?: number;
    readonly live?: boolean;
  },
): Emitted<BgpUpdate> {
  return {
    peer,
    peerAsn: 64_500,
    peerAddress: "192.0.2.1",
    message: given.message ?? "UPDATE",
    family: given.family ?? 0,
    part: 0,
    partCount: 1,
    withdrawn: packList(given.withdrawn ?? []),
    announced: packList(given.announced ?? []),
    attributes: given.path === undefined ? null : attributesOf(given.path),
    malformed: "",
    live: given.live ?? true,
  };
}
