import type { BgpdumpAttributes, MultiprotocolRoutes } from "./bgpdump-attributes.ts";
import { uint32 } from "./mrt-format.ts";
import { attribute } from "./path-attribute-codes.ts";
import { ascii, type TextWriter } from "./text-writer.ts";

const BAR = 0x7c;
const COLON = 0x3a;
const SPACE = 0x20;
const NEWLINE = 0x0a;
/** `bgpdump` holds communities in 8,192 bytes, of which a leading space and a final zero are not printed. */
const MAX_COMMUNITIES_TEXT = 8_190;

const origins: readonly Uint8Array[] = [ascii("|IGP|"), ascii("|EGP|")];
const incomplete: Uint8Array = ascii("|INCOMPLETE|");
const aggregated: Uint8Array = ascii("AG|");
const notAggregated: Uint8Array = ascii("NAG|");
const wellKnownCommunities: ReadonlyMap<number, Uint8Array> = new Map([
  [0xffffff01, ascii("no-export")],
  [0xffffff02, ascii("no-advertise")],
  [0xffffff03, ascii("local-AS")],
]);

/**
 * What follows the prefix in a line, by the function of `bgpdump` that prints it: `classic` for
 * NLRI and IPv6, `ipv4` for IPv4 in MP_REACH_NLRI (metrics are signed), `legacy` for type BGP (no
 * bar between metric and communities).
 */
export type RouteStyle = "classic" | "ipv4" | "legacy";

/** Writes path, origin and their bars. */
export function writePathAndOrigin(out: TextWriter, attributes: BgpdumpAttributes): void {
  attributes.writePath(out);
  out.text(origins[attributes.origin] ?? incomplete);
}

/** Writes a next hop of 4, 16 or 32 bytes and a bar; false, and nothing, for another length. */
export function writeNextHop(out: TextWriter, routes: MultiprotocolRoutes): boolean {
  if (routes.nextHopLength === 4) out.quad(routes.nextHop, 0);
  else if (routes.nextHopLength === 16 || routes.nextHopLength === 32) out.ipv6(routes.nextHop, 0);
  else return false;
  out.byte(BAR);
  return true;
}

/** Writes local preference and metric, 0 when absent. */
export function writeMetrics(
  out: TextWriter,
  attributes: BgpdumpAttributes,
  style: RouteStyle,
): void {
  const localPref = attributes.has(attribute.localPref) ? attributes.localPref : 0;
  const metric = attributes.has(attribute.multiExitDisc) ? attributes.multiExitDisc : 0;
  if (style === "ipv4") out.signed(localPref | 0);
  else out.decimal(localPref);
  out.byte(BAR);
  if (style === "ipv4") out.signed(metric | 0);
  else out.decimal(metric);
  if (style !== "legacy") out.byte(BAR);
}

/** Writes communities, aggregation mark and aggregator, and ends the line. */
export function writeEnd(out: TextWriter, attributes: BgpdumpAttributes): void {
  if (attributes.has(attribute.communities)) writeCommunities(out, attributes);
  out.byte(BAR);
  out.text(attributes.has(attribute.atomicAggregate) ? aggregated : notAggregated);
  if (attributes.hasAggregator) {
    out.decimal(attributes.aggregatorAsn);
    out.byte(SPACE);
    out.quad(attributes.aggregatorAddress, 0);
  }
  out.byte(BAR);
  out.byte(NEWLINE);
}

/** Writes all that follows the prefix of a route in a message; `routes` when MP_REACH_NLRI announced it. */
export function writeRoute(
  out: TextWriter,
  attributes: BgpdumpAttributes,
  style: RouteStyle,
  routes: MultiprotocolRoutes | undefined,
): void {
  const from = out.length;
  writePathAndOrigin(out, attributes);
  if (routes === undefined) {
    out.quad(attributes.nextHop, 0);
    out.byte(BAR);
    writeMetrics(out, attributes, style);
  } else if (writeNextHop(out, routes)) {
    writeMetrics(out, attributes, style);
  } else if (style !== "ipv4") {
    // For an IPv6 route without a usable next hop bgpdump leaves out path and origin too.
    out.length = from;
  }
  writeEnd(out, attributes);
}

function writeCommunities(out: TextWriter, attributes: BgpdumpAttributes): void {
  const { bytes, communitiesAt, communityCount } = attributes;
  const from = out.length;
  const limit = from + MAX_COMMUNITIES_TEXT;
  for (let index = 0; index < communityCount; index++) {
    const value = uint32(bytes, communitiesAt + 4 * index);
    const name = value > 0xffffff00 ? wellKnownCommunities.get(value) : undefined;
    if (name !== undefined && out.length + name.length >= limit) continue;
    if (out.length > from) out.byte(SPACE);
    if (name !== undefined) {
      out.text(name);
      continue;
    }
    out.decimal(value >>> 16);
    out.byte(COLON);
    out.decimal(value & 0xffff);
    if (out.length > limit) out.length = limit;
  }
}
