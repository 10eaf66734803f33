import { AS_TRANS } from "../../domain/as-path.ts";
import { MergedPath, pathCount, writePath } from "./bgpdump-path.ts";
import { afi, safi } from "./mrt-format.ts";
import { attribute, attributeFlag } from "./path-attribute-codes.ts";
import type { TextWriter } from "./text-writer.ts";

/** Routes of one family in MP_REACH_NLRI or MP_UNREACH_NLRI; prefixes stand in the message. */
export class MultiprotocolRoutes {
  present = false;
  nextHopLength = 0;
  /** Zero where the message had none. */
  readonly nextHop: Uint8Array = new Uint8Array(16);
  start = 0;
  end = 0;
}

/** Families and SAFIs that are kept apart: 0, IPv4, IPv6 times 0, unicast, multicast, both. */
const SLOTS = 12;

function slotOf(family: number, kind: number): number {
  return family > afi.ipv6 || kind > safi.both ? -1 : family * 4 + kind;
}

function routesTable(): MultiprotocolRoutes[] {
  return Array.from({ length: SLOTS }, () => new MultiprotocolRoutes());
}

/**
 * Path attributes read as leniently as `bgpdump` does, which judges nothing: a field that is too
 * short ends in zero bytes, one that is too long is cut, unknown ones are passed over. Of an
 * attribute that comes twice, where `bgpdump` aborts, the first counts.
 */
export class BgpdumpAttributes {
  origin = -1;
  multiExitDisc = 0;
  localPref = 0;
  aggregatorAsn = 0;
  readonly nextHop: Uint8Array = new Uint8Array(4);
  readonly aggregatorAddress: Uint8Array = new Uint8Array(4);
  bytes: Uint8Array = new Uint8Array(0);
  communitiesAt = 0;
  communityCount = 0;
  readonly #announced = routesTable();
  readonly #withdrawn = routesTable();
  readonly #merged = new MergedPath();
  /** Bit n - 1 is set when attribute n (1..32) was there. */
  #seen = 0;
  #multiprotocol = false;
  #asnBytes: 2 | 4 = 4;
  #pathAt = 0;
  #pathEnd = 0;
  #as4PathAt = 0;
  #as4PathEnd = 0;
  #as4AggregatorAt = 0;
  #as4AggregatorEnd = 0;

  has(code: number): boolean {
    return (this.#seen & (1 << (code - 1))) !== 0;
  }

  announced(family: number, kind: number): MultiprotocolRoutes {
    return this.#announced[slotOf(family, kind)] as MultiprotocolRoutes;
  }

  withdrawn(family: number, kind: number): MultiprotocolRoutes {
    return this.#withdrawn[slotOf(family, kind)] as MultiprotocolRoutes;
  }

  /** `bgpdump` prints any aggregator whose address is not 255.255.255.255, its mark for none. */
  get hasAggregator(): boolean {
    return this.aggregatorAddress.some((byte) => byte !== 0xff);
  }

  /** Reads the attributes in `bytes[start..end)`. */
  read(bytes: Uint8Array, start: number, end: number, asnBytes: 2 | 4): void {
    this.#reset(bytes, asnBytes);
    let at = start;
    while (at < end) {
      const wide = ((bytes[at] as number) & attributeFlag.extendedLength) !== 0;
      const code = byteAt(bytes, at + 1, end);
      const length = wide ? uint16At(bytes, at + 2, end) : byteAt(bytes, at + 2, end);
      const from = Math.min(at + (wide ? 4 : 3), end);
      at = from + length;
      if (at > end) break;
      this.#attribute(code, from, at);
    }
    if (asnBytes === 2) this.#replaceAggregator();
  }

  #reset(bytes: Uint8Array, asnBytes: 2 | 4): void {
    this.bytes = bytes;
    this.#asnBytes = asnBytes;
    this.#seen = 0;
    this.origin = -1;
    this.nextHop.fill(0xff);
    this.aggregatorAddress.fill(0xff);
    this.communityCount = 0;
    if (this.#multiprotocol) {
      for (const routes of this.#announced) routes.present = false;
      for (const routes of this.#withdrawn) routes.present = false;
      this.#multiprotocol = false;
    }
  }

  #attribute(code: number, from: number, end: number): void {
    if (code < 1 || code > 32) return;
    if (code === attribute.mpReach) this.#reach(from, end);
    else if (code === attribute.mpUnreach) this.#unreach(from, end);
    else if (!this.has(code)) this.#known(code, from, end);
    this.#seen |= 1 << (code - 1);
  }

  #known(code: number, from: number, end: number): void {
    const { bytes } = this;
    switch (code) {
      case attribute.origin:
        this.origin = byteAt(bytes, from, end);
        break;
      case attribute.asPath:
        this.#pathAt = from;
        this.#pathEnd = end;
        break;
      case attribute.nextHop:
        copyPadded(bytes, from, end, this.nextHop, 4);
        break;
      case attribute.multiExitDisc:
        this.multiExitDisc = uint32At(bytes, from, end);
        break;
      case attribute.localPref:
        this.localPref = uint32At(bytes, from, end);
        break;
      case attribute.aggregator: {
        const wide = this.#asnBytes === 4;
        this.aggregatorAsn = wide ? uint32At(bytes, from, end) : uint16At(bytes, from, end);
        copyPadded(bytes, from + this.#asnBytes, end, this.aggregatorAddress, 4);
        break;
      }
      case attribute.communities:
        this.communitiesAt = from;
        this.communityCount = (end - from) >> 2;
        break;
      case attribute.as4Path:
        this.#as4PathAt = from;
        this.#as4PathEnd = end;
        break;
      case attribute.as4Aggregator:
        this.#as4AggregatorAt = from;
        this.#as4AggregatorEnd = end;
        break;
    }
  }

  #reach(from: number, end: number): void {
    this.#multiprotocol = true;
    const { bytes } = this;
    // Table dumps hold next hop length and next hop only (RFC 6396 section 4.3.4).
    if (bytes[from] !== 0) {
      const routes = this.announced(afi.ipv6, safi.unicast);
      if (!routes.present) readNextHop(routes, bytes, from, end);
      return;
    }
    const slot = slotOf(uint16At(bytes, from, end), byteAt(bytes, from + 2, end));
    const routes = this.#announced[slot];
    if (routes === undefined || routes.present) return;
    let at = readNextHop(routes, bytes, Math.min(from + 3, end), end);
    let points = byteAt(bytes, at, end);
    at = Math.min(at + 1, end);
    for (; points > 0 && at < end; points--) at = Math.min(at + 1 + (bytes[at] as number), end);
    routes.start = at;
    routes.end = end;
  }

  #unreach(from: number, end: number): void {
    this.#multiprotocol = true;
    const slot = slotOf(uint16At(this.bytes, from, end), byteAt(this.bytes, from + 2, end));
    const routes = this.#withdrawn[slot];
    if (routes === undefined || routes.present) return;
    routes.present = true;
    routes.start = Math.min(from + 3, end);
    routes.end = end;
  }

  #replaceAggregator(): void {
    if (!this.has(attribute.aggregator) || !this.has(attribute.as4Aggregator)) return;
    if (this.aggregatorAsn !== AS_TRANS) {
      // A router that knows 4-byte ASNs wrote the short form last: the long attributes are stale.
      this.#seen &= ~(1 << (attribute.as4Path - 1));
      return;
    }
    const from = this.#as4AggregatorAt;
    const end = this.#as4AggregatorEnd;
    this.aggregatorAsn = uint32At(this.bytes, from, end);
    copyPadded(this.bytes, from + 4, end, this.aggregatorAddress, 4);
  }

  /** Writes the AS path, joined with AS4_PATH where 2-byte ASNs make it necessary. */
  writePath(out: TextWriter): void {
    if (!this.has(attribute.asPath)) return;
    const { bytes } = this;
    const asnBytes = this.#asnBytes;
    if (asnBytes === 2 && this.has(attribute.as4Path)) {
      const count = Math.max(pathCount(bytes, this.#pathAt, this.#pathEnd, 2), 0);
      const as4Count = Math.max(pathCount(bytes, this.#as4PathAt, this.#as4PathEnd, 4), 0);
      if (count >= as4Count) {
        const merged = this.#merged;
        const extra = count - as4Count;
        merged.merge(bytes, this.#pathAt, this.#pathEnd, extra, this.#as4PathAt, this.#as4PathEnd);
        writePath(out, merged.bytes, 0, merged.length, 4);
        return;
      }
    }
    writePath(out, bytes, this.#pathAt, this.#pathEnd, asnBytes);
  }
}

/** Reads length and next hop and returns where they end; a next hop of unknown length is not passed over. */
function readNextHop(
  routes: MultiprotocolRoutes,
  bytes: Uint8Array,
  at: number,
  end: number,
): number {
  routes.present = true;
  routes.start = 0;
  routes.end = 0;
  routes.nextHop.fill(0);
  const length = byteAt(bytes, at, end);
  routes.nextHopLength = length;
  const from = Math.min(at + 1, end);
  if (length !== 4 && length !== 16 && length !== 32) return from;
  copyPadded(bytes, from, end, routes.nextHop, Math.min(length, 16));
  return Math.min(from + length, end);
}

function byteAt(bytes: Uint8Array, at: number, end: number): number {
  return at < end ? (bytes[at] as number) : 0;
}

function uint16At(bytes: Uint8Array, at: number, end: number): number {
  return (byteAt(bytes, at, end) << 8) | byteAt(bytes, at + 1, end);
}

function uint32At(bytes: Uint8Array, at: number, end: number): number {
  return ((uint16At(bytes, at, end) << 16) | uint16At(bytes, at + 2, end)) >>> 0;
}

function copyPadded(
  bytes: Uint8Array,
  from: number,
  end: number,
  target: Uint8Array,
  size: number,
): void {
  for (let byte = 0; byte < size; byte++) target[byte] = byteAt(bytes, from + byte, end);
}
