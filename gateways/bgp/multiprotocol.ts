import { formatAddress } from "../../domain/address.ts";
import type { AttributeScan } from "./attribute-scan.ts";
import { afi, safi, uint16 } from "./mrt-format.ts";
import { attribute } from "./path-attribute-codes.ts";
import type { UpdateFault } from "./update-fault.ts";

/** IPv4 and IPv6 unicast routes are events; other families (multicast, VPN, flow rules …) are only counted. */
export function familyOf(family: number, kind: number): 4 | 6 | 0 {
  if (kind !== safi.unicast && kind !== safi.both) return 0;
  if (family === afi.ipv4) return 4;
  return family === afi.ipv6 ? 6 : 0;
}

/** MP_REACH_NLRI of one message (RFC 4760 section 3); positions point into the message. */
export class Reach {
  /** 4 or 6, 0 for a family that is not read. */
  family: 4 | 6 | 0 = 0;
  nextHopAt = 0;
  /** 4 or 16: of a global and a link-local address (RFC 2545 section 3) the global one. */
  nextHopSize: 0 | 4 | 16 = 0;
  start = 0;
  end = 0;

  read(scan: AttributeScan): UpdateFault | "" {
    const at = scan.startOf(attribute.mpReach);
    const end = scan.endOf(attribute.mpReach);
    const { bytes } = scan;
    this.family = 0;
    this.start = end;
    this.end = end;
    if (end - at < 5) return "mpReach";
    const family = familyOf(uint16(bytes, at), bytes[at + 2] as number);
    if (family === 0) return "";
    const length = bytes[at + 3] as number;
    const reservedAt = at + 4 + length;
    if (reservedAt >= end || !this.#nextHop(length, at + 4)) return "mpReach";
    this.family = family;
    this.start = afterAttachmentPoints(bytes, reservedAt, end);
    return this.start > end ? "mpReach" : "";
  }

  /**
   * The form of table dumps, next hop only (RFC 6396 section 4.3.4); some collectors write the
   * whole attribute, which begins with a zero byte. False when neither has a usable next hop.
   */
  readDumped(scan: AttributeScan): boolean {
    const at = scan.startOf(attribute.mpReach);
    const end = scan.endOf(attribute.mpReach);
    const from = at < end && scan.bytes[at] === 0 ? at + 3 : at;
    if (from >= end) return false;
    const length = scan.bytes[from] as number;
    return from + 1 + length <= end && this.#nextHop(length, from + 1);
  }

  nextHopText(bytes: Uint8Array): string {
    return formatAddress(bytes, this.nextHopAt, this.nextHopSize === 4 ? 4 : 6);
  }

  #nextHop(length: number, at: number): boolean {
    this.nextHopAt = at;
    this.nextHopSize = length === 4 ? 4 : 16;
    return length === 4 || length === 16 || length === 32;
  }
}

/** Skips the subnetwork points of attachment that RFC 2858 had here. */
function afterAttachmentPoints(bytes: Uint8Array, countAt: number, end: number): number {
  let at = countAt + 1;
  for (let left = bytes[countAt] as number; left > 0; left--) {
    if (at >= end) return end + 1;
    at += 1 + (((bytes[at] as number) + 1) >> 1);
  }
  return at;
}

/** MP_UNREACH_NLRI of one message (RFC 4760 section 4). */
export class Unreach {
  family: 4 | 6 | 0 = 0;
  start = 0;
  end = 0;

  read(scan: AttributeScan): UpdateFault | "" {
    const at = scan.startOf(attribute.mpUnreach);
    const end = scan.endOf(attribute.mpUnreach);
    this.family = 0;
    this.end = end;
    this.start = at + 3;
    if (end - at < 3) return "mpUnreach";
    this.family = familyOf(uint16(scan.bytes, at), scan.bytes[at + 2] as number);
    return "";
  }
}
