import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { type Address, addressBytes } from "./address.ts";
import type { Block } from "./block.ts";
import { HMAC_BYTES, type HmacKey, hmacKey, hmacSha256 } from "./hmac-sha256.ts";
import { contains, maxPrefixLength } from "./prefix.ts";

/** A key that signs tokens from `notBeforeMs` on and verifies them until `notAfterMs`. */
export interface TokenKey {
  /** 1 to 16 characters of `a-z`, `0-9` and `-`. */
  readonly id: string;
  /** At least MIN_SECRET_BYTES; a key object is printed by nothing. */
  readonly secret: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What a token is good for: one service on one node, from one block. */
export interface TokenBinding {
  readonly nodeId: string;
  readonly serviceId: string;
  readonly block: Block;
}

/** What a token says. */
export interface TokenClaims extends TokenBinding {
  readonly keyId: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/**
 * Why a token was refused. Nothing is said about a token's content (`WRONG_…`, `EXPIRED`,
 * `NOT_YET`) before its signature was found right.
 */
export type TokenFailureCode =
  | "MALFORMED"
  | "UNKNOWN_KEY"
  | "BAD_SIGNATURE"
  | "NOT_YET"
  | "EXPIRED"
  | "WRONG_NODE"
  | "WRONG_SERVICE"
  | "WRONG_BLOCK";

export interface TokenFailure {
  readonly kind: "failure";
  readonly code: TokenFailureCode;
}

export interface TokenAccepted {
  readonly kind: "accepted";
  readonly claims: TokenClaims;
}

/** Longest node or service name that a token can hold, bytes. */
export const MAX_TOKEN_NAME = 64;
/** Longest lifetime of a token. */
export const MAX_TOKEN_LIFETIME_MS = 86_400_000;
/** Most that two clocks of one fleet are allowed to differ. */
export const MAX_CLOCK_SKEW_MS = 300_000;
/** What they differ at most by default. */
export const DEFAULT_CLOCK_SKEW_MS = 30_000;
/** Longest token, characters: checked before anything is decoded. */
export const MAX_TOKEN_LENGTH = 256;
/** Shortest secret: as long as the tags that it makes, RFC 2104 section 3. */
export const MIN_SECRET_BYTES = 32;

const VERSION = 1;
/** Half of SHA-256's output: RFC 2104 section 5 allows no less. */
const TAG_BYTES = 16;
const KEY_ID = /^[a-z0-9-]{1,16}$/;
const NAME = /^[\x21-\x7e]{1,64}$/;
const TOKEN = /^[A-Za-z0-9_-]+$/;
/** The times are 32-bit seconds: until 2106. */
const MAX_SECONDS = 0xffff_ffff;
/** Version, two times, family and length of the block. */
const FIXED_BYTES = 1 + 4 + 4 + 1 + 1;

/** Whether a text can be the id of a key. */
export function isKeyId(id: string): boolean {
  return KEY_ID.test(id);
}

/** Whether a text can be a node or service of a token: 1 to 64 visible ASCII characters. */
export function isTokenName(name: string): boolean {
  return NAME.test(name);
}

/** The key that signs at this time: of the valid ones the one that became valid last. */
export function signingKey(keys: readonly TokenKey[], nowMs: number): TokenKey | undefined {
  let newest: TokenKey | undefined;
  for (const key of keys) {
    if (key.notBeforeMs > nowMs || key.notAfterMs <= nowMs) continue;
    if (newest === undefined || key.notBeforeMs > newest.notBeforeMs) newest = key;
  }
  return newest;
}

/** Where a token is put together; signing never calls back, so one is enough. */
const scratch = Buffer.alloc(FIXED_BYTES + 3 * (1 + MAX_TOKEN_NAME) + 16 + HMAC_BYTES);

/**
 * Makes a token, base64url, good for `lifetimeMs` from now (whole seconds, rounded up). Throws a
 * RangeError when a name, the lifetime or the key does not fit: those come from configuration.
 */
export function signToken(
  key: TokenKey,
  { nodeId, serviceId, block }: TokenBinding,
  nowMs: number,
  lifetimeMs: number,
): string {
  if (!(lifetimeMs > 0 && lifetimeMs <= MAX_TOKEN_LIFETIME_MS)) {
    throw new RangeError("signing a token: the lifetime is out of range");
  }
  const issued = Math.floor(nowMs / 1000);
  const expires = issued + Math.ceil(lifetimeMs / 1000);
  if (!(issued >= 0 && expires <= MAX_SECONDS)) {
    throw new RangeError("signing a token: the clock is out of range");
  }
  if (!isKeyId(key.id)) throw oddName();
  scratch[0] = VERSION;
  let at = writeName(1, key.id);
  at = scratch.writeUInt32BE(issued, at);
  at = scratch.writeUInt32BE(expires, at);
  at = writeName(at, nodeId);
  at = writeName(at, serviceId);
  scratch[at++] = block.family;
  scratch[at++] = block.length;
  const prefixBytes = (block.length + 7) >> 3;
  for (let byte = 0; byte < prefixBytes; byte++) scratch[at++] = block.bytes[byte] ?? 0;
  hmacSha256(preparedKey(key.secret), scratch, 0, at, scratch, at);
  return scratch.toString("base64url", 0, at + TAG_BYTES);
}

const preparedKeys = new WeakMap<KeyObject, HmacKey>();

/** The key as signing needs it, once for each. */
function preparedKey(secret: KeyObject): HmacKey {
  let prepared = preparedKeys.get(secret);
  if (prepared === undefined) {
    prepared = hmacKey(secret.export());
    preparedKeys.set(secret, prepared);
  }
  return prepared;
}

/** Writes length and characters to the scratch and gives the end; refuses what `isTokenName` refuses. */
function writeName(start: number, name: string): number {
  const { length } = name;
  if (length === 0 || length > MAX_TOKEN_NAME) throw oddName();
  scratch[start] = length;
  for (let at = 0; at < length; at++) {
    const code = name.charCodeAt(at);
    if (code < 0x21 || code > 0x7e) throw oddName();
    scratch[start + 1 + at] = code;
  }
  return start + 1 + length;
}

function oddName(): RangeError {
  return new RangeError("signing a token: the key id, node or service has an odd name");
}

function tagOf(key: TokenKey, signed: Uint8Array): Buffer {
  return createHmac("sha256", key.secret).update(signed).digest();
}

/** What the verifier knows by itself. */
export interface TokenContext {
  readonly nodeId: string;
  readonly serviceId: string;
  /** Where the client is seen: it must lie in the token's block, whatever the geo table here says. */
  readonly client: Address;
  readonly keys: readonly TokenKey[];
  readonly nowMs: number;
  /** At most MAX_CLOCK_SKEW_MS. */
  readonly clockSkewMs?: number;
}

/**
 * Accepts a token that one of the keys signed, at this time, for whomever: what it claims can be
 * believed, and is still to be compared.
 */
export function verifySignature(
  token: string,
  context: Pick<TokenContext, "keys" | "nowMs" | "clockSkewMs">,
): TokenAccepted | TokenFailure {
  const read = readToken(token);
  if (read === undefined) return failure("MALFORMED");
  const { claims, body } = read;
  const skewMs = Math.min(context.clockSkewMs ?? DEFAULT_CLOCK_SKEW_MS, MAX_CLOCK_SKEW_MS);
  const key = context.keys.find((candidate) => candidate.id === claims.keyId);
  if (key === undefined || !isKeyValid(key, context.nowMs, skewMs)) return failure("UNKNOWN_KEY");
  const signed = body.subarray(0, body.length - TAG_BYTES);
  const expected = tagOf(key, signed).subarray(0, TAG_BYTES);
  if (!timingSafeEqual(expected, body.subarray(signed.length))) return failure("BAD_SIGNATURE");
  if (claims.issuedMs > context.nowMs + skewMs) return failure("NOT_YET");
  if (claims.expiresMs + skewMs <= context.nowMs) return failure("EXPIRED");
  return { kind: "accepted", claims };
}

/**
 * Accepts a token that one of the keys signed, for this node, service and client, at this
 * time. `WRONG_BLOCK` comes last: such a token was good for a client elsewhere.
 */
export function verifyToken(token: string, context: TokenContext): TokenAccepted | TokenFailure {
  const accepted = verifySignature(token, context);
  if (accepted.kind === "failure") return accepted;
  const { claims } = accepted;
  if (claims.nodeId !== context.nodeId) return failure("WRONG_NODE");
  if (claims.serviceId !== context.serviceId) return failure("WRONG_SERVICE");
  if (!contains(claims.block, context.client)) return failure("WRONG_BLOCK");
  return accepted;
}

function failure(code: TokenFailureCode): TokenFailure {
  return { kind: "failure", code };
}

function isKeyValid(key: TokenKey, nowMs: number, skewMs: number): boolean {
  return key.notBeforeMs - skewMs <= nowMs && nowMs < key.notAfterMs + skewMs;
}

/** The claims and bytes of a well-formed token; what it claims is not yet to be believed. */
function readToken(token: string): { claims: TokenClaims; body: Buffer } | undefined {
  if (token.length > MAX_TOKEN_LENGTH || !TOKEN.test(token)) return undefined;
  const body = Buffer.from(token, "base64url");
  // Base64 has several texts for some bytes; only the one that we write is ours.
  if (body.toString("base64url") !== token) return undefined;
  const end = body.length - TAG_BYTES;
  if (end < FIXED_BYTES || body[0] !== VERSION) return undefined;
  const keyId = readName(body, 1, end);
  if (keyId === undefined || !isKeyId(keyId)) return undefined;
  const times = 2 + keyId.length;
  if (times + 8 > end) return undefined;
  const issued = body.readUInt32BE(times);
  const expires = body.readUInt32BE(times + 4);
  if (expires <= issued || (expires - issued) * 1000 > MAX_TOKEN_LIFETIME_MS) return undefined;
  const nodeId = readName(body, times + 8, end);
  if (nodeId === undefined) return undefined;
  const serviceAt = times + 9 + nodeId.length;
  const serviceId = readName(body, serviceAt, end);
  if (serviceId === undefined) return undefined;
  const block = readBlock(body, serviceAt + 1 + serviceId.length, end);
  if (block === undefined) return undefined;
  const claims = {
    keyId,
    nodeId,
    serviceId,
    block,
    issuedMs: issued * 1000,
    expiresMs: expires * 1000,
  };
  return { claims, body };
}

function readName(body: Buffer, at: number, end: number): string | undefined {
  const length = body[at] ?? 0;
  if (at >= end || at + 1 + length > end) return undefined;
  const name = body.toString("latin1", at + 1, at + 1 + length);
  return NAME.test(name) ? name : undefined;
}

function readBlock(body: Buffer, at: number, end: number): Block | undefined {
  const family = body[at];
  if (at + 2 > end || (family !== 4 && family !== 6)) return undefined;
  const length = body[at + 1] ?? 0;
  const prefixBytes = (length + 7) >> 3;
  if (length > maxPrefixLength(family) || at + 2 + prefixBytes !== end) return undefined;
  const bytes = new Uint8Array(addressBytes(family));
  bytes.set(body.subarray(at + 2, end));
  return { family, bytes, length };
}
