/**
 * The host name of a Host header (RFC 9110 section 7.2) in lower case, without port and final dot; an IPv6
 * literal keeps its brackets. Undefined when it is no host: the text is compared only, never sent anywhere.
 */
export function hostOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length === 0 || header.length > 260) return undefined;
  const end = header.charCodeAt(0) === 0x5b ? header.indexOf("]") + 1 : nameEnd(header);
  if (end === 0 || !isPort(header, end)) return undefined;
  const name = header.slice(0, end).toLowerCase();
  if (name.startsWith("[")) return /^\[[0-9a-f:.]{2,45}\]$/.test(name) ? name : undefined;
  const plain = name.endsWith(".") ? name.slice(0, -1) : name;
  return isHostName(plain) ? plain : undefined;
}

/** Whether this is a host name of letters, digits, `-` and `_` in labels of 1 to 63, at most 253 long. */
export function isHostName(name: string): boolean {
  if (name.length === 0 || name.length > 253) return false;
  let label = 0;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code === 0x2e) {
      if (label === 0) return false;
      label = 0;
      continue;
    }
    const letter = (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
    if (!letter && code !== 0x2d && code !== 0x5f) return false;
    label += 1;
    if (label > 63) return false;
  }
  return label > 0;
}

function nameEnd(header: string): number {
  const colon = header.indexOf(":");
  return colon < 0 ? header.length : colon;
}

function isPort(header: string, from: number): boolean {
  return from === header.length || /^:\d{1,5}$/.test(header.slice(from));
}
