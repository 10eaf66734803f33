import type { BgpAttributes, BgpOrigin } from "../../../schemas/generated/events.ts";

const origins: readonly BgpOrigin[] = ["IGP", "EGP", "INCOMPLETE"];
const flag = { med: 1, localPref: 2, atomic: 4, aggregator: 8 } as const;

const text = new TextEncoder();
const decoder = new TextDecoder();

/**
 * All attributes of a message as bytes: equal attributes have equal bytes. AS path first, each field with its
 * length: `[path length, 4][path][origin][flags][MED][LOCAL_PREF][aggregator]`, then next hop, aggregator address,
 * originator, communities of three kinds and cluster list, each `[length, 4][bytes]`. A typical set of a full
 * table takes 70 to 120 bytes.
 */
export class AttributePacker {
  bytes: Uint8Array = new Uint8Array(4_096);
  view: DataView = new DataView(this.bytes.buffer);
  #at = 0;

  /** Packs into `bytes` from `start` on and returns the end. */
  pack(attributes: BgpAttributes, start: number = 0): number {
    const { multiExitDisc, localPref, aggregatorAsn } = attributes;
    this.#at = start;
    this.#field(attributes.asPath);
    this.#room(32);
    this.bytes[this.#at++] = origins.indexOf(attributes.origin);
    this.bytes[this.#at++] =
      (multiExitDisc === null ? 0 : flag.med) |
      (localPref === null ? 0 : flag.localPref) |
      (attributes.atomicAggregate ? flag.atomic : 0) |
      (aggregatorAsn === null ? 0 : flag.aggregator);
    if (multiExitDisc !== null) this.#number(multiExitDisc);
    if (localPref !== null) this.#number(localPref);
    if (aggregatorAsn !== null) this.#number(aggregatorAsn);
    this.#text(attributes.nextHop);
    this.#text(attributes.aggregatorAddress);
    this.#text(attributes.originatorId);
    this.#field(attributes.communities);
    this.#field(attributes.extendedCommunities);
    this.#field(attributes.largeCommunities);
    this.#field(attributes.clusterList);
    return this.#at;
  }

  #number(value: number): void {
    this.view.setUint32(this.#at, value >>> 0);
    this.#at += 4;
  }

  #field(value: Uint8Array): void {
    const size = value.length;
    this.#room(size + 4);
    this.#number(size);
    if (size > 64) this.bytes.set(value, this.#at);
    else for (let i = 0; i < size; i++) this.bytes[this.#at + i] = value[i] as number;
    this.#at += size;
  }

  /** Addresses are ASCII; whatever is not goes the long way. */
  #text(value: string): void {
    const size = value.length;
    this.#room(size + 4);
    this.#number(size);
    for (let i = 0; i < size; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) {
        this.#at -= 4;
        this.#field(text.encode(value));
        return;
      }
      this.bytes[this.#at + i] = code;
    }
    this.#at += size;
  }

  #room(size: number): void {
    if (this.#at + size <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.#at + size));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** The inverse of `pack`, for people and tests. */
export function unpackAttributes(packed: Uint8Array): BgpAttributes {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  let at = 0;
  const number = () => {
    at += 4;
    return view.getUint32(at - 4);
  };
  const field = () => {
    const size = number();
    at += size;
    return new Uint8Array(packed.subarray(at - size, at));
  };
  const asPath = field();
  const origin = origins[packed[at] as number] as BgpOrigin;
  const flags = packed[at + 1] as number;
  at += 2;
  const multiExitDisc = flags & flag.med ? number() : null;
  const localPref = flags & flag.localPref ? number() : null;
  const aggregatorAsn = flags & flag.aggregator ? number() : null;
  return {
    origin,
    asPath,
    multiExitDisc,
    localPref,
    aggregatorAsn,
    atomicAggregate: (flags & flag.atomic) !== 0,
    nextHop: decoder.decode(field()),
    aggregatorAddress: decoder.decode(field()),
    originatorId: decoder.decode(field()),
    communities: field(),
    extendedCommunities: field(),
    largeCommunities: field(),
    clusterList: field(),
  };
}
