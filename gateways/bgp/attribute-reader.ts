import { AttributeCache } from "./attribute-cache.ts";
import { type AttributeVerdict, decodeAttributes } from "./attribute-decoder.ts";
import { AttributeScan } from "./attribute-scan.ts";
import { maxCachedAttributeBytes } from "./limits.ts";
import type { MrtView } from "./mrt-format.ts";
import { Reach, Unreach } from "./multiprotocol.ts";
import { attribute } from "./path-attribute-codes.ts";
import type { UpdateFault } from "./update-fault.ts";

/**
 * Reads the path attributes of messages and RIB entries. Equal attributes give the same object, so
 * a verdict is only to be read.
 */
export class AttributeReader {
  readonly scan: AttributeScan = new AttributeScan();
  readonly reach: Reach = new Reach();
  readonly unreach: Unreach = new Unreach();
  readonly #cache = new AttributeCache();
  readonly #key: Uint8Array = new Uint8Array(maxCachedAttributeBytes + 16);

  /** Scans a message's attributes; a fault that RFC 7606 does not let one go on after, or empty. */
  scanMessage(bytes: Uint8Array, start: number, end: number): UpdateFault | "" {
    const { scan } = this;
    scan.read(bytes, start, end);
    if (scan.multiprotocolRepeated) return "multiprotocolRepeated";
    if (scan.has(attribute.mpUnreach)) {
      const fault = this.unreach.read(scan);
      if (fault !== "") return fault;
    }
    return scan.has(attribute.mpReach) ? this.reach.read(scan) : "";
  }

  /** Judges the scanned attributes for the routes of MP_REACH_NLRI, or for those of the message's own list. */
  verdict(view: MrtView, reaches: boolean): AttributeVerdict {
    const { scan } = this;
    const { asnBytes } = view;
    const external = view.peerAsn !== view.localAsn;
    const mark = asnBytes | (external ? 1 : 0) | (reaches ? this.reach.nextHopSize << 4 : 0);
    if (scan.fault !== "") return this.#decode(asnBytes, external, reaches);
    // Without multiprotocol attributes the message holds the key as it is.
    const inPlace = scan.reachHeader < 0 && scan.unreachHeader < 0;
    const key = inPlace ? scan.bytes : this.#key;
    const start = inPlace ? scan.start : 0;
    const end = inPlace ? scan.end : this.#writeKey(reaches);
    const cacheable = end >= 0 && end - start <= maxCachedAttributeBytes;
    const known = cacheable ? this.#cache.get(key, start, end, mark) : undefined;
    if (known !== undefined) return known;
    const made = this.#decode(asnBytes, external, reaches);
    if (cacheable) this.#cache.put(key, start, end, mark, made);
    return made;
  }

  #decode(asnBytes: 2 | 4, external: boolean, reaches: boolean): AttributeVerdict {
    const { scan } = this;
    const context = { asnBytes, external, dumped: false, needsNextHop: !reaches };
    return decodeAttributes(scan, context, reaches ? this.reach.nextHopText(scan.bytes) : "");
  }

  /** Judges the attributes of a RIB entry. */
  dumped(view: MrtView): AttributeVerdict {
    const { bytes, attributesStart: start, attributesEnd: end } = view;
    const cacheable = !view.attributesCut && end - start <= maxCachedAttributeBytes;
    const mark = view.asnBytes | 8;
    const known = cacheable ? this.#cache.get(bytes, start, end, mark) : undefined;
    if (known !== undefined) return known;
    const { scan, reach } = this;
    scan.read(bytes, start, end);
    if (view.attributesCut) scan.fault = "attributeLength";
    const reaches = scan.has(attribute.mpReach) && reach.readDumped(scan);
    const made = decodeAttributes(
      scan,
      { asnBytes: view.asnBytes, external: false, dumped: true, needsNextHop: false },
      reaches ? reach.nextHopText(bytes) : "",
    );
    if (cacheable) this.#cache.put(bytes, start, end, mark, made);
    return made;
  }

  /**
   * Writes what the verdict depends on: the attributes without the multiprotocol ones, and the next
   * hop when that is theirs. Returns its size, or -1 when it is not to be kept.
   */
  #writeKey(reaches: boolean): number {
    const { scan, reach } = this;
    const { bytes, reachHeader, unreachHeader } = scan;
    const key = this.#key;
    let size = 0;
    let at = scan.start;
    while (at < scan.end) {
      if (at === reachHeader) {
        at = scan.endOf(attribute.mpReach);
        continue;
      }
      if (at === unreachHeader) {
        at = scan.endOf(attribute.mpUnreach);
        continue;
      }
      const next = nextBoundary(at, scan.end, reachHeader, unreachHeader);
      if (size + next - at > maxCachedAttributeBytes) return -1;
      while (at < next) key[size++] = bytes[at++] as number;
    }
    if (!reaches) return size;
    const hopEnd = reach.nextHopAt + reach.nextHopSize;
    for (at = reach.nextHopAt; at < hopEnd; at++) key[size++] = bytes[at] as number;
    return size;
  }
}

/** The nearest of the two headers behind `at`, or the end. */
function nextBoundary(at: number, end: number, first: number, second: number): number {
  let nearest = end;
  if (first > at && first < nearest) nearest = first;
  if (second > at && second < nearest) nearest = second;
  return nearest;
}
