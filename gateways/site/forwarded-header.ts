import { MAX_FORWARDED_BYTES } from "./limits.ts";

/** token / quoted-string of RFC 9110 section 5.6, sticky. */
const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const quoted = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)"/y;
const space = /[ \t]*/y;

/**
 * The `for` values of a Forwarded header (RFC 7239 section 4), one a hop, from left to right; an
 * element without one gives an empty text. Nothing at all for a header that is too long or breaks
 * the grammar anywhere: an open quote on the left, which a client can write, would otherwise
 * swallow what the proxies on the right added.
 */
export function readForwardedFor(header: string): readonly string[] {
  if (header.length > MAX_FORWARDED_BYTES) return [];
  const hops: string[] = [];
  let hop = "";
  let at = skip(space, header, 0);
  for (;;) {
    const pair = readPair(header, at);
    if (pair === undefined) return [];
    if (pair.name === "for") hop = pair.value;
    at = skip(space, header, pair.end);
    if (at === header.length) return [...hops, hop];
    const separator = header[at];
    at = skip(space, header, at + 1);
    if (separator === ",") {
      hops.push(hop);
      hop = "";
    } else if (separator !== ";") return [];
  }
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  pattern.test(text);
  return Math.max(at, pattern.lastIndex);
}

function readPair(
  header: string,
  at: number,
): { readonly name: string; readonly value: string; readonly end: number } | undefined {
  token.lastIndex = at;
  const name = token.exec(header)?.[0];
  if (name === undefined || header[token.lastIndex] !== "=") return undefined;
  const valueAt = token.lastIndex + 1;
  const pattern = header[valueAt] === '"' ? quoted : token;
  pattern.lastIndex = valueAt;
  const match = pattern.exec(header);
  if (match === null) return undefined;
  const value = match[1]?.replace(/\\(.)/g, "$1") ?? match[0];
  return { name: name.toLowerCase(), value, end: pattern.lastIndex };
}
