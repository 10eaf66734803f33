/** The header fields that routing needs. */
export interface RequestHead {
  host: string | undefined;
  /** All Forwarded fields, joined by commas. */
  forwarded: string | undefined;
  /** All X-Forwarded-For fields, joined by commas. */
  forwardedFor: string | undefined;
}

/**
 * Reads them from the raw fields into one object that is used again: `request.headers` would make an object of
 * all fields for each request. A second Host field is refused by node's parser.
 */
export function readHead(rawHeaders: readonly string[], head: RequestHead): RequestHead {
  head.host = undefined;
  head.forwarded = undefined;
  head.forwardedFor = undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    switch (name.length) {
      case 4:
        if (head.host === undefined && isNamed(name, "Host")) head.host = rawHeaders[at + 1];
        break;
      case 9:
        if (isNamed(name, "Forwarded")) {
          head.forwarded = joined(head.forwarded, rawHeaders[at + 1] as string);
        }
        break;
      case 15:
        if (isNamed(name, "X-Forwarded-For")) {
          head.forwardedFor = joined(head.forwardedFor, rawHeaders[at + 1] as string);
        }
        break;
    }
  }
  return head;
}

/** Whether a field has this name, in any case; the usual spelling costs no second string. */
export function isNamed(name: string, usual: string): boolean {
  return name === usual || name.toLowerCase() === usual.toLowerCase();
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}
