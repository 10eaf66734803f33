import {
  address,
  asPath,
  attribute,
  ByteWriter,
  endpoints,
  type IndexedPeer,
  message,
  peerIndexBody,
  type RibEntry,
  record,
  ribBody,
  ribEntries,
  routes,
  type Session,
  updateBody,
  type WireRoute,
} from "./mrt-writer.ts";

/** A generator of numbers 0 <= x < 1 from a 32-bit seed (Steele's SplitMix, 32 bits). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  };
}

const START_SECONDS = 1_700_000_000;

/** What the records of a file are. */
interface Mix {
  readonly messageSubtypes: readonly number[];
  readonly ribSubtypes: readonly number[];
  readonly safis: readonly number[];
  /** Share of changes of state, of records of type BGP and of records that are no BGP. */
  readonly others: readonly [number, number, number];
}

const everything: Mix = {
  messageSubtypes: [1, 4, 6, 7, 8, 9, 10, 11],
  ribSubtypes: [2, 2, 2, 4, 4, 4, 8, 10, 3, 5, 9, 11, 6, 12],
  safis: [1, 1, 1, 2, 3],
  others: [0.08, 0.08, 0.02],
};

/** What public collectors write: unicast routes that they received. */
const received: Mix = {
  messageSubtypes: [1, 4],
  ribSubtypes: [2, 4],
  safis: [1],
  others: [0.01, 0, 0],
};

/**
 * MRT files from a seed, with every record type and attribute that carries routes. All is valid,
 * as far as `bgpdump` goes: nothing comes twice and no host bits are set, which its versions print
 * in different ways.
 */
export class MrtGenerator {
  readonly #random: () => number;
  readonly #mix: Mix;
  readonly #peers: readonly IndexedPeer[];
  #seconds = START_SECONDS;
  #sequence = 0;

  /** `like` public collectors: only routes that they received; otherwise all there is. */
  constructor(seed: number, like: "collector" | "everything" = "everything") {
    this.#random = seeded(seed);
    this.#mix = like === "collector" ? received : everything;
    this.#peers = Array.from({ length: 8 }, (_, index) => ({
      asn: index % 3 === 0 ? 4_200_000_000 + index : 64_496 + index,
      address: index % 2 === 0 ? `192.0.2.${index + 1}` : `2001:db8:0:${index}::1`,
    }));
  }

  /** Records of updates and changes of state, `count` of them. */
  updates(count: number): Buffer {
    return Buffer.concat(Array.from({ length: count }, () => this.#updateRecord()));
  }

  /** A TABLE_DUMP_V2 dump: a peer index and `count` records of one prefix each. */
  table(count: number): Buffer {
    const head = { seconds: this.#seconds, type: 13, subtype: 1 };
    const index = record(head, peerIndexBody(this.#peers, this.#chance(0.5) ? "view" : ""));
    return Buffer.concat([index, ...Array.from({ length: count }, () => this.#ribRecord())]);
  }

  /** A TABLE_DUMP dump of `count` routes. */
  oldTable(count: number): Buffer {
    return Buffer.concat(Array.from({ length: count }, () => this.#tableDumpRecord()));
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#int(of.length)] as T;
  }

  #updateRecord(): Buffer {
    this.#seconds += this.#int(3);
    const [states, legacy, foreign] = this.#mix.others;
    const kind = this.#random();
    if (kind < states) return this.#stateChange();
    if (kind < states + legacy) return this.#legacyUpdate();
    if (kind < states + legacy + foreign)
      return record(this.#head(11, 0), Buffer.from("OSPF is passed over"));
    const subtype = this.#one(this.#mix.messageSubtypes);
    const asnBytes = [4, 7, 9, 11].includes(subtype) ? 4 : 2;
    const addPath = subtype >= 8;
    const session = this.#session(asnBytes);
    const body = Buffer.concat([endpoints(session, asnBytes), this.#message(asnBytes, addPath)]);
    return record(this.#head(this.#chance(0.3) ? 17 : 16, subtype), body);
  }

  #head(type: number, subtype: number): Parameters<typeof record>[0] {
    const head = { seconds: this.#seconds, type, subtype };
    return type === 17 ? { ...head, microseconds: this.#int(1_000_000) } : head;
  }

  #session(asnBytes: 2 | 4): Session {
    const { asn, address: peer } = this.#one(this.#peers);
    const local = peer.includes(":") ? "2001:db8::ffff" : "198.51.100.1";
    const peerAsn = asnBytes === 2 ? Math.min(asn, 23_456) : asn;
    return { peerAsn, localAsn: this.#chance(0.1) ? peerAsn : 12_654, peer, local };
  }

  #message(asnBytes: 2 | 4, addPath: boolean): Buffer {
    const kind = this.#random();
    if (kind < 0.04) return message(4, new Uint8Array(0));
    if (kind < 0.06) return message(3, new Uint8Array([6, 2, 1, 2]));
    if (kind < 0.08) return message(1, new Uint8Array([4, 0, 1, 0, 90, 1, 2, 3, 4, 0]));
    return message(2, this.#update(asnBytes, addPath));
  }

  #update(asnBytes: 2 | 4, addPath: boolean): Buffer {
    const kind = this.#random();
    if (kind < 0.03) return updateBody({});
    if (kind < 0.06) return updateBody({ attributes: [attribute(0x80, 15, this.#family(2, 1))] });
    const withdrawn = this.#chance(0.3) ? routes(this.#routes(4, addPath)) : new Uint8Array(0);
    const attributes: Buffer[] = [];
    if (this.#chance(0.2)) attributes.push(this.#unreach(addPath));
    if (kind < 0.2) return updateBody({ withdrawn, attributes });
    attributes.push(...this.#attributes(asnBytes));
    const reaches = this.#chance(0.4);
    if (reaches) attributes.push(this.#reach(addPath));
    const listed = !reaches || this.#chance(0.2);
    const announced = listed ? routes(this.#routes(4, addPath)) : new Uint8Array(0);
    if (this.#chance(0.3)) this.#shuffle(attributes);
    return updateBody({ withdrawn, attributes, announced });
  }

  /** Any order but AS4_AGGREGATOR before AGGREGATOR, where `bgpdump` aborts. */
  #shuffle(attributes: Buffer[]): void {
    for (let at = attributes.length - 1; at > 0; at--) {
      const other = this.#int(at + 1);
      const moved = attributes[at] as Buffer;
      attributes[at] = attributes[other] as Buffer;
      attributes[other] = moved;
    }
    const short = attributes.findIndex((one) => one[1] === 7);
    const long = attributes.findIndex((one) => one[1] === 18);
    if (long >= 0 && long < short) attributes.push(...attributes.splice(long, 1));
  }

  #family(family: number, safi: number): Buffer {
    return new ByteWriter().uint16(family).uint8(safi).done();
  }

  #routes(family: 4 | 6, addPath: boolean): WireRoute[] {
    return Array.from({ length: 1 + this.#int(6) }, () => this.#route(family, addPath));
  }

  #route(family: 4 | 6, addPath: boolean): WireRoute {
    const longest = family === 4 ? 32 : 128;
    const usual = family === 4 ? 24 : 48;
    const length = this.#chance(0.8) ? usual - this.#int(9) : this.#int(longest + 1);
    const bytes = new Uint8Array(longest / 8);
    for (let at = 0; at < length; at++) {
      if (this.#chance(0.4)) bytes[at >> 3] = (bytes[at >> 3] as number) | (0x80 >> (at & 7));
    }
    return { bytes, length, pathId: addPath ? this.#int(0x1_0000_0000) : undefined };
  }

  #reach(addPath: boolean): Buffer {
    const family = this.#chance(0.8) ? 2 : 1;
    const safi = this.#one(this.#mix.safis);
    const writer = new ByteWriter().bytes(this.#family(family, safi));
    writer.bytes(this.#nextHop(family === 1 ? [4, 16] : [16, 32])).uint8(0);
    return attribute(0x80, 14, writer.bytes(routes(this.#mpRoutes(family, addPath))).done());
  }

  #unreach(addPath: boolean): Buffer {
    const family = this.#chance(0.8) ? 2 : 1;
    const safi = this.#one(this.#mix.safis);
    const list = routes(this.#mpRoutes(family, addPath));
    return attribute(0x80, 15, Buffer.concat([this.#family(family, safi), list]));
  }

  #mpRoutes(family: number, addPath: boolean): WireRoute[] {
    return this.#routes(family === 1 ? 4 : 6, addPath);
  }

  /** Length and next hop. */
  #nextHop(sizes: readonly number[]): Buffer {
    const size = this.#one(sizes);
    const hop =
      size === 4 ? address("203.0.113.7") : address(this.#chance(0.8) ? "2001:db8::7" : "::7");
    const local = size === 32 ? address("fe80::7") : new Uint8Array(0);
    return Buffer.concat([Buffer.from([size]), hop, local]);
  }

  #attributes(asnBytes: 2 | 4): Buffer[] {
    const list = [attribute(0x40, 1, Buffer.from([this.#int(3)]))];
    list.push(attribute(0x40, 2, this.#path(asnBytes)));
    list.push(attribute(0x40, 3, address(`203.0.113.${this.#int(256)}`)));
    if (this.#chance(0.3)) list.push(attribute(0x80, 4, this.#uint32()));
    if (this.#chance(0.2)) list.push(attribute(0x40, 5, this.#uint32()));
    if (this.#chance(0.1)) list.push(attribute(0x40, 6, new Uint8Array(0)));
    if (this.#chance(0.2)) list.push(...this.#aggregators(asnBytes));
    if (this.#chance(0.5)) list.push(attribute(0xc0, 8, this.#communities()));
    if (this.#chance(0.1)) list.push(attribute(0x80, 9, this.#uint32()));
    if (this.#chance(0.1)) list.push(attribute(0x80, 10, this.#words(1 + this.#int(3))));
    if (this.#chance(0.2)) list.push(attribute(0xc0, 16, this.#words(2 * (1 + this.#int(3)))));
    if (asnBytes === 2 && this.#chance(0.4)) list.push(attribute(0xc0, 17, this.#as4Path()));
    if (this.#chance(0.1)) list.push(attribute(0xc0, 29, this.#words(this.#int(90))));
    if (this.#chance(0.2)) list.push(attribute(0xc0, 32, this.#words(3 * (1 + this.#int(3)))));
    return list;
  }

  #aggregators(asnBytes: 2 | 4): Buffer[] {
    const router = address("198.51.100.9");
    const long = new ByteWriter().uint32(4_200_000_009).bytes(router).done();
    if (asnBytes === 4) return [attribute(0xc0, 7, long)];
    const trans = this.#chance(0.6);
    const short = new ByteWriter()
      .uint16(trans ? 23_456 : 64_511)
      .bytes(router)
      .done();
    const list = [attribute(0xc0, 7, short)];
    if (this.#chance(0.6)) list.push(attribute(0xc0, 18, long));
    return list;
  }

  #uint32(): Buffer {
    return this.#words(1);
  }

  #words(count: number): Buffer {
    const writer = new ByteWriter();
    for (let word = 0; word < count; word++) writer.uint32(this.#int(0x1_0000_0000));
    return writer.done();
  }

  #communities(): Buffer {
    const writer = new ByteWriter();
    for (let left = 1 + this.#int(8); left > 0; left--) {
      writer.uint32(this.#chance(0.1) ? 0xffffff01 + this.#int(4) : this.#int(0x1_0000_0000));
    }
    return writer.done();
  }

  #path(asnBytes: 2 | 4): Buffer {
    if (this.#chance(0.05)) return Buffer.alloc(0);
    const segments = [[2, ...this.#asns(asnBytes)]];
    if (this.#chance(0.1)) segments.unshift([3, ...this.#asns(asnBytes)]);
    if (this.#chance(0.1)) segments.push([1, ...this.#asns(asnBytes)]);
    if (this.#chance(0.05)) segments.push([4, ...this.#asns(asnBytes)]);
    if (this.#chance(0.1)) segments.push([2, ...this.#asns(asnBytes)]);
    return asPath(segments, asnBytes);
  }

  #as4Path(): Buffer {
    const segments = [[2, ...this.#asns(4).slice(0, 3)]];
    if (this.#chance(0.2)) segments.push([1, ...this.#asns(4)]);
    return asPath(segments, 4);
  }

  #asns(asnBytes: 2 | 4): number[] {
    const limit = asnBytes === 2 || this.#chance(0.7) ? 65_536 : 0x1_0000_0000;
    return Array.from({ length: 1 + this.#int(6) }, () => this.#int(limit));
  }

  #stateChange(): Buffer {
    const asnBytes = this.#chance(0.5) ? 2 : 4;
    const states = new ByteWriter()
      .uint16(1 + this.#int(6))
      .uint16(1 + this.#int(6))
      .done();
    if (this.#chance(0.2)) {
      const legacy = new ByteWriter().uint16(64_500).bytes(address("192.0.2.9")).bytes(states);
      return record(this.#head(5, 3), legacy.done());
    }
    const body = Buffer.concat([endpoints(this.#session(asnBytes), asnBytes), states]);
    return record(this.#head(this.#chance(0.3) ? 17 : 16, asnBytes === 2 ? 0 : 5), body);
  }

  #legacyUpdate(): Buffer {
    const writer = new ByteWriter();
    for (const [asn, text] of [[64_500, "192.0.2.9"] as const, [64_501, "192.0.2.10"] as const]) {
      writer.uint16(asn).bytes(address(text));
    }
    return record(this.#head(5, 1), writer.bytes(this.#update(2, false)).done());
  }

  #ribRecord(): Buffer {
    const sequence = this.#sequence++;
    const subtype = this.#one(this.#mix.ribSubtypes);
    const head = { seconds: this.#seconds, type: 13, subtype };
    const addPath = subtype >= 8 && subtype !== 12;
    const family = [2, 3, 8, 9].includes(subtype) ? 4 : 6;
    const prefix = this.#route(family, false);
    const entries = Array.from({ length: this.#int(6) }, () => this.#ribEntry(family, addPath));
    if (subtype !== 6 && subtype !== 12) return record(head, ribBody(sequence, prefix, entries));
    const generic = new ByteWriter().uint32(sequence).bytes(this.#family(2, 1));
    if (subtype === 12) generic.uint32(this.#int(0x1_0000_0000));
    return record(
      head,
      generic
        .bytes(routes([prefix]))
        .bytes(ribEntries(entries))
        .done(),
    );
  }

  #ribEntry(family: 4 | 6, addPath: boolean): RibEntry {
    const attributes = this.#attributes(4).filter((one) => family === 4 || one[1] !== 3);
    if (family === 6 && this.#chance(0.9)) {
      const hop = this.#nextHop([16, 32]);
      const whole = Buffer.concat([this.#family(2, 1), hop, Buffer.alloc(1)]);
      attributes.push(attribute(0x80, 14, this.#chance(0.8) ? hop : whole));
    }
    const pathId = addPath ? this.#int(0x1_0000_0000) : undefined;
    const originatedSeconds = this.#seconds - this.#int(100_000);
    return { peer: this.#int(this.#peers.length), originatedSeconds, pathId, attributes };
  }

  #tableDumpRecord(): Buffer {
    const subtype = this.#one([1, 1, 1, 2, 2, 3, 4]);
    const family = subtype % 2 === 1 ? 4 : 6;
    const asnBytes = subtype > 2 ? 4 : 2;
    const { bytes, length } = this.#route(family, false);
    const peer = address(family === 4 ? "192.0.2.77" : "2001:db8::77");
    const attributes = this.#attributes(asnBytes);
    if (family === 6) attributes.push(attribute(0x80, 14, this.#nextHop([16, 32])));
    const described = Buffer.concat(attributes);
    const writer = new ByteWriter()
      .uint16(0)
      .uint16(this.#sequence++)
      .bytes(bytes);
    writer.uint8(length).uint8(1).uint32(this.#seconds).bytes(peer);
    asnBytes === 2 ? writer.uint16(64_500) : writer.uint32(4_200_000_001);
    writer.uint16(described.length).bytes(described);
    return record({ seconds: this.#seconds, type: 12, subtype }, writer.done());
  }
}
