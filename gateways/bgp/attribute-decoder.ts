import { formatAddress } from "../../domain/address.ts";
import { AS_TRANS } from "../../domain/as-path.ts";
import type { BgpAttributes, BgpOrigin } from "../../schemas/generated/events.ts";
import { widenAsPath } from "./as4-path.ts";
import { type AttributeContext, discardFaults, withdrawFault } from "./attribute-rules.ts";
import type { AttributeScan } from "./attribute-scan.ts";
import { uint16, uint32 } from "./mrt-format.ts";
import { attribute } from "./path-attribute-codes.ts";
import type { UpdateFault } from "./update-fault.ts";

/** What RFC 7606 makes of one run of attributes. */
export interface AttributeVerdict {
  /** Null when the announced routes have to be treated as withdrawn. */
  readonly attributes: BgpAttributes | null;
  /** Why; empty when they have not. */
  readonly withdrawn: UpdateFault | "";
  /** Attributes that were left out, each with its reason. */
  readonly discarded: readonly UpdateFault[];
}

const origins: readonly BgpOrigin[] = ["IGP", "EGP", "INCOMPLETE"];
const none: Uint8Array = new Uint8Array(0);

/**
 * Judges and decodes scanned attributes. `nextHop` is the text of a next hop from MP_REACH_NLRI,
 * empty when NEXT_HOP holds it. The answer shares no memory with the message.
 */
export function decodeAttributes(
  scan: AttributeScan,
  context: AttributeContext,
  nextHop: string,
): AttributeVerdict {
  const withdrawn = withdrawFault(scan, context);
  if (withdrawn !== "") return { attributes: null, withdrawn, discarded: [] };
  const discarded = discardFaults(scan, context);
  const drop = (fault: UpdateFault): boolean => discarded.includes(fault);
  const { external, asnBytes } = context;
  const aggregated = scan.has(attribute.aggregator) && !drop("aggregator");
  const hasAs4 = asnBytes === 2 && scan.has(attribute.as4Aggregator) && !drop("as4Aggregator");
  const short = aggregated ? asnOf(scan, attribute.aggregator, asnBytes) : -1;
  // An aggregator that fits in 2 bytes was written after the long attributes: they are stale.
  const stale = hasAs4 && aggregated && short !== AS_TRANS;
  const long = hasAs4 && aggregated && !stale;
  const usesAs4Path = asnBytes === 2 && scan.has(attribute.as4Path) && !drop("as4Path") && !stale;
  const aggregator = long ? attribute.as4Aggregator : attribute.aggregator;
  const aggregatorAsnBytes = long ? 4 : asnBytes;
  const attributes: BgpAttributes = {
    origin: originOf(scan),
    asPath: pathOf(scan, asnBytes, usesAs4Path),
    nextHop: nextHop === "" ? addressOf(scan, attribute.nextHop, 0) : nextHop,
    multiExitDisc: numberOf(scan, attribute.multiExitDisc),
    localPref: external ? null : numberOf(scan, attribute.localPref),
    atomicAggregate: scan.has(attribute.atomicAggregate) && !drop("atomicAggregate"),
    aggregatorAsn: aggregated ? asnOf(scan, aggregator, aggregatorAsnBytes) : null,
    aggregatorAddress: aggregated ? addressOf(scan, aggregator, aggregatorAsnBytes) : "",
    communities: bytesOf(scan, attribute.communities),
    extendedCommunities: bytesOf(scan, attribute.extendedCommunities),
    largeCommunities: bytesOf(scan, attribute.largeCommunities),
    originatorId: external ? "" : addressOf(scan, attribute.originatorId, 0),
    clusterList: external ? none : bytesOf(scan, attribute.clusterList),
  };
  return { attributes, withdrawn: "", discarded };
}

function originOf(scan: AttributeScan): BgpOrigin {
  if (!scan.has(attribute.origin)) return "INCOMPLETE";
  return origins[scan.bytes[scan.startOf(attribute.origin)] as number] as BgpOrigin;
}

function pathOf(scan: AttributeScan, asnBytes: 2 | 4, usesAs4Path: boolean): Uint8Array {
  if (asnBytes === 4 || !scan.has(attribute.asPath)) return bytesOf(scan, attribute.asPath);
  const as4At = usesAs4Path ? scan.startOf(attribute.as4Path) : 0;
  const as4End = usesAs4Path ? scan.endOf(attribute.as4Path) : 0;
  const start = scan.startOf(attribute.asPath);
  return new Uint8Array(
    widenAsPath(scan.bytes, start, scan.endOf(attribute.asPath), as4At, as4End),
  );
}

function bytesOf(scan: AttributeScan, code: number): Uint8Array {
  if (!scan.has(code) || scan.sizeOf(code) === 0) return none;
  return new Uint8Array(scan.bytes.subarray(scan.startOf(code), scan.endOf(code)));
}

function numberOf(scan: AttributeScan, code: number): number | null {
  return scan.has(code) ? uint32(scan.bytes, scan.startOf(code)) : null;
}

function asnOf(scan: AttributeScan, code: number, asnBytes: 2 | 4): number {
  const at = scan.startOf(code);
  return asnBytes === 2 ? uint16(scan.bytes, at) : uint32(scan.bytes, at);
}

function addressOf(scan: AttributeScan, code: number, skip: number): string {
  return scan.has(code) ? formatAddress(scan.bytes, scan.startOf(code) + skip, 4) : "";
}
