import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { TokenKey } from "../../domain/token.ts";

const randomLength = 12;
const tagLength = 9;
const pattern = /^([A-Za-z0-9_-]{16})\.([a-z0-9-]{1,16})\.([A-Za-z0-9_-]{12})$/;

/**
 * Makes the id of a new session: random, with a tag of the key, so that any node can tell that some node of the
 * fleet gave it. Without that, anybody could invent lost sessions and raise the reconnect ratio.
 */
export function newSessionId(key: TokenKey): string {
  const random = randomBytes(randomLength).toString("base64url");
  return `${random}.${key.id}.${tagOf(key, random).toString("base64url")}`;
}

/** Whether a node of this fleet gave this session id, with a key that is still in the ring. */
export function isSessionId(text: string, keys: readonly TokenKey[]): boolean {
  const match = pattern.exec(text);
  if (match === null) return false;
  const key = keys.find(({ id }) => id === match[2]);
  if (key === undefined) return false;
  const given = Buffer.from(match[3] as string, "base64url");
  return timingSafeEqual(given, tagOf(key, match[1] as string));
}

function tagOf(key: TokenKey, random: string): Buffer {
  return createHmac("sha256", key.secret)
    .update(`session ${random}`)
    .digest()
    .subarray(0, tagLength);
}
