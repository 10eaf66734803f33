import { attribute, attributeFlag } from "./path-attribute-codes.ts";
import type { UpdateFault } from "./update-fault.ts";

const CODES = 33;

/** Optional and transitive bits by code; 0 where the code is not one that is read. */
const expectedFlags: Uint8Array = flagTable();

/**
 * Where each path attribute stands (RFC 4271 section 4.3), without a look at its value. Codes
 * above 32 and unknown ones are passed over. The same object serves every message.
 */
export class AttributeScan {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** The attributes do not fill their space exactly: what stands behind the fault is unknown. */
  fault: UpdateFault | "" = "";
  /** An attribute whose optional or transitive bit is wrong (RFC 7606 section 3.c). */
  wrongFlags = false;
  /** Copies that are ignored because an attribute came before (RFC 7606 section 3.g). */
  repeated = 0;
  multiprotocolRepeated = false;
  /** First byte of the headers of MP_REACH_NLRI and MP_UNREACH_NLRI, -1 when absent. */
  reachHeader = -1;
  unreachHeader = -1;
  readonly #starts: Int32Array = new Int32Array(CODES);
  readonly #ends: Int32Array = new Int32Array(CODES);
  #seen = 0;

  has(code: number): boolean {
    return (this.#seen & (1 << (code - 1))) !== 0;
  }

  /** Start of the value of an attribute that is there. */
  startOf(code: number): number {
    return this.#starts[code] as number;
  }

  endOf(code: number): number {
    return this.#ends[code] as number;
  }

  sizeOf(code: number): number {
    return (this.#ends[code] as number) - (this.#starts[code] as number);
  }

  read(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.fault = "";
    this.wrongFlags = false;
    this.repeated = 0;
    this.multiprotocolRepeated = false;
    this.reachHeader = -1;
    this.unreachHeader = -1;
    this.#seen = 0;
    let at = start;
    while (at < end) {
      const header = at;
      const flags = bytes[at] as number;
      const wide = (flags & attributeFlag.extendedLength) !== 0;
      at += wide ? 4 : 3;
      if (at > end) {
        this.fault = "attributeLength";
        return;
      }
      const length = wide
        ? ((bytes[at - 2] as number) << 8) | (bytes[at - 1] as number)
        : (bytes[at - 1] as number);
      if (at + length > end) {
        this.fault = "attributeLength";
        return;
      }
      this.#note(bytes[header + 1] as number, flags, header, at, at + length);
      at += length;
    }
  }

  #note(code: number, flags: number, header: number, start: number, end: number): void {
    const expected = code < CODES ? (expectedFlags[code] as number) : 0;
    if (expected === 0) return;
    const bit = 1 << (code - 1);
    if ((this.#seen & bit) !== 0) {
      if (code === attribute.mpReach || code === attribute.mpUnreach) {
        this.multiprotocolRepeated = true;
      } else {
        this.repeated++;
      }
      return;
    }
    this.#seen |= bit;
    this.#starts[code] = start;
    this.#ends[code] = end;
    if ((flags & (attributeFlag.optional | attributeFlag.transitive)) !== expected) {
      this.wrongFlags = true;
    }
    if (code === attribute.mpReach) this.reachHeader = header;
    else if (code === attribute.mpUnreach) this.unreachHeader = header;
  }
}

function flagTable(): Uint8Array {
  const { optional, transitive } = attributeFlag;
  const table = new Uint8Array(CODES);
  const { origin, asPath, nextHop, localPref, atomicAggregate } = attribute;
  for (const code of [origin, asPath, nextHop, localPref, atomicAggregate])
    table[code] = transitive;
  const { multiExitDisc, originatorId, clusterList, mpReach, mpUnreach } = attribute;
  for (const code of [multiExitDisc, originatorId, clusterList, mpReach, mpUnreach]) {
    table[code] = optional;
  }
  const { aggregator, communities, extendedCommunities, largeCommunities } = attribute;
  const { as4Path, as4Aggregator } = attribute;
  for (const code of [aggregator, communities, extendedCommunities, as4Path, as4Aggregator]) {
    table[code] = optional | transitive;
  }
  table[largeCommunities] = optional | transitive;
  return table;
}
