import { maxTargetLength } from "./limits.ts";

/** Query parameter that carries the token to a node. */
export const tokenParameter = "ocdn-token";
/** Query parameter that says: this request came back once already from a node of another block. */
export const retryParameter = "ocdn-retry";

const slash = 0x2f;
const backslash = 0x5c;
const hash = 0x23;

/**
 * Whether a request target may be repeated in a Location: origin-form (RFC 9112 section 3.2.1), printable
 * ASCII without `\` and `#`, not beginning with `//` (which a careless joiner reads as an authority), bounded.
 */
export function isPlainTarget(target: string): boolean {
  const { length } = target;
  if (length === 0 || length > maxTargetLength || target.charCodeAt(0) !== slash) return false;
  if (length > 1 && target.charCodeAt(1) === slash) return false;
  for (let at = 1; at < length; at++) {
    const code = target.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f || code === backslash || code === hash) return false;
  }
  return true;
}

/** The target without every parameter of this name, byte for byte otherwise. */
export function withoutParameter(target: string, name: string): string {
  const mark = target.indexOf("?");
  if (mark < 0 || target.indexOf(name, mark) < 0) return target;
  const kept = target
    .slice(mark + 1)
    .split("&")
    .filter((part) => !isNamed(part, name));
  return kept.length === 0 ? target.slice(0, mark) : `${target.slice(0, mark)}?${kept.join("&")}`;
}

/** The last value of this parameter as it is written (no percent decoding), or undefined. */
export function parameterOf(target: string, name: string): string | undefined {
  const mark = target.indexOf("?");
  if (mark < 0) return undefined;
  let from = target.lastIndexOf(name);
  while (from > mark) {
    const before = target.charAt(from - 1);
    const end = from + name.length;
    if ((before === "?" && from - 1 === mark) || before === "&") {
      if (end === target.length || target.charAt(end) === "&") return "";
      if (target.charAt(end) === "=") {
        const stop = target.indexOf("&", end);
        return target.slice(end + 1, stop < 0 ? target.length : stop);
      }
    }
    from = target.lastIndexOf(name, from - 1);
  }
  return undefined;
}

/** The path of a target, without its query. */
export function pathOf(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? target : target.slice(0, mark);
}

/** `origin` + the target + one more parameter; the caller has checked the target and owns the origin. */
export function locationOf(origin: string, target: string, name: string, value: string): string {
  const joint = target.indexOf("?") < 0 ? "?" : "&";
  return `${origin}${target}${joint}${name}=${value}`;
}

function isNamed(part: string, name: string): boolean {
  return part.startsWith(name) && (part.length === name.length || part.charAt(name.length) === "=");
}

/**
 * The origin (`scheme://host[:port]`) of a node's base URL, or undefined: only http and https, without user,
 * path, query and fragment, so that nothing in a request can change where a Location points.
 */
export function originOf(baseUrl: string): string | undefined {
  if (baseUrl.length > 300 || !URL.canParse(baseUrl)) return undefined;
  const url = new URL(baseUrl);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return undefined;
  }
  return url.pathname === "/" ? url.origin : undefined;
}
