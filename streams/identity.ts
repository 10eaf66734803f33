import { hashRange } from "./hash.ts";

/**
 * What an output or a random number comes from (DESIGN.md section 4): an input record, a tick, a timer, the
 * sealing of a commit, or a position of a source.
 */
export const causeKinds = {
  input: 0,
  tick: 1,
  timer: 2,
  commit: 3,
  tombstone: 4,
  source: 5,
} as const;
export type CauseKind = (typeof causeKinds)[keyof typeof causeKinds];

export const eventIdBytes: number = 16;
/** Bytes of a frame before the event id: the Confluent magic byte and the schema id. */
export const frameHeaderBytes: number = 5;

const randomMark = 0x80;
const text = new TextEncoder();

/**
 * Identities of everything that one task emits: the first 16 bytes of a 128-bit hash over (log id, processor,
 * slot, cause, emission index). They do not depend on the engine, on offsets of outputs or on time.
 */
export class Identity {
  /** 16 seed bytes, 1 kind, 16 cause bytes, 4 emission index. */
  readonly #message = new Uint8Array(37);
  readonly #view = new DataView(this.#message.buffer);
  readonly #out = new Int32Array(4);
  /** Where the cause of an input still lies: most inputs cause nothing, so it is copied when something is. */
  #causeBytes: Uint8Array | undefined;
  #causeStart = 0;
  #emission = 0;
  #draws = 0;

  constructor(logId: string, owner: string, slot: number) {
    hashText(`${logId}\n${owner}\n${slot}`, this.#out);
    writeLanes(this.#out, this.#view, 0);
  }

  /** The cause is a record's event id, 16 bytes at `start`, which stay there until the next cause. */
  causedByInput(bytes: Uint8Array, start: number): void {
    this.#begin(causeKinds.input);
    this.#causeBytes = bytes;
    this.#causeStart = start;
  }

  /** The cause is a number: a tick (its time), a commit (its count). */
  causedByNumber(kind: CauseKind, value: number): void {
    this.#message.fill(0, 17, 33);
    this.#view.setFloat64(17, value, true);
    this.#begin(kind);
  }

  /** The cause is a text and a number: a timer (key, atMs), a tombstone (topic and key, offset), a source position. */
  causedByText(kind: CauseKind, value: string, number: number): void {
    hashText(value, this.#out);
    writeLanes(this.#out, this.#view, 17);
    // The second half carries the number too; the whole message is hashed for every id.
    const low = this.#view.getInt32(25, true);
    const high = this.#view.getInt32(29, true);
    this.#view.setFloat64(25, number, true);
    this.#view.setInt32(25, this.#view.getInt32(25, true) ^ low, true);
    this.#view.setInt32(29, this.#view.getInt32(29, true) ^ high, true);
    this.#begin(kind);
  }

  /** Writes the next event id of this cause to `target[at..at+16)`. */
  next(target: Uint8Array, at: number): void {
    if (this.#causeBytes !== undefined) this.#copyCause(this.#causeBytes);
    this.#view.setUint32(33, this.#emission, true);
    this.#emission += 1;
    hashRange(this.#view, 0, 37, 0, this.#out);
    for (let lane = 0; lane < 4; lane++) {
      const value = this.#out[lane] as number;
      const to = at + lane * 4;
      target[to] = value & 0xff;
      target[to + 1] = (value >>> 8) & 0xff;
      target[to + 2] = (value >>> 16) & 0xff;
      target[to + 3] = (value >>> 24) & 0xff;
    }
  }

  /** 0 <= x < 1 with 53 bits, the next of this cause. */
  random(): number {
    if (this.#causeBytes !== undefined) this.#copyCause(this.#causeBytes);
    const kind = this.#message[16] as number;
    this.#message[16] = kind | randomMark;
    this.#view.setUint32(33, this.#draws, true);
    this.#draws += 1;
    hashRange(this.#view, 0, 37, 0, this.#out);
    this.#message[16] = kind;
    const high = (this.#out[0] as number) >>> 5;
    const low = (this.#out[1] as number) >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  #copyCause(bytes: Uint8Array): void {
    const start = this.#causeStart;
    for (let i = 0; i < eventIdBytes; i++) this.#message[17 + i] = bytes[start + i] as number;
    this.#causeBytes = undefined;
  }

  #begin(kind: CauseKind): void {
    this.#causeBytes = undefined;
    this.#message[16] = kind;
    this.#emission = 0;
    this.#draws = 0;
  }
}

const shortText = new Uint8Array(64);
const shortTextView = new DataView(shortText.buffer);

/** Hash of the UTF-8 of a text; a short one of ASCII, as positions are, without an allocation. */
function hashText(value: string, out: Int32Array): void {
  const length = writeAscii(value, shortText);
  if (length >= 0) {
    hashRange(shortTextView, 0, length, 0, out);
    return;
  }
  const bytes = text.encode(value);
  hashRange(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length, 0, out);
}

/** Writes a text of ASCII that fits and gives its length; -1 for any other, whose bytes are then not to be used. */
export function writeAscii(value: string, target: Uint8Array): number {
  const { length } = value;
  if (length > target.length) return -1;
  for (let at = 0; at < length; at++) {
    const code = value.charCodeAt(at);
    if (code > 0x7f) return -1;
    target[at] = code;
  }
  return length;
}

function writeLanes(lanes: Int32Array, view: DataView, at: number): void {
  for (let lane = 0; lane < 4; lane++) view.setInt32(at + lane * 4, lanes[lane] as number, true);
}

/** Event id of a source's record: the same position of the same source in the same log gives the same id. */
export function sourceEventId(logId: string, source: string, position: string): Uint8Array {
  const identity = new Identity(logId, `source/${source}`, 0);
  identity.causedByText(causeKinds.source, position, 0);
  const id = new Uint8Array(eventIdBytes);
  identity.next(id, 0);
  return id;
}

/** 32 hexadecimal digits of the 16 bytes at `start`. */
export function hex16(bytes: Uint8Array, start: number = 0): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, eventIdBytes).toString("hex");
}

/** Text of a key in place; short ones of ASCII are put together faster than they are decoded. */
export function keyText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 24) return utf8Text(bytes, start, end);
  let ascii = "";
  for (let i = start; i < end; i++) {
    const code = bytes[i] as number;
    if (code > 0x7e) return utf8Text(bytes, start, end);
    ascii += String.fromCharCode(code);
  }
  return ascii;
}

function utf8Text(bytes: Uint8Array, start: number, end: number): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString("utf8", start, end);
}
