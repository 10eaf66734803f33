import type { AddressFamily } from "../../domain/address.ts";
import { NO_PATH_ID } from "../../domain/prefix-list.ts";

/** MRT types that carry BGP (RFC 6396 section 4 and appendix B). */
export const mrtType = {
  bgp: 5,
  tableDump: 12,
  tableDumpV2: 13,
  bgp4mp: 16,
  bgp4mpEt: 17,
} as const;

/** All registered MRT types; another number means that the file is no MRT file or out of step. */
export const registeredMrtTypes: ReadonlySet<number> = new Set([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 32, 33, 48, 49,
]);

/** Subtypes of type BGP (RFC 6396 appendix B.2). */
export const bgpSubtype = { update: 1, stateChange: 3 } as const;

/** Subtypes of TABLE_DUMP: the two of RFC 6396 section 4.2, and two that `bgpdump` knows. */
export const tableDumpSubtype = { ipv4: 1, ipv6: 2, ipv4Asn4: 3, ipv6Asn4: 4 } as const;

/** Subtypes of TABLE_DUMP_V2 (RFC 6396 section 4.3, RFC 8050 section 4). */
export const ribSubtype = {
  peerIndexTable: 1,
  ipv4Unicast: 2,
  ipv4Multicast: 3,
  ipv6Unicast: 4,
  ipv6Multicast: 5,
  generic: 6,
  ipv4UnicastAddPath: 8,
  ipv4MulticastAddPath: 9,
  ipv6UnicastAddPath: 10,
  ipv6MulticastAddPath: 11,
  genericAddPath: 12,
} as const;

/** Subtypes of BGP4MP and BGP4MP_ET (RFC 6396 section 4.4, RFC 8050 section 3). */
export const bgp4mpSubtype = {
  stateChange: 0,
  message: 1,
  messageAs4: 4,
  stateChangeAs4: 5,
  messageLocal: 6,
  messageAs4Local: 7,
  messageAddPath: 8,
  messageAs4AddPath: 9,
  messageLocalAddPath: 10,
  messageAs4LocalAddPath: 11,
} as const;

/** BGP message types (RFC 4271 section 4.1). */
export const bgpMessage = { open: 1, update: 2, notification: 3, keepalive: 4 } as const;

/** BGP FSM state Established as RFC 6396 section 4.4.1 numbers it. */
export const ESTABLISHED = 6;

export const afi = { ipv4: 1, ipv6: 2 } as const;
export const safi = { unicast: 1, multicast: 2, both: 3 } as const;

/**
 * One MRT record and, step by step, what stands in it: positions in `bytes`, no copies. The same
 * object serves every record, so a visitor reads it at once and keeps only what it copied.
 */
export class MrtView {
  /** Memory of the record; positions below point into it. */
  bytes: Uint8Array = new Uint8Array(0);
  bodyStart = 0;
  bodyEnd = 0;
  /** Where the record begins in the decompressed stream. */
  offset = 0;
  seconds = 0;
  microseconds = 0;
  type = 0;
  subtype = 0;

  /** The peer; its address stands in `peerBytes`, which for RIB entries is the peer index. */
  peerAsn = 0;
  peerFamily: AddressFamily = 4;
  peerBytes: Uint8Array = new Uint8Array(0);
  peerAt = 0;
  /** 0 where the format does not name it. */
  localAsn = 0;

  /** How the message or entry is encoded. */
  asnBytes: 2 | 4 = 4;
  addPath = false;

  /** A BGP message without its 19-byte header. */
  messageType = 0;
  messageStart = 0;
  messageEnd = 0;
  /** The record holds fewer bytes than the message says. */
  messageCut = false;
  /** The collector sent it to the peer (RFC 6396 section 4.4.4). */
  local = false;

  /** A RIB entry. */
  afi = 0;
  safi = 0;
  prefixAt = 0;
  prefixLength = 0;
  pathId: number = NO_PATH_ID;
  attributesStart = 0;
  attributesEnd = 0;
  /** The record ends before the attributes do. */
  attributesCut = false;

  /** A change of state. */
  oldState = 0;
  newState = 0;
}

/** Why a record, though well framed, could not be read. */
export type RecordFault =
  | "recordTruncated"
  | "addressFamily"
  | "bgpMarker"
  | "peerIndexMissing"
  | "peerIndex"
  | "peerIndexTable"
  | "prefixLength"
  | "stateChangeLength"
  | "unsupportedSubtype";

/** Takes what stands in the records, in file order. */
export interface MrtVisitor {
  message(view: MrtView): void;
  ribEntry(view: MrtView): void;
  stateChange(view: MrtView): void;
  /** A new peer index: a dump begins, and one that was under way has ended. */
  peerIndex(view: MrtView): void;
  /** The record, or what follows in it, was skipped. */
  fault(reason: RecordFault, view: MrtView): void;
}

/** The unsigned 16-bit number at this place, big endian. */
export function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** The unsigned 32-bit number at this place, big endian. */
export function uint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
