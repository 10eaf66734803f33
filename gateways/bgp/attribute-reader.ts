import { AttributeCache } from "./attribute-cache.ts";
import { type AttributeVerdict, decodeAttributes } from "./attribute-decoder.ts";
import type { AttributeContext } from "./attribute-rules.ts";
import { AttributeScan } from "./attribute-scan.ts";
import { maxBgpMessageBytes, maxCachedAttributeBytes } from "./limits.ts";
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
  readonly #key: Uint8Array = new Uint8Array(maxBgpMessageBytes + 16);

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
    const { scan, reach } = this;
    const context: AttributeContext = {
      asnBytes: view.asnBytes,
      external: view.peerAsn !== view.localAsn,
      dumped: false,
      needsNextHop: !reaches,
    };
    const nextHopAt = reaches ? reach.nextHopAt : 0;
    const nextHopSize = reaches ? reach.nextHopSize : 0;
    const size = this.#writeKey(nextHopAt, nextHopSize);
    const mark = markOf(context) | (nextHopSize << 4);
    const known = size < 0 ? undefined : this.#cache.get(this.#key, 0, size, mark);
    if (known !== undefined) return known;
    const nextHop = reaches ? reach.nextHopText(scan.bytes) : "";
    const made = decodeAttributes(scan, context, nextHop);
    if (size >= 0) this.#cache.put(this.#key, 0, size, mark, made);
    return made;
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
   * hop. Returns its size, or -1 when it is not to be kept.
   */
  #writeKey(nextHopAt: number, nextHopSize: number): number {
    const { scan } = this;
    if (scan.fault !== "") return -1;
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
      if (size + next - at > maxCachedAttributeBytes - 16) return -1;
      while (at < next) key[size++] = bytes[at++] as number;
    }
    for (let byte = 0; byte < nextHopSize; byte++) {
      key[size++] = bytes[nextHopAt + byte] as number;
    }
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

function markOf(context: AttributeContext): number {
  return context.asnBytes | (context.external ? 1 : 0) | (context.needsNextHop ? 16 << 5 : 0);
}
