import { NO_PATH_ID } from "../../domain/prefix-list.ts";
import {
  afi,
  type MrtView,
  type MrtVisitor,
  type RecordFault,
  ribSubtype,
  safi,
  uint16,
  uint32,
} from "./mrt-format.ts";
import type { PeerIndex } from "./peer-index.ts";

/** Where the path id of an entry stands: nowhere, before its attributes, or before the prefix. */
type PathIdPlace = "none" | "entry" | "prefix";

/**
 * Reads the RIB records of TABLE_DUMP_V2 (RFC 6396 sections 4.3.2 and 4.3.3, RFC 8050 section 4):
 * one prefix, and one entry for each peer that has a route to it.
 */
export function readRib(
  view: MrtView,
  peers: PeerIndex,
  visitor: MrtVisitor,
): RecordFault | undefined {
  switch (view.subtype) {
    case ribSubtype.ipv4Unicast:
      return readPrefix(view, 4, afi.ipv4, safi.unicast, "none", peers, visitor);
    case ribSubtype.ipv6Unicast:
      return readPrefix(view, 4, afi.ipv6, safi.unicast, "none", peers, visitor);
    case ribSubtype.ipv4UnicastAddPath:
      return readPrefix(view, 4, afi.ipv4, safi.unicast, "entry", peers, visitor);
    case ribSubtype.ipv6UnicastAddPath:
      return readPrefix(view, 4, afi.ipv6, safi.unicast, "entry", peers, visitor);
    case ribSubtype.ipv4Multicast:
      return readPrefix(view, 4, afi.ipv4, safi.multicast, "none", peers, visitor);
    case ribSubtype.ipv6Multicast:
      return readPrefix(view, 4, afi.ipv6, safi.multicast, "none", peers, visitor);
    case ribSubtype.ipv4MulticastAddPath:
      return readPrefix(view, 4, afi.ipv4, safi.multicast, "entry", peers, visitor);
    case ribSubtype.ipv6MulticastAddPath:
      return readPrefix(view, 4, afi.ipv6, safi.multicast, "entry", peers, visitor);
    case ribSubtype.generic:
      return readGeneric(view, "none", peers, visitor);
    case ribSubtype.genericAddPath:
      return readGeneric(view, genericPathIdPlace(view), peers, visitor);
    default:
      return "unsupportedSubtype";
  }
}

/** RIB_GENERIC names family and SAFI itself; only IPv4 and IPv6 unicast and multicast are routes to us. */
function readGeneric(
  view: MrtView,
  place: PathIdPlace,
  peers: PeerIndex,
  visitor: MrtVisitor,
): RecordFault | undefined {
  const { bytes, bodyStart, bodyEnd } = view;
  if (bodyEnd - bodyStart < 7) return "recordTruncated";
  const family = uint16(bytes, bodyStart + 4);
  const kind = bytes[bodyStart + 6] as number;
  if ((family !== afi.ipv4 && family !== afi.ipv6) || kind < safi.unicast || kind > safi.both) {
    return "addressFamily";
  }
  return readPrefix(view, 7, family, kind, place, peers, visitor);
}

/**
 * RFC 8050 puts the path id of RIB_GENERIC_ADDPATH before the prefix; GoBGP and OpenBGPD write it
 * into each entry. The layout whose entries end exactly where the record does is the right one.
 */
function genericPathIdPlace(view: MrtView): PathIdPlace {
  const at = view.bodyStart + 7;
  return entriesFit(view, at + 4, 0) || !entriesFit(view, at, 4) ? "prefix" : "entry";
}

function entriesFit(view: MrtView, lengthAt: number, pathIdBytes: 0 | 4): boolean {
  const { bytes, bodyEnd } = view;
  if (lengthAt >= bodyEnd) return false;
  let at = lengthAt + 1 + (((bytes[lengthAt] as number) + 7) >> 3);
  if (at + 2 > bodyEnd) return false;
  let count = uint16(bytes, at);
  at += 2;
  while (count > 0 && at + 8 + pathIdBytes <= bodyEnd) {
    at += 8 + pathIdBytes + uint16(bytes, at + 6 + pathIdBytes);
    count--;
  }
  return count === 0 && at === bodyEnd;
}

function readPrefix(
  view: MrtView,
  skip: number,
  family: number,
  kind: number,
  place: PathIdPlace,
  peers: PeerIndex,
  visitor: MrtVisitor,
): RecordFault | undefined {
  const { bytes, bodyEnd } = view;
  let at = view.bodyStart + skip;
  view.pathId = NO_PATH_ID;
  if (place === "prefix") {
    if (at + 4 > bodyEnd) return "recordTruncated";
    view.pathId = uint32(bytes, at);
    at += 4;
  }
  if (at >= bodyEnd) return "recordTruncated";
  const length = bytes[at] as number;
  if (length > (family === afi.ipv4 ? 32 : 128)) return "prefixLength";
  view.afi = family;
  view.safi = kind;
  view.prefixLength = length;
  view.prefixAt = at + 1;
  view.localAsn = 0;
  view.asnBytes = 4;
  view.addPath = place !== "none";
  at += 1 + ((length + 7) >> 3);
  if (at + 2 > bodyEnd) return "recordTruncated";
  return readEntries(view, at + 2, uint16(bytes, at), place === "entry", peers, visitor);
}

function readEntries(
  view: MrtView,
  from: number,
  count: number,
  withPathId: boolean,
  peers: PeerIndex,
  visitor: MrtVisitor,
): RecordFault | undefined {
  const { bytes, bodyEnd } = view;
  if (count > 0 && peers.count === 0) return "peerIndexMissing";
  const fixed = withPathId ? 12 : 8;
  let at = from;
  for (let entry = 0; entry < count; entry++) {
    if (at + fixed > bodyEnd) return "recordTruncated";
    const end = at + fixed + uint16(bytes, at + fixed - 2);
    if (!peers.describe(uint16(bytes, at), view)) {
      visitor.fault("peerIndex", view);
    } else {
      if (withPathId) view.pathId = uint32(bytes, at + 6);
      view.attributesStart = at + fixed;
      view.attributesEnd = Math.min(end, bodyEnd);
      view.attributesCut = end > bodyEnd;
      visitor.ribEntry(view);
    }
    at = end;
  }
  return undefined;
}
