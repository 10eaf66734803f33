import { parseAddress } from "../../../domain/address.ts";

/** Bytes of known width, big endian, appended one after the other. */
export class ByteWriter {
  #bytes: Buffer = Buffer.alloc(256);
  #length = 0;

  uint8(value: number): this {
    this.#room(1);
    this.#length = this.#bytes.writeUInt8(value & 0xff, this.#length);
    return this;
  }

  uint16(value: number): this {
    this.#room(2);
    this.#length = this.#bytes.writeUInt16BE(value & 0xffff, this.#length);
    return this;
  }

  uint32(value: number): this {
    this.#room(4);
    this.#length = this.#bytes.writeUInt32BE(value >>> 0, this.#length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  done(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  #room(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(this.#length + size, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** The bytes of an address; throws for a text that is none. */
export function address(text: string): Uint8Array {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`"${text}" is no address`);
  return parsed.bytes;
}

/** One route as it stands in an UPDATE: path id, length, bytes. */
export interface WireRoute {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly pathId?: number | undefined;
}

/** A route from its text, host bits as they are. */
export function route(text: string, pathId?: number): WireRoute {
  const [network = "", length = ""] = text.split("/");
  return { bytes: address(network), length: Number(length), pathId };
}

export function routes(list: readonly WireRoute[]): Buffer {
  const writer = new ByteWriter();
  for (const { bytes, length, pathId } of list) {
    if (pathId !== undefined) writer.uint32(pathId);
    writer.uint8(length).bytes(bytes.subarray(0, (length + 7) >> 3));
  }
  return writer.done();
}

/** A path attribute; long values get the extended length. */
export function attribute(flags: number, code: number, value: Uint8Array): Buffer {
  const writer = new ByteWriter();
  const wide = value.length > 255 || (flags & 0x10) !== 0;
  writer.uint8(wide ? flags | 0x10 : flags).uint8(code);
  if (wide) writer.uint16(value.length);
  else writer.uint8(value.length);
  return writer.bytes(value).done();
}

/** An AS_PATH of segments `[type, ...asns]`. */
export function asPath(segments: readonly (readonly number[])[], asnBytes: 2 | 4): Buffer {
  const writer = new ByteWriter();
  for (const [type = 0, ...asns] of segments) {
    writer.uint8(type).uint8(asns.length);
    for (const asn of asns) asnBytes === 2 ? writer.uint16(asn) : writer.uint32(asn);
  }
  return writer.done();
}

export interface UpdateParts {
  readonly withdrawn?: Uint8Array;
  readonly attributes?: readonly Uint8Array[];
  readonly announced?: Uint8Array;
}

/** The body of an UPDATE message (RFC 4271 section 4.3). */
export function updateBody({ withdrawn, attributes = [], announced }: UpdateParts): Buffer {
  const gone = withdrawn ?? new Uint8Array(0);
  const described = Buffer.concat(attributes);
  const writer = new ByteWriter();
  writer.uint16(gone.length).bytes(gone).uint16(described.length).bytes(described);
  return writer.bytes(announced ?? new Uint8Array(0)).done();
}

/** A BGP message with its header. */
export function message(type: number, body: Uint8Array): Buffer {
  const writer = new ByteWriter().bytes(new Uint8Array(16).fill(0xff));
  return writer
    .uint16(19 + body.length)
    .uint8(type)
    .bytes(body)
    .done();
}

export interface RecordHead {
  readonly seconds: number;
  readonly type: number;
  readonly subtype: number;
  /** For BGP4MP_ET. */
  readonly microseconds?: number;
}

/** An MRT record (RFC 6396 section 2; with microseconds section 3). */
export function record(head: RecordHead, body: Uint8Array): Buffer {
  const { seconds, type, subtype, microseconds } = head;
  const extra = microseconds === undefined ? 0 : 4;
  const writer = new ByteWriter().uint32(seconds).uint16(type).uint16(subtype);
  writer.uint32(body.length + extra);
  if (microseconds !== undefined) writer.uint32(microseconds);
  return writer.bytes(body).done();
}

export interface Session {
  readonly peerAsn: number;
  readonly localAsn: number;
  readonly peer: string;
  readonly local: string;
}

/** What BGP4MP bodies begin with (RFC 6396 section 4.4). */
export function endpoints(session: Session, asnBytes: 2 | 4): Buffer {
  const peer = address(session.peer);
  const writer = new ByteWriter();
  for (const asn of [session.peerAsn, session.localAsn]) {
    asnBytes === 2 ? writer.uint16(asn) : writer.uint32(asn);
  }
  writer.uint16(0).uint16(peer.length === 4 ? 1 : 2);
  return writer.bytes(peer).bytes(address(session.local)).done();
}

export interface IndexedPeer {
  readonly asn: number;
  readonly address: string;
}

/** The body of a PEER_INDEX_TABLE; ASNs below 2^16 are written short. */
export function peerIndexBody(peers: readonly IndexedPeer[], view: string = ""): Buffer {
  const name = Buffer.from(view);
  const writer = new ByteWriter().uint32(0xc0000201).uint16(name.length).bytes(name);
  writer.uint16(peers.length);
  for (const { asn, address: text } of peers) {
    const bytes = address(text);
    const wide = asn > 0xffff;
    writer.uint8((bytes.length === 16 ? 1 : 0) | (wide ? 2 : 0));
    writer.uint32(0x0a000001).bytes(bytes);
    wide ? writer.uint32(asn) : writer.uint16(asn);
  }
  return writer.done();
}

export interface RibEntry {
  readonly peer: number;
  readonly originatedSeconds: number;
  readonly pathId?: number | undefined;
  readonly attributes: readonly Uint8Array[];
}

/** Count and entries of a RIB record (RFC 6396 section 4.3.4, RFC 8050 section 4.1). */
export function ribEntries(entries: readonly RibEntry[]): Buffer {
  const writer = new ByteWriter().uint16(entries.length);
  for (const { peer, originatedSeconds, pathId, attributes } of entries) {
    const described = Buffer.concat(attributes);
    writer.uint16(peer).uint32(originatedSeconds);
    if (pathId !== undefined) writer.uint32(pathId);
    writer.uint16(described.length).bytes(described);
  }
  return writer.done();
}

/** The body of a RIB record of one family and SAFI. */
export function ribBody(sequence: number, prefix: WireRoute, entries: readonly RibEntry[]): Buffer {
  const writer = new ByteWriter().uint32(sequence).bytes(routes([prefix]));
  return writer.bytes(ribEntries(entries)).done();
}
