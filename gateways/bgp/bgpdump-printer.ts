import { BgpdumpAttributes, type MultiprotocolRoutes } from "./bgpdump-attributes.ts";
import {
  type RouteStyle,
  writeEnd,
  writeMetrics,
  writeNextHop,
  writePathAndOrigin,
  writeRoute,
} from "./bgpdump-route.ts";
import { maxPrintedLineBytes, printBufferBytes } from "./limits.ts";
import {
  afi,
  bgpMessage,
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
import { attribute } from "./path-attribute-codes.ts";
import { ascii, TextWriter } from "./text-writer.ts";

const BAR = 0x7c;
const SLASH = 0x2f;
const NEWLINE = 0x0a;
const ZERO = 0x30;
const POINT = 0x2e;

const word = {
  announce: ascii("|A|"),
  withdraw: ascii("|W|"),
  rib: ascii("|B|"),
  state: ascii("|STATE|"),
  bgp: ascii("BGP"),
  bgp4mp: ascii("BGP4MP"),
  extended: ascii("_ET"),
  local: ascii("_LOCAL"),
  addPath: ascii("_AP"),
  tableDump: ascii("TABLE_DUMP"),
  tableDump2: ascii("TABLE_DUMP2"),
} as const;

/** The order in which `bgpdump` prints multiprotocol routes. */
const families: readonly (readonly [number, number])[] = [
  [afi.ipv4, safi.unicast],
  [afi.ipv4, safi.multicast],
  [afi.ipv4, safi.both],
  [afi.ipv6, safi.unicast],
  [afi.ipv6, safi.multicast],
  [afi.ipv6, safi.both],
];

/**
 * Prints records as `bgpdump -m` does, one line a route, byte for byte (as its version of
 * 2020-09, which clears host bits; 1.6.2 does not). `write` receives the text in memory that is
 * reused: it writes or copies it before it returns. Where `bgpdump` aborts or prints memory that
 * it never set (repeated attributes, prefixes longer than an address, entries that are not in the
 * record), nothing is printed for that part.
 */
export class BgpdumpPrinter implements MrtVisitor {
  lines = 0;
  readonly faults: Map<RecordFault, number> = new Map();
  readonly #out = new TextWriter(printBufferBytes);
  readonly #head = new TextWriter(256);
  readonly #tail = new TextWriter(maxPrintedLineBytes);
  readonly #attributes = new BgpdumpAttributes();
  readonly #prefix: Uint8Array = new Uint8Array(16);
  readonly #write: (text: Uint8Array) => void;

  constructor(write: (text: Uint8Array) => void) {
    this.#write = write;
  }

  /** Hands over the lines that are held back. */
  flush(): void {
    const out = this.#out;
    if (out.length > 0) this.#write(out.bytes.subarray(0, out.length));
    out.length = 0;
  }

  message(view: MrtView): void {
    if (view.messageType !== bgpMessage.update) return;
    const { bytes, messageStart, messageEnd } = view;
    const attributes = this.#attributes;
    const withdrawnAt = Math.min(messageStart + 2, messageEnd);
    const withdrawnEnd = Math.min(withdrawnAt + sizeAt(view, messageStart), messageEnd);
    const attributesAt = Math.min(withdrawnEnd + 2, messageEnd);
    const attributesEnd = Math.min(attributesAt + sizeAt(view, withdrawnEnd), messageEnd);
    attributes.read(bytes, attributesAt, attributesEnd, view.asnBytes);
    const legacy = view.type === mrtType.bgp;
    const unreaches = !legacy && attributes.has(attribute.mpUnreach);
    const reaches = !legacy && attributes.has(attribute.mpReach);
    this.#tail.length = 0;
    this.#tail.byte(NEWLINE);
    if (withdrawnEnd > withdrawnAt || unreaches) {
      this.#messageHead(view, word.withdraw);
      this.#routes(view, withdrawnAt, withdrawnEnd, false, false);
      if (unreaches) this.#mpWithdrawn(view);
    }
    if (messageEnd > attributesEnd || reaches) {
      this.#messageHead(view, word.announce);
      this.#announced(view, attributesEnd, messageEnd, legacy ? "legacy" : "classic");
      if (reaches) this.#mpAnnounced(view);
    }
  }

  ribEntry(view: MrtView): void {
    if (view.safi !== safi.unicast) return;
    if (view.type === mrtType.tableDump) this.#tableDumpEntry(view);
    else if (view.subtype !== ribSubtype.generic && view.subtype !== ribSubtype.genericAddPath) {
      this.#tableDumpV2Entry(view);
    }
  }

  #tableDumpV2Entry(view: MrtView): void {
    const out = this.#line();
    out.text(word.tableDump2);
    if (view.addPath) out.text(word.addPath);
    this.#ribHead(out, view, view.peerFamily === 6, view.afi === afi.ipv6);
    if (view.addPath) {
      out.decimal(view.pathId);
      out.byte(BAR);
    }
    const attributes = this.#attributes;
    attributes.read(view.bytes, view.attributesStart, view.attributesEnd, view.asnBytes);
    writePathAndOrigin(out, attributes);
    let routes = attributes.announced(afi.ipv6, safi.unicast);
    if (!routes.present) routes = attributes.announced(afi.ipv4, safi.unicast);
    if (!routes.present) {
      out.quad(attributes.nextHop, 0);
      out.byte(BAR);
    } else if (!writeNextHop(out, routes)) {
      out.byte(BAR);
    }
    writeMetrics(out, attributes, "classic");
    writeEnd(out, attributes);
  }

  stateChange(view: MrtView): void {
    const out = this.#line();
    writeFormat(out, view);
    writeTime(out, view);
    out.text(word.state);
    writeAddress(out, view.peerFamily === 6, view.peerBytes, view.peerAt);
    out.byte(BAR);
    out.decimal(view.peerAsn);
    out.byte(BAR);
    out.decimal(view.oldState);
    out.byte(BAR);
    out.decimal(view.newState);
    out.byte(NEWLINE);
  }

  peerIndex(): void {}

  fault(reason: RecordFault): void {
    this.faults.set(reason, (this.faults.get(reason) ?? 0) + 1);
  }

  /** The output, with room for one more line. */
  #line(): TextWriter {
    if (this.#out.length + maxPrintedLineBytes > printBufferBytes) this.flush();
    this.lines++;
    return this.#out;
  }

  #tableDumpEntry(view: MrtView): void {
    const out = this.#line();
    out.text(word.tableDump);
    // bgpdump takes the IPv6 subtype with 4-byte ASNs for IPv4.
    const ipv6 = view.subtype === tableDumpSubtype.ipv6;
    this.#ribHead(out, view, ipv6, ipv6);
    const attributes = this.#attributes;
    attributes.read(view.bytes, view.attributesStart, view.attributesEnd, view.asnBytes);
    writePathAndOrigin(out, attributes);
    const routes = attributes.announced(afi.ipv6, safi.unicast);
    if (routes.present) out.ipv6(routes.nextHop, 0);
    else out.quad(attributes.nextHop, 0);
    out.byte(BAR);
    writeMetrics(out, attributes, "classic");
    writeEnd(out, attributes);
  }

  /** Time, kind, peer and prefix of a RIB entry, whose host bits are printed as they are. */
  #ribHead(out: TextWriter, view: MrtView, peerIpv6: boolean, prefixIpv6: boolean): void {
    writeTime(out, view);
    out.text(word.rib);
    writeAddress(out, peerIpv6, view.peerBytes, view.peerAt);
    out.byte(BAR);
    out.decimal(view.peerAsn);
    out.byte(BAR);
    if (view.type === mrtType.tableDump) {
      writeAddress(out, prefixIpv6, view.bytes, view.prefixAt);
    } else {
      const size = (view.prefixLength + 7) >> 3;
      const prefix = this.#prefix;
      for (let byte = 0; byte < 16; byte++) {
        prefix[byte] = byte < size ? (view.bytes[view.prefixAt + byte] as number) : 0;
      }
      writeAddress(out, prefixIpv6, prefix, 0);
    }
    out.byte(SLASH);
    out.decimal(view.prefixLength);
    out.byte(BAR);
  }

  /** What all lines of a message begin with: format, time, kind, address and ASN of the peer. */
  #messageHead(view: MrtView, kind: Uint8Array): void {
    const head = this.#head;
    head.length = 0;
    writeFormat(head, view);
    if (view.local && !view.addPath) head.text(word.local);
    if (view.addPath) head.text(word.addPath);
    writeTime(head, view);
    head.text(kind);
    const ipv6 = view.peerFamily === 6;
    // In local messages with path ids bgpdump takes the collector for the peer.
    const swapped = view.local && view.addPath;
    writeAddress(head, ipv6, view.peerBytes, view.peerAt + (swapped ? (ipv6 ? 16 : 4) : 0));
    head.byte(BAR);
    head.decimal(swapped ? view.localAsn : view.peerAsn);
    head.byte(BAR);
  }

  #mpWithdrawn(view: MrtView): void {
    for (const [family, kind] of families) {
      const routes = this.#attributes.withdrawn(family, kind);
      if (!routes.present) continue;
      const ipv6 = family === afi.ipv6;
      if (ipv6 && view.local && !view.addPath && view.peerFamily === 4) this.#oddLocalHead(view);
      this.#routes(view, routes.start, routes.end, ipv6, false);
    }
  }

  /** For IPv6 withdrawals in local messages bgpdump prints the IPv4 peer as if it were IPv6. */
  #oddLocalHead(view: MrtView): void {
    const head = this.#head;
    head.length = 0;
    writeFormat(head, view);
    head.text(word.local);
    writeTime(head, view);
    head.text(word.withdraw);
    const padded = this.#prefix;
    padded.fill(0);
    for (let byte = 0; byte < 4; byte++) padded[byte] = view.peerBytes[view.peerAt + byte] ?? 0;
    head.ipv6(padded, 0);
    head.byte(BAR);
    head.decimal(view.peerAsn);
    head.byte(BAR);
  }

  #mpAnnounced(view: MrtView): void {
    for (const [family, kind] of families) {
      const routes = this.#attributes.announced(family, kind);
      if (!routes.present) continue;
      const style = family === afi.ipv6 ? "classic" : "ipv4";
      this.#announced(view, routes.start, routes.end, style, routes);
    }
  }

  #announced(
    view: MrtView,
    start: number,
    end: number,
    style: RouteStyle,
    routes?: MultiprotocolRoutes,
  ): void {
    if (start >= end) return;
    const tail = this.#tail;
    tail.length = 0;
    writeRoute(tail, this.#attributes, style, routes);
    this.#routes(view, start, end, routes !== undefined && style === "classic", true);
  }

  /** One line for each prefix in `start..end`: head, prefix, path id where there are any, tail. */
  #routes(view: MrtView, start: number, end: number, ipv6: boolean, bar: boolean): void {
    const { bytes, addPath } = view;
    const tail = this.#tail;
    const head = this.#head;
    const prefix = this.#prefix;
    let at = start;
    while (at < end) {
      const idAt = at;
      if (addPath) at += 4;
      if (at >= end) return;
      const length = bytes[at++] as number;
      const size = (length + 7) >> 3;
      if (size > end - at || size > 16) return;
      for (let byte = 0; byte < 16; byte++) {
        prefix[byte] = byte < size ? (bytes[at + byte] as number) : 0;
      }
      const rest = length & 7;
      if (rest !== 0) prefix[size - 1] = (prefix[size - 1] as number) & (0xff00 >> rest);
      at += size;
      const out = this.#line();
      out.slice(head.bytes, 0, head.length);
      writeAddress(out, ipv6, prefix, 0);
      out.byte(SLASH);
      out.decimal(length);
      if (addPath) {
        out.byte(BAR);
        out.decimal(uint32(bytes, idAt));
      }
      if (bar) out.byte(BAR);
      out.slice(tail.bytes, 0, tail.length);
    }
  }
}

function writeFormat(out: TextWriter, view: MrtView): void {
  out.text(view.type === mrtType.bgp ? word.bgp : word.bgp4mp);
  if (view.type === mrtType.bgp4mpEt) out.text(word.extended);
}

function writeTime(out: TextWriter, view: MrtView): void {
  out.byte(BAR);
  out.decimal(view.seconds);
  if (view.type !== mrtType.bgp4mpEt) return;
  out.byte(POINT);
  for (let limit = 100_000; limit > 1 && view.microseconds < limit; limit /= 10) out.byte(ZERO);
  out.decimal(view.microseconds);
}

function writeAddress(out: TextWriter, ipv6: boolean, bytes: Uint8Array, at: number): void {
  if (ipv6) out.ipv6(bytes, at);
  else out.quad(bytes, at);
}

/** The 16-bit size that stands here, 0 past the end of the message. */
function sizeAt(view: MrtView, at: number): number {
  return at + 2 <= view.messageEnd ? uint16(view.bytes, at) : 0;
}
