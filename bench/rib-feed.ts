import { packAsPath } from "../domain/as-path.ts";
import { seededRandom } from "../domain/distance.ts";
import { PrefixListWriter } from "../domain/prefix-list.ts";
import { Arena } from "../schemas/arena.ts";
import type { BgpAttributes, BgpUpdate } from "../schemas/generated/events.ts";
import type { SchemaTable } from "../schemas/schema-table.ts";
import { RecordBatch } from "../streams/batch.ts";
import { EventEncoder } from "../streams/event-encoder.ts";
import type { Emitted } from "../streams/processor.ts";
import { slotOfKey } from "../streams/topic.ts";
import { bgpUpdates } from "../streams/topics.ts";

/** In the past, so that no clock clamps it. */
const startMs = 1_700_000_000_000;
/** Neighbouring prefixes with one origin and mostly one path: 5.5 of them in a set of attributes. */
const groupPrefixes = 6;
const ipv6Every = 8;
const announced = 1;
const withdrawn = 2;

/** What the generator knows that the rib must find. */
export interface Expected {
  routes: number;
  reannounced: number;
  originChanges: number;
  /** Prefixes sent, announced and withdrawn. */
  updates: number;
  messages: number;
}

/**
 * BGP messages of several peers from a seed, and what a rib must make of them, counted from the state of every route
 * that the generator keeps for itself. Six prefixes of a group share an origin; a message has one to six of a group.
 */
export class RibFeed {
  readonly expected: Expected = {
    routes: 0,
    reannounced: 0,
    originChanges: 0,
    updates: 0,
    messages: 0,
  };
  readonly peers: number;
  readonly groups: number;
  readonly #random: () => number;
  readonly #state: Uint8Array;
  readonly #origin: Uint32Array;
  readonly #waiting: number[] = [];
  readonly #encoder: EventEncoder<BgpUpdate>;
  readonly #slots: number;
  readonly #arena = new Arena({ initialBytes: 65_536, maxBytes: 1_048_576 });
  readonly #list = new PrefixListWriter();
  readonly #bytes = new Uint8Array(16);
  #loaded = 0;

  constructor(options: {
    readonly seed: number;
    readonly peers: number;
    readonly prefixes: number;
    readonly slots: number;
    readonly schemas: SchemaTable;
  }) {
    this.peers = options.peers;
    this.groups = Math.floor(options.prefixes / groupPrefixes);
    this.#random = seededRandom(options.seed);
    this.#state = new Uint8Array(this.peers * this.groups * groupPrefixes);
    this.#origin = new Uint32Array(this.#state.length);
    this.#slots = options.slots;
    this.#encoder = new EventEncoder(bgpUpdates.schema, options.schemas);
  }

  /** Messages that announce each route once; an empty batch when all are. */
  load(messages: number): RecordBatch {
    const batch = new RecordBatch();
    for (let i = 0; i < messages && this.#loaded < this.peers * this.groups; i++) {
      const group = Math.floor(this.#loaded / this.peers);
      this.#announce(batch, this.#loaded % this.peers, group, 0, groupPrefixes, false);
      this.#loaded += 1;
    }
    return batch;
  }

  /** Messages as they come all day: path changes, withdrawals and returns, now and then another origin. */
  churn(messages: number): RecordBatch {
    const batch = new RecordBatch();
    for (let i = 0; i < messages; i++) {
      const kind = this.#random();
      const waiting = kind < 0.1 ? this.#waiting.shift() : undefined;
      const place = waiting ?? this.#below(this.peers * this.groups);
      const peer = place % this.peers;
      const group = Math.floor(place / this.peers);
      const from = waiting === undefined ? this.#below(groupPrefixes) : 0;
      const count = waiting === undefined ? 1 + this.#below(groupPrefixes - from) : groupPrefixes;
      if (kind > 0.9) this.#withdraw(batch, peer, group, from, count);
      else this.#announce(batch, peer, group, from, count, kind > 0.88);
    }
    return batch;
  }

  /** One message without routes for each peer, later than all before, so that each is written with its routes. */
  closing(): RecordBatch {
    const batch = new RecordBatch();
    this.expected.messages += 100_000;
    for (let peer = 0; peer < this.peers; peer++) this.#add(batch, peer, null, new Uint8Array(0));
    return batch;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #announce(
    batch: RecordBatch,
    peer: number,
    group: number,
    from: number,
    count: number,
    hijacked: boolean,
  ): void {
    const own = 64_496 + ((group * 7) % 60_000);
    const origin = hijacked ? 200_000 + this.#below(1_000) : own;
    this.#list.reset();
    for (let i = from; i < from + count; i++) {
      const route = (peer * this.groups + group) * groupPrefixes + i;
      const before = this.#state[route];
      if (before === withdrawn) this.expected.reannounced += 1;
      else if (before === announced && this.#origin[route] !== origin) {
        this.expected.originChanges += 1;
      }
      if (before !== announced) this.expected.routes += 1;
      this.#state[route] = announced;
      this.#origin[route] = origin;
      this.#addPrefix(group * groupPrefixes + i);
    }
    this.#add(batch, peer, this.#attributes(peer, origin), this.#list.toBytes(), count);
  }

  #withdraw(batch: RecordBatch, peer: number, group: number, from: number, count: number): void {
    this.#list.reset();
    let sent = 0;
    for (let i = from; i < from + count; i++) {
      const route = (peer * this.groups + group) * groupPrefixes + i;
      if (this.#state[route] !== announced) continue;
      this.#state[route] = withdrawn;
      this.expected.routes -= 1;
      this.#addPrefix(group * groupPrefixes + i);
      sent += 1;
    }
    if (sent === 0) return;
    this.#waiting.push(group * this.peers + peer);
    this.#add(batch, peer, null, this.#list.toBytes(), sent);
  }

  #addPrefix(index: number): void {
    const bytes = this.#bytes;
    bytes.fill(0);
    if (index % ipv6Every === 0) {
      bytes[0] = 0x2a;
      bytes[1] = index >>> 24;
      bytes[2] = index >>> 16;
      bytes[3] = index >>> 8;
      bytes[4] = index;
      this.#list.add(6, bytes, 0, 48);
      return;
    }
    const network = 0x01_00_00_00 + index * 256;
    bytes[0] = network >>> 24;
    bytes[1] = network >>> 16;
    bytes[2] = network >>> 8;
    this.#list.add(4, bytes, 0, 24);
  }

  #attributes(peer: number, origin: number): BgpAttributes {
    const hops = [100 + peer, 1_000 + this.#below(60), 3_000 + this.#below(400), origin];
    const communities = new Uint8Array(4 * (1 + this.#below(6)));
    for (let i = 0; i < communities.length; i++) communities[i] = (peer * 31 + i * 7) & 0xff;
    const nothing = new Uint8Array(0);
    return {
      origin: "IGP",
      asPath: packAsPath([{ kind: "sequence", asns: hops }]) as Uint8Array,
      nextHop: `192.0.2.${peer % 250}`,
      multiExitDisc: this.#random() < 0.3 ? this.#below(100) : null,
      localPref: null,
      atomicAggregate: false,
      aggregatorAsn: null,
      aggregatorAddress: "",
      communities,
      extendedCommunities: nothing,
      largeCommunities: nothing,
      originatorId: "",
      clusterList: nothing,
    };
  }

  #add(
    batch: RecordBatch,
    peer: number,
    attributes: BgpAttributes | null,
    list: Uint8Array,
    prefixes: number = 0,
  ): void {
    const message = this.expected.messages++;
    this.expected.updates += prefixes;
    const name = `bench/${100 + peer}/192.0.2.${peer % 250}`;
    const nothing = new Uint8Array(0);
    const value: Emitted<BgpUpdate> = {
      peer: name,
      peerAsn: 100 + peer,
      peerAddress: `192.0.2.${peer % 250}`,
      message: "UPDATE",
      family: 0,
      part: 0,
      partCount: 1,
      withdrawn: attributes === null ? list : nothing,
      announced: attributes === null ? nothing : list,
      attributes,
      malformed: "",
      live: true,
    };
    this.#arena.reset();
    this.#encoder.encode(
      value,
      startMs + message,
      0,
      (to, at) => {
        new DataView(to.buffer, to.byteOffset).setUint32(at, message);
        to.fill(0, at + 4, at + 16);
      },
      this.#arena,
    );
    const bytes = this.#arena.bytes();
    const key = Buffer.from(name);
    const slot = slotOfKey(bgpUpdates as never, this.#slots, key);
    batch.add(bgpUpdates.name, slot, key, 0, key.length, bytes, 0, bytes.length);
  }
}
