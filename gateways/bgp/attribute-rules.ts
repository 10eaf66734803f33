import { checkAsPath } from "../../domain/as-path.ts";
import type { AttributeScan } from "./attribute-scan.ts";
import { attribute } from "./path-attribute-codes.ts";
import type { UpdateFault } from "./update-fault.ts";

/** What the rules need to know beside the attributes. */
export interface AttributeContext {
  readonly asnBytes: 2 | 4;
  /** The peer is in another AS than the collector. */
  readonly external: boolean;
  /**
   * The attributes stand in a table dump: the collector accepted them and wrote them anew, and for
   * routes of its own wrote none. So flags are not judged and any attribute may be absent.
   */
  readonly dumped: boolean;
  /** NEXT_HOP is the next hop; otherwise MP_REACH_NLRI has it, or there is none. */
  readonly needsNextHop: boolean;
}

const MAX_ORIGIN = 2;

/**
 * The fault that makes the announced routes withdrawn (RFC 7606 sections 3, 4 and 7, RFC 8092
 * section 6), empty when there is none.
 */
export function withdrawFault(scan: AttributeScan, context: AttributeContext): UpdateFault | "" {
  if (scan.fault !== "") return scan.fault;
  if (!context.dumped) {
    if (scan.wrongFlags) return "attributeFlags";
    if (!scan.has(attribute.origin)) return "originMissing";
    if (!scan.has(attribute.asPath)) return "asPathMissing";
    if (context.needsNextHop && !scan.has(attribute.nextHop)) return "nextHopMissing";
  }
  if (!originSound(scan)) return "origin";
  if (!pathSound(scan, attribute.asPath, context.asnBytes)) return "asPath";
  if (!hasSize(scan, attribute.nextHop, 4)) return "nextHop";
  return sizeFault(scan, context);
}

function originSound(scan: AttributeScan): boolean {
  if (!scan.has(attribute.origin)) return true;
  const at = scan.startOf(attribute.origin);
  return scan.sizeOf(attribute.origin) === 1 && (scan.bytes[at] as number) <= MAX_ORIGIN;
}

function pathSound(scan: AttributeScan, code: number, asnBytes: 2 | 4): boolean {
  if (!scan.has(code)) return true;
  return checkAsPath(scan.bytes, scan.startOf(code), scan.endOf(code), asnBytes) === undefined;
}

function sizeFault(scan: AttributeScan, context: AttributeContext): UpdateFault | "" {
  if (!hasSize(scan, attribute.multiExitDisc, 4)) return "multiExitDisc";
  if (!hasUnits(scan, attribute.communities, 4)) return "communities";
  if (!hasUnits(scan, attribute.extendedCommunities, 8)) return "extendedCommunities";
  if (!hasUnits(scan, attribute.largeCommunities, 12)) return "largeCommunities";
  if (context.external) return "";
  if (!hasSize(scan, attribute.localPref, 4)) return "localPref";
  if (!hasSize(scan, attribute.originatorId, 4)) return "originatorId";
  if (!hasUnits(scan, attribute.clusterList, 4)) return "clusterList";
  return "";
}

/** Absent, or exactly this long. */
function hasSize(scan: AttributeScan, code: number, size: number): boolean {
  return !scan.has(code) || scan.sizeOf(code) === size;
}

/** Absent, or one unit or more and no part of one. */
function hasUnits(scan: AttributeScan, code: number, unit: number): boolean {
  if (!scan.has(code)) return true;
  const size = scan.sizeOf(code);
  return size > 0 && size % unit === 0;
}

/**
 * Attributes of a message that is otherwise sound that have to be left out (RFC 7606 sections 3.g,
 * 7.5 to 7.7, 7.9, 7.10; RFC 6793 section 6), each once for every reason.
 */
export function discardFaults(scan: AttributeScan, context: AttributeContext): UpdateFault[] {
  const faults: UpdateFault[] = [];
  for (let copy = 0; copy < scan.repeated; copy++) faults.push("attributeRepeated");
  if (scan.has(attribute.atomicAggregate) && scan.sizeOf(attribute.atomicAggregate) !== 0) {
    faults.push("atomicAggregate");
  }
  if (!hasSize(scan, attribute.aggregator, context.asnBytes + 4)) faults.push("aggregator");
  if (context.external) {
    if (scan.has(attribute.localPref)) faults.push("localPrefExternal");
    if (scan.has(attribute.originatorId)) faults.push("originatorIdExternal");
    if (scan.has(attribute.clusterList)) faults.push("clusterListExternal");
  }
  if (context.asnBytes === 4) {
    if (scan.has(attribute.as4Path)) faults.push("as4PathNeedless");
    if (scan.has(attribute.as4Aggregator)) faults.push("as4AggregatorNeedless");
  } else {
    if (!as4PathSound(scan)) faults.push("as4Path");
    if (!hasSize(scan, attribute.as4Aggregator, 8)) faults.push("as4Aggregator");
  }
  return faults;
}

function as4PathSound(scan: AttributeScan): boolean {
  const code = attribute.as4Path;
  return !scan.has(code) || (scan.sizeOf(code) >= 6 && pathSound(scan, code, 4));
}
