import { addressBytes } from "../../domain/address.ts";
import { NO_PATH_ID } from "../../domain/prefix-list.ts";
import {
  afi,
  bgp4mpSubtype,
  bgpMessage,
  bgpSubtype,
  type MrtView,
  type MrtVisitor,
  mrtType,
  type RecordFault,
  ribSubtype,
  safi,
  tableDumpSubtype,
  uint16,
  uint32,
} from "./mrt-format.ts";
import type { PeerIndex } from "./peer-index.ts";
import { readRib } from "./rib-records.ts";

const BGP_HEADER_BYTES = 19;
const MARKER_BYTES = 16;
const ZEBRA_SHORT_STATE_CHANGE = 8;

/**
 * Interprets one framed record and calls the visitor for what it holds. Reads nothing outside the
 * record's body; what is damaged goes to `fault` and the next record is unaffected. Records that
 * carry no BGP (OSPF, IS-IS, the deprecated control types) are passed over in silence.
 */
export function readRecord(view: MrtView, peers: PeerIndex, visitor: MrtVisitor): void {
  const fault = readBody(view, peers, visitor);
  if (fault !== undefined) visitor.fault(fault, view);
}

function readBody(view: MrtView, peers: PeerIndex, visitor: MrtVisitor): RecordFault | undefined {
  switch (view.type) {
    case mrtType.bgp4mpEt:
      if (view.bodyEnd - view.bodyStart < 4) return "recordTruncated";
      view.microseconds = uint32(view.bytes, view.bodyStart);
      view.bodyStart += 4;
      return readBgp4mp(view, visitor);
    case mrtType.bgp4mp:
      return readBgp4mp(view, visitor);
    case mrtType.tableDump:
      return readTableDump(view, visitor);
    case mrtType.tableDumpV2:
      return readTableDumpV2(view, peers, visitor);
    case mrtType.bgp:
      return readBgp(view, visitor);
    default:
      return undefined;
  }
}

function readTableDumpV2(
  view: MrtView,
  peers: PeerIndex,
  visitor: MrtVisitor,
): RecordFault | undefined {
  if (view.subtype !== ribSubtype.peerIndexTable) return readRib(view, peers, visitor);
  if (!peers.read(view)) return "peerIndexTable";
  visitor.peerIndex(view);
  return undefined;
}

function readBgp4mp(view: MrtView, visitor: MrtVisitor): RecordFault | undefined {
  switch (view.subtype) {
    case bgp4mpSubtype.stateChange:
      return readStateChange(view, 2, visitor);
    case bgp4mpSubtype.stateChangeAs4:
      return readStateChange(view, 4, visitor);
    case bgp4mpSubtype.message:
      return readMessage(view, 2, false, false, visitor);
    case bgp4mpSubtype.messageAs4:
      return readMessage(view, 4, false, false, visitor);
    case bgp4mpSubtype.messageLocal:
      return readMessage(view, 2, true, false, visitor);
    case bgp4mpSubtype.messageAs4Local:
      return readMessage(view, 4, true, false, visitor);
    case bgp4mpSubtype.messageAddPath:
      return readMessage(view, 2, false, true, visitor);
    case bgp4mpSubtype.messageAs4AddPath:
      return readMessage(view, 4, false, true, visitor);
    case bgp4mpSubtype.messageLocalAddPath:
      return readMessage(view, 2, true, true, visitor);
    case bgp4mpSubtype.messageAs4LocalAddPath:
      return readMessage(view, 4, true, true, visitor);
    default:
      return "unsupportedSubtype";
  }
}

/**
 * Reads the two ASNs, interface, family and two addresses that begin every BGP4MP body. Returns
 * where they end, or a fault. The peer always comes first, also in a local message.
 */
function readEndpoints(view: MrtView, asnBytes: 2 | 4): number | RecordFault {
  const { bytes, bodyStart, bodyEnd } = view;
  const familyAt = bodyStart + 2 * asnBytes + 2;
  if (familyAt + 2 > bodyEnd) return "recordTruncated";
  view.peerAsn = asnBytes === 2 ? uint16(bytes, bodyStart) : uint32(bytes, bodyStart);
  view.localAsn = asnBytes === 2 ? uint16(bytes, bodyStart + 2) : uint32(bytes, bodyStart + 4);
  view.asnBytes = asnBytes;
  const family = uint16(bytes, familyAt);
  if (family !== afi.ipv4 && family !== afi.ipv6) return "addressFamily";
  view.peerFamily = family === afi.ipv4 ? 4 : 6;
  view.peerBytes = bytes;
  view.peerAt = familyAt + 2;
  const end = view.peerAt + 2 * addressBytes(view.peerFamily);
  if (end > bodyEnd) return "recordTruncated";
  return end;
}

function readStateChange(
  view: MrtView,
  asnBytes: 2 | 4,
  visitor: MrtVisitor,
): RecordFault | undefined {
  const { bytes, bodyStart, bodyEnd } = view;
  if (bodyEnd - bodyStart === ZEBRA_SHORT_STATE_CHANGE && asnBytes === 2) {
    return readShortStateChange(view, visitor);
  }
  const at = readEndpoints(view, asnBytes);
  if (typeof at === "string") return at;
  if (at + 4 !== bodyEnd) return "stateChangeLength";
  view.oldState = uint16(bytes, at);
  view.newState = uint16(bytes, at + 2);
  visitor.stateChange(view);
  return undefined;
}

/** Old versions of Zebra left family and addresses out; the peer then is 0.0.0.0. */
function readShortStateChange(view: MrtView, visitor: MrtVisitor): RecordFault | undefined {
  const { bytes, bodyStart } = view;
  view.peerAsn = uint16(bytes, bodyStart);
  view.localAsn = uint16(bytes, bodyStart + 2);
  view.asnBytes = 2;
  view.peerFamily = 4;
  view.peerBytes = unknownAddress;
  view.peerAt = 0;
  view.oldState = uint16(bytes, bodyStart + 4);
  view.newState = uint16(bytes, bodyStart + 6);
  visitor.stateChange(view);
  return undefined;
}

const unknownAddress: Uint8Array = new Uint8Array(16);

function readMessage(
  view: MrtView,
  asnBytes: 2 | 4,
  local: boolean,
  addPath: boolean,
  visitor: MrtVisitor,
): RecordFault | undefined {
  const { bytes, bodyEnd } = view;
  const at = readEndpoints(view, asnBytes);
  if (typeof at === "string") return at;
  if (at + BGP_HEADER_BYTES > bodyEnd) return "recordTruncated";
  for (let byte = at; byte < at + MARKER_BYTES; byte++) {
    if (bytes[byte] !== 0xff) return "bgpMarker";
  }
  const size = uint16(bytes, at + MARKER_BYTES);
  const end = size < BGP_HEADER_BYTES ? bodyEnd : at + size;
  view.local = local;
  view.addPath = addPath;
  view.messageType = bytes[at + MARKER_BYTES + 2] as number;
  view.messageStart = at + BGP_HEADER_BYTES;
  view.messageEnd = Math.min(end, bodyEnd);
  view.messageCut = end > bodyEnd || size < BGP_HEADER_BYTES;
  visitor.message(view);
  return undefined;
}

/** Type BGP, deprecated: 16-bit ASNs, IPv4 peers, messages without their header. */
function readBgp(view: MrtView, visitor: MrtVisitor): RecordFault | undefined {
  const { bytes, bodyStart, bodyEnd } = view;
  view.asnBytes = 2;
  view.addPath = false;
  view.local = false;
  view.peerFamily = 4;
  view.peerBytes = bytes;
  view.peerAt = bodyStart + 2;
  if (bodyEnd - bodyStart < 10) {
    const { subtype } = view;
    const known = subtype === bgpSubtype.update || subtype === bgpSubtype.stateChange;
    return known ? "recordTruncated" : undefined;
  }
  view.peerAsn = uint16(bytes, bodyStart);
  if (view.subtype === bgpSubtype.stateChange) {
    view.localAsn = 0;
    view.oldState = uint16(bytes, bodyStart + 6);
    view.newState = uint16(bytes, bodyStart + 8);
    visitor.stateChange(view);
  } else if (view.subtype === bgpSubtype.update) {
    if (bodyEnd - bodyStart < 12) return "recordTruncated";
    view.localAsn = uint16(bytes, bodyStart + 6);
    view.messageType = bgpMessage.update;
    view.messageStart = bodyStart + 12;
    view.messageEnd = bodyEnd;
    view.messageCut = false;
    visitor.message(view);
  }
  return undefined;
}

function readTableDump(view: MrtView, visitor: MrtVisitor): RecordFault | undefined {
  const { bytes, bodyStart, bodyEnd, subtype } = view;
  if (subtype < tableDumpSubtype.ipv4 || subtype > tableDumpSubtype.ipv6Asn4) {
    return "unsupportedSubtype";
  }
  const family = subtype === tableDumpSubtype.ipv4 || subtype === tableDumpSubtype.ipv4Asn4 ? 4 : 6;
  const size = addressBytes(family);
  const asnBytes = subtype >= tableDumpSubtype.ipv4Asn4 ? 4 : 2;
  const peerAt = bodyStart + 4 + size + 6;
  const lengthAt = peerAt + size + asnBytes;
  if (lengthAt + 2 > bodyEnd) return "recordTruncated";
  view.afi = family === 4 ? afi.ipv4 : afi.ipv6;
  view.safi = safi.unicast;
  view.prefixAt = bodyStart + 4;
  view.prefixLength = bytes[bodyStart + 4 + size] as number;
  view.pathId = NO_PATH_ID;
  view.addPath = false;
  view.asnBytes = asnBytes;
  view.peerFamily = family;
  view.peerBytes = bytes;
  view.peerAt = peerAt;
  view.peerAsn = asnBytes === 2 ? uint16(bytes, peerAt + size) : uint32(bytes, peerAt + size);
  view.localAsn = 0;
  const end = lengthAt + 2 + uint16(bytes, lengthAt);
  view.attributesStart = lengthAt + 2;
  view.attributesEnd = Math.min(end, bodyEnd);
  view.attributesCut = end > bodyEnd;
  visitor.ribEntry(view);
  return undefined;
}
