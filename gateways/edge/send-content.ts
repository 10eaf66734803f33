import type { IncomingMessage, ServerResponse } from "node:http";
import type { Content } from "./content.ts";

/** Seconds that a cache may keep an object. */
const maxAgeSeconds = 60;

/**
 * Answers GET or HEAD with an object: 304 where the client's validator still holds (RFC 9110 section 13.1.2).
 * Gives the status and the length of the body.
 */
export function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: Content,
  more: Readonly<Record<string, string>>,
): { readonly status: 200 | 304; readonly bytes: number } {
  const common = {
    ETag: content.etag,
    "Cache-Control": `public, max-age=${maxAgeSeconds}`,
    "Accept-Ranges": "none",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    ...more,
  };
  if (isHeld(request.headers["if-none-match"], content.etag)) {
    response.writeHead(304, common).end();
    return { status: 304, bytes: 0 };
  }
  response.writeHead(200, {
    "Content-Type": content.type,
    "Content-Length": content.body.length,
    ...common,
  });
  const isHead = request.method === "HEAD";
  response.end(isHead ? undefined : content.body);
  return { status: 200, bytes: isHead ? 0 : content.body.length };
}

function isHeld(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch
    .split(",")
    .map((validator) => validator.trim().replace(/^W\//, ""))
    .some((validator) => validator === "*" || validator === etag);
}
