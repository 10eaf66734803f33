/**
 * HMAC-SHA-256 (RFC 2104, FIPS 180-4) of short messages under a key that stays. The first block of both hashes
 * depends on the key alone and is done once; a message of up to 55 bytes then costs two blocks. node:crypto
 * makes and frees native objects for each tag, which in a server under load costs several times as much as
 * the hash itself. No branch and no look-up depends on key or message.
 */
export interface HmacKey {
  /** Hash states after the first block: key xor ipad, key xor opad. */
  readonly inner: Int32Array;
  readonly outer: Int32Array;
}

export const HMAC_BYTES = 32;
const BLOCK_BYTES = 64;
const LENGTH_AT = 56;

const roundConstants = Int32Array.from([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const initial = Int32Array.from([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

/** The hash in work; hashing never calls back, so one of each is enough. */
const state = new Int32Array(8);
const words = new Int32Array(64);
const last = new Uint8Array(2 * BLOCK_BYTES);

/** Prepares a key. A longer one than a block is hashed first (RFC 2104 section 2). */
export function hmacKey(secret: Uint8Array): HmacKey {
  const block = new Uint8Array(BLOCK_BYTES);
  if (secret.length <= BLOCK_BYTES) block.set(secret);
  else {
    state.set(initial);
    finish(secret, 0, secret.length, 0, block, 0);
  }
  const inner = firstBlock(block, 0x36);
  return { inner, outer: firstBlock(block, 0x5c) };
}

/** Writes the 32 bytes of the tag of `message[start..end)` to `target[at..at+32)`, which may be the same array. */
export function hmacSha256(
  key: HmacKey,
  message: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  state.set(key.inner);
  finish(message, start, end, BLOCK_BYTES, digest, 0);
  state.set(key.outer);
  finish(digest, 0, HMAC_BYTES, BLOCK_BYTES, target, at);
}

const digest = new Uint8Array(HMAC_BYTES);

function firstBlock(key: Uint8Array, pad: number): Int32Array {
  state.set(initial);
  compress(
    key.map((byte) => byte ^ pad),
    0,
  );
  return state.slice();
}

/** Takes the rest of a message after `before` bytes, and the padding of FIPS 180-4 section 5.1.1. */
function finish(
  bytes: Uint8Array,
  start: number,
  end: number,
  before: number,
  target: Uint8Array,
  targetAt: number,
): void {
  let at = start;
  for (; end - at >= BLOCK_BYTES; at += BLOCK_BYTES) compress(bytes, at);
  const rest = end - at;
  last.fill(0);
  for (let byte = 0; byte < rest; byte++) last[byte] = bytes[at + byte] as number;
  last[rest] = 0x80;
  const blocks = rest < LENGTH_AT ? 1 : 2;
  writeLength(before + end - start, blocks * BLOCK_BYTES - 8);
  compress(last, 0);
  if (blocks === 2) compress(last, BLOCK_BYTES);
  for (let word = 0; word < 8; word++) {
    const value = state[word] as number;
    const to = targetAt + word * 4;
    target[to] = value >>> 24;
    target[to + 1] = value >>> 16;
    target[to + 2] = value >>> 8;
    target[to + 3] = value;
  }
}

/** The length in bits, 64 bits big-endian. */
function writeLength(lengthBytes: number, at: number): void {
  const high = Math.floor(lengthBytes / 0x2000_0000);
  const low = (lengthBytes << 3) >>> 0;
  for (let byte = 0; byte < 4; byte++) {
    last[at + byte] = high >>> (24 - byte * 8);
    last[at + 4 + byte] = low >>> (24 - byte * 8);
  }
}

/** One block into `state` (FIPS 180-4 section 6.2.2). */
function compress(bytes: Uint8Array, start: number): void {
  expand(bytes, start);
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let round = 0; round < 64; round++) {
    const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const choice = (e & f) ^ (~e & g);
    const t1 =
      (h + sum1 + choice + (roundConstants[round] as number) + (words[round] as number)) | 0;
    const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + sum0 + majority) | 0;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
  state[4] = (state[4] as number) + e;
  state[5] = (state[5] as number) + f;
  state[6] = (state[6] as number) + g;
  state[7] = (state[7] as number) + h;
}

/** The message schedule of one block. */
function expand(bytes: Uint8Array, start: number): void {
  for (let word = 0; word < 16; word++) {
    const at = start + word * 4;
    words[word] =
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number);
  }
  for (let word = 16; word < 64; word++) {
    const w15 = words[word - 15] as number;
    const w2 = words[word - 2] as number;
    const s0 = ((w15 >>> 7) | (w15 << 25)) ^ ((w15 >>> 18) | (w15 << 14)) ^ (w15 >>> 3);
    const s1 = ((w2 >>> 17) | (w2 << 15)) ^ ((w2 >>> 19) | (w2 << 13)) ^ (w2 >>> 10);
    words[word] = ((words[word - 16] as number) + s0 + (words[word - 7] as number) + s1) | 0;
  }
}
