import type { IncomingMessage, ServerResponse } from "node:http";
import type { Address } from "../../domain/address.ts";
import { type Block, blockOf, formatBlock } from "../../domain/block.ts";
import { signToken, type TokenKey } from "../../domain/token.ts";
import { tokenParameter } from "./request-target.ts";

/** Path of sessions: POST gives a token, a WebSocket upgrade with it begins one. */
export const sessionPath = "/session";

/** What `POST /session` needs to know: where this client's session belongs. */
export interface SessionOffer {
  readonly nodeId: string;
  /** `scheme://host:port` of the node. */
  readonly origin: string;
  readonly serviceId: string;
}

export interface SessionDoorOptions {
  readonly signingKey: (nowMs: number) => TokenKey | undefined;
  readonly nowMs: () => number;
  readonly lifetimeMs: number;
}

/**
 * Answers `POST /session` with a token for the client's block as it is seen here, and the WebSocket URL that
 * takes it. Any node or gateway can: a client whose address changed asks again. False when no key can sign.
 */
export function giveSession(
  request: IncomingMessage,
  response: ServerResponse,
  offer: SessionOffer,
  client: { readonly address: Address; readonly blockLength: number },
  options: SessionDoorOptions,
): boolean {
  const nowMs = options.nowMs();
  const key = options.signingKey(nowMs);
  if (key === undefined) return false;
  const { nodeId, origin, serviceId } = offer;
  const { family, bytes } = client.address;
  const block: Block = blockOf(family, bytes, client.blockLength);
  const token = signToken(key, { nodeId, serviceId, block }, nowMs, options.lifetimeMs);
  const body = `${JSON.stringify({
    token,
    nodeId,
    serviceId,
    block: formatBlock(family, bytes, client.blockLength),
    expiresMs: nowMs + options.lifetimeMs,
    url: `${origin.replace(/^http/, "ws")}${sessionPath}?${tokenParameter}=${token}`,
  })}\n`;
  response.writeHead(200, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "Access-Control-Allow-Origin": "*",
  });
  request.resume();
  response.end(body);
  return true;
}
