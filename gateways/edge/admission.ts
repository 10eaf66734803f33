import type { Address } from "../../domain/address.ts";
import { contains } from "../../domain/prefix.ts";
import {
  type TokenClaims,
  type TokenFailureCode,
  type TokenKey,
  verifySignature,
} from "../../domain/token.ts";

/**
 * What a node makes of a request's token. `arrival`: there is none, so a DNS answer led here. `accepted`: good for
 * this node and client. `elsewhere`: good for this node, but for a client of another block.
 */
export type Admission =
  | { readonly kind: "arrival" }
  | { readonly kind: "accepted"; readonly claims: TokenClaims }
  | { readonly kind: "elsewhere"; readonly claims: TokenClaims }
  | {
      readonly kind: "refused";
      readonly reason: TokenFailureCode;
      readonly status: 400 | 403 | 421;
    };

export interface AdmissionContext {
  readonly nodeId: string;
  readonly client: Address;
  readonly keys: readonly TokenKey[];
  readonly nowMs: number;
}

/** Judges the token of a request; undefined: the request has none. */
export function admit(token: string | undefined, context: AdmissionContext): Admission {
  if (token === undefined) return { kind: "arrival" };
  const verified = verifySignature(token, context);
  if (verified.kind === "failure") {
    const status = verified.code === "MALFORMED" ? 400 : 403;
    return { kind: "refused", reason: verified.code, status };
  }
  const { claims } = verified;
  if (claims.nodeId !== context.nodeId) {
    return { kind: "refused", reason: "WRONG_NODE", status: 421 };
  }
  return contains(claims.block, context.client)
    ? { kind: "accepted", claims }
    : { kind: "elsewhere", claims };
}
