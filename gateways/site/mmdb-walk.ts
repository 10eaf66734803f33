import type { AddressFamily } from "../../domain/address.ts";
import { MAX_BLOCK_LENGTH_4, MAX_BLOCK_LENGTH_6 } from "../../domain/block.ts";
import { geoFault } from "./geo-fault.ts";
import { MAX_RECORDS_PER_BLOCK, MAX_VISITS_PER_NODE, MIN_VISITS } from "./limits.ts";
import { type MmdbFile, SEPARATOR_BYTES } from "./mmdb-file.ts";
import { SegmentBuilder, type Segments } from "./segments.ts";

/** What a walk makes of the records. */
export interface RecordReader {
  /** The value of the record at this byte of the file, 0 for unknown. */
  valueAt(recordAt: number): number;
  /** What values have in common that count as one inside of a smallest block. */
  groupOf(value: number): number;
}

type Child = (node: number) => number;

/** The global unicast space 2000::/3, where the keys of IPv6 begin. */
const GLOBAL_UNICAST_BITS: readonly number[] = [0, 0, 1];
/** IPv4 lies in the tree of an IPv6 database under ::/96. */
const IPV4_DEPTH = 96;

/**
 * All networks of one family in the order of their addresses, as segments of the values that a
 * reader makes of records; 0 where the database knows nothing. A network smaller than the smallest
 * block (/24, /56) does not split it: that block gets the first value of the group that has most
 * of its addresses, the first group in a tie, and 0 only where nothing at all is known. Undefined
 * when the database is of the other family.
 */
export function walkNetworks(
  file: MmdbFile,
  family: AddressFamily,
  reader: RecordReader,
): Segments | undefined {
  if (family === 6 && file.ipVersion === 4) return undefined;
  const walk = new NetworkWalk(file, family, reader);
  return walk.run();
}

class NetworkWalk {
  readonly #file: MmdbFile;
  readonly #family: AddressFamily;
  readonly #reader: RecordReader;
  readonly #left: Child;
  readonly #right: Child;
  readonly #segments: SegmentBuilder;
  /** How far the keys of the right child are from those of the left one, by depth. */
  readonly #steps: Float64Array;
  readonly #maxDepth: number;
  readonly #shallow: number;
  readonly #maxVisits: number;
  #visits = 0;
  readonly #tallyValues = new Uint32Array(MAX_RECORDS_PER_BLOCK);
  readonly #tallyGroups = new Float64Array(MAX_RECORDS_PER_BLOCK);
  readonly #tallyWeights = new Float64Array(MAX_RECORDS_PER_BLOCK);
  #tallied = 0;

  constructor(file: MmdbFile, family: AddressFamily, reader: RecordReader) {
    this.#file = file;
    this.#family = family;
    this.#segments = new SegmentBuilder(file.nodeCount);
    this.#reader = reader;
    [this.#left, this.#right] = children(file);
    this.#shallow = family === 4 ? MAX_BLOCK_LENGTH_4 : MAX_BLOCK_LENGTH_6;
    this.#maxDepth = family === 4 ? 32 : 128;
    this.#steps = Float64Array.from(
      { length: this.#shallow },
      (_, depth) => 2 ** (this.#shallow - depth - 1),
    );
    this.#maxVisits = MIN_VISITS + MAX_VISITS_PER_NODE * file.nodeCount;
  }

  run(): Segments {
    const { ipVersion } = this.#file;
    if (this.#family === 6) {
      this.#visit(this.#descend(GLOBAL_UNICAST_BITS), GLOBAL_UNICAST_BITS.length, 0);
    } else {
      const bits = ipVersion === 6 ? new Array<number>(IPV4_DEPTH).fill(0) : [];
      this.#visit(this.#descend(bits), 0, 0);
      if (ipVersion === 4) this.#checkReached();
    }
    return this.#segments.finish();
  }

  /** An IPv4 database is walked as a whole: a tree that is smaller than it says was damaged. */
  #checkReached(): void {
    const { file, nodeCount } = this.#file;
    if (this.#visits >= nodeCount) return;
    throw geoFault(
      file,
      `only ${this.#visits} of ${nodeCount} nodes of the search tree are reached`,
    );
  }

  #descend(bits: readonly number[]): number {
    let value = 0;
    for (const bit of bits) {
      if (value >= this.#file.nodeCount) break;
      value = bit === 0 ? this.#left(value) : this.#right(value);
    }
    return value;
  }

  #visit(value: number, depth: number, key: number): void {
    if (value >= this.#file.nodeCount) {
      this.#segments.push(key, this.#leaf(value));
      return;
    }
    if (depth === this.#shallow) {
      this.#segments.push(key, this.#majority(value));
      return;
    }
    this.#count();
    this.#visit(this.#left(value), depth + 1, key);
    this.#visit(this.#right(value), depth + 1, key + (this.#steps[depth] as number));
  }

  #count(): void {
    if (++this.#visits > this.#maxVisits) {
      throw geoFault(this.#file.file, "the search tree is no tree");
    }
  }

  /** The value of what is no node: 0 for the empty record, else of a record in the data section. */
  #leaf(value: number): number {
    const { file, nodeCount, dataStart, dataEnd } = this.#file;
    if (value === nodeCount) return 0;
    const recordAt = value - nodeCount - SEPARATOR_BYTES + dataStart;
    if (recordAt < dataStart || recordAt >= dataEnd) {
      throw geoFault(file, `the search tree points outside of the data section (record ${value})`);
    }
    return this.#reader.valueAt(recordAt);
  }

  /** The first value of the group with most addresses below a node. */
  #majority(node: number): number {
    this.#tallied = 0;
    this.#tally(node, this.#shallow, 1);
    if (this.#tallied === 0) return 0;
    let best = 0;
    for (let at = 1; at < this.#tallied; at++) {
      if ((this.#tallyWeights[at] as number) > (this.#tallyWeights[best] as number)) best = at;
    }
    return this.#tallyValues[best] as number;
  }

  #tally(value: number, depth: number, weight: number): void {
    if (value >= this.#file.nodeCount) {
      this.#weigh(this.#leaf(value), weight);
      return;
    }
    if (depth === this.#maxDepth) {
      throw geoFault(this.#file.file, "the search tree is deeper than an address");
    }
    this.#count();
    this.#tally(this.#left(value), depth + 1, weight / 2);
    this.#tally(this.#right(value), depth + 1, weight / 2);
  }

  #weigh(value: number, weight: number): void {
    if (value === 0) return;
    const group = this.#reader.groupOf(value);
    for (let at = 0; at < this.#tallied; at++) {
      if (this.#tallyGroups[at] !== group) continue;
      this.#tallyWeights[at] = (this.#tallyWeights[at] as number) + weight;
      return;
    }
    if (this.#tallied === MAX_RECORDS_PER_BLOCK) return;
    this.#tallyValues[this.#tallied] = value;
    this.#tallyGroups[this.#tallied] = group;
    this.#tallyWeights[this.#tallied++] = weight;
  }
}

/** Readers of the left and the right record of a node, each with one load of 32 bits. */
function children({ bytes, recordSize }: MmdbFile): [left: Child, right: Child] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (recordSize) {
    case 24:
      return [
        (node) => view.getUint32(6 * node) >>> 8,
        (node) => view.getUint32(6 * node + 2) & 0xff_ffff,
      ];
    case 28:
      return [
        (node) => {
          const word = view.getUint32(7 * node);
          return ((word & 0xf0) << 20) | (word >>> 8);
        },
        (node) => view.getUint32(7 * node + 3) & 0xfff_ffff,
      ];
    case 32:
      return [(node) => view.getUint32(8 * node), (node) => view.getUint32(8 * node + 4)];
  }
}
