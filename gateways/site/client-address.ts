import { type Address, MAX_ADDRESS_TEXT, parseAddress } from "../../domain/address.ts";
import { contains, type Prefix } from "../../domain/prefix.ts";
import { readForwardedFor } from "./forwarded-header.ts";
import { MAX_FORWARDED_BYTES, MAX_PROXY_HOPS } from "./limits.ts";

/** Which header the proxies in front set; `either` takes both but believes neither when they differ. */
export type ForwardedHeader = "either" | "forwarded" | "x-forwarded-for";

export interface ClientAddressOptions {
  /** Networks of the proxies whose header is believed. */
  readonly trustedProxies: readonly Prefix[];
  readonly forwardedHeader: ForwardedHeader;
}

/** The two headers of a request, as `node:http` gives them. */
export interface ForwardedHeaders {
  readonly forwarded?: string | undefined;
  readonly "x-forwarded-for"?: string | string[] | undefined;
}

/**
 * The address of a client: that of the socket, unless it belongs to a trusted proxy. Then the
 * proxies' header is walked from the right, the end that the nearest proxy wrote, up to the first
 * address that is no trusted proxy; whatever a client wrote stands to the left of it and is never
 * reached. Where the header ends, hides an address or is malformed, the last trusted address
 * counts. Undefined when the socket has no address (it was closed).
 */
export function clientAddress(
  socketAddress: string | undefined,
  headers: ForwardedHeaders,
  options: ClientAddressOptions,
): Address | undefined {
  const peer = parseSocketAddress(socketAddress);
  if (peer === undefined || !isTrusted(peer, options.trustedProxies)) return peer;
  const { forwarded } = headers;
  const list = headers["x-forwarded-for"];
  const useForwarded = options.forwardedHeader !== "x-forwarded-for" && forwarded !== undefined;
  const useList = options.forwardedHeader !== "forwarded" && list !== undefined;
  const byForwarded = useForwarded ? walk(peer, readForwardedFor(forwarded), options) : undefined;
  const byList = useList ? walk(peer, readList(list), options) : undefined;
  if (byForwarded === undefined || byList === undefined) return byForwarded ?? byList ?? peer;
  return isSame(byForwarded, byList) ? byList : peer;
}

function parseSocketAddress(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined;
  const zone = text.indexOf("%");
  return parseAddress(zone < 0 ? text : text.slice(0, zone));
}

function isTrusted(address: Address, trusted: readonly Prefix[]): boolean {
  return trusted.some((prefix) => contains(prefix, address));
}

function isSame(left: Address, right: Address): boolean {
  return left.family === right.family && left.bytes.every((byte, at) => byte === right.bytes[at]);
}

/** Goes from the right to the first hop that is no trusted proxy. */
function walk(peer: Address, hops: readonly string[], options: ClientAddressOptions): Address {
  let last = peer;
  const end = Math.max(0, hops.length - MAX_PROXY_HOPS);
  for (let at = hops.length - 1; at >= end; at--) {
    const hop = parseHop(hops[at] ?? "");
    if (hop === undefined) return last;
    last = hop;
    if (!isTrusted(hop, options.trustedProxies)) return hop;
  }
  return last;
}

/** The end of an X-Forwarded-For list, in order; what is cut in two by the bound is left out. */
function readList(header: string | readonly string[]): readonly string[] {
  const text = typeof header === "string" ? header : header.join(",");
  if (text.length <= MAX_FORWARDED_BYTES) return text.split(",");
  return text.slice(-MAX_FORWARDED_BYTES).split(",").slice(1);
}

/** An address with an optional port: `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`. */
function parseHop(text: string): Address | undefined {
  const hop = text.trim();
  if (hop.length > MAX_ADDRESS_TEXT + "[]:65535".length) return undefined;
  const bracketed = /^\[([^\]]*)\](?::[0-9]{1,5})?$/.exec(hop)?.[1];
  if (bracketed !== undefined) return bracketed.includes(":") ? parseAddress(bracketed) : undefined;
  const withPort = /^([0-9.]+):[0-9]{1,5}$/.exec(hop)?.[1];
  return parseAddress(withPort ?? hop);
}
