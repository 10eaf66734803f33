import { addressBytes } from "../../../domain/address.ts";
import { type Prefix, parsePrefix } from "../../../domain/prefix.ts";

/** What a record may be made of. */
export type MmdbValue =
  | string
  | number
  | readonly MmdbValue[]
  | { readonly [key: string]: MmdbValue };

/** A small MaxMind DB to write: networks with their records; a later network overrides an earlier one. */
export interface MmdbInput {
  readonly networks: readonly (readonly [prefix: string, record: MmdbValue])[];
  readonly ipVersion?: 4 | 6;
  readonly recordSize?: 24 | 28 | 32;
  readonly databaseType?: string;
  /** Overrides fields of the metadata, or adds some. */
  readonly metadata?: { readonly [key: string]: MmdbValue };
}

type Node = [Child, Child];
type Child = Node | { readonly record: number } | undefined;

/** The bytes of a database in the MaxMind DB format 2.0, for tests. */
export function writeMmdb(input: MmdbInput): Buffer {
  const { ipVersion = 4, recordSize = 28, databaseType = "Test-City" } = input;
  const records: Buffer[] = [];
  const root: Node = [undefined, undefined];
  for (const [text, record] of input.networks) {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(`no prefix: ${text}`);
    records.push(encode(record));
    insert(root, bitsOf(prefix, ipVersion), records.length - 1);
  }
  const nodes = numberNodes(root);
  const offsets: number[] = [];
  let size = 0;
  for (const record of records) {
    offsets.push(size);
    size += record.length;
  }
  const tree = Buffer.alloc((nodes.length * recordSize) / 4);
  nodes.forEach((node, at) => {
    const [left, right] = node.map((child) => {
      if (child === undefined) return nodes.length;
      if (Array.isArray(child)) return nodes.indexOf(child);
      return nodes.length + 16 + (offsets[child.record] ?? 0);
    });
    writeNode(tree, at, recordSize, left ?? 0, right ?? 0);
  });
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000,
    database_type: databaseType,
    ip_version: ipVersion,
    node_count: nodes.length,
    record_size: recordSize,
    ...input.metadata,
  });
  const marker = Buffer.from("\xab\xcd\xefMaxMind.com", "latin1");
  return Buffer.concat([tree, Buffer.alloc(16), ...records, marker, metadata]);
}

/** The bits of a prefix in the tree; IPv4 lies under ::/96 in a tree of IPv6. */
function bitsOf({ family, bytes, length }: Prefix, ipVersion: 4 | 6): number[] {
  const bits = Array.from(
    { length: 8 * addressBytes(family) },
    (_, at) => ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1,
  );
  const own = bits.slice(0, length);
  return family === 4 && ipVersion === 6 ? [...new Array<number>(96).fill(0), ...own] : own;
}

function insert(root: Node, bits: readonly number[], record: number): void {
  let node = root;
  bits.slice(0, -1).forEach((bit) => {
    const child = node[bit as 0 | 1];
    const next: Node = Array.isArray(child) ? child : [child, child];
    node[bit as 0 | 1] = next;
    node = next;
  });
  node[(bits.at(-1) ?? 0) as 0 | 1] = { record };
}

function numberNodes(root: Node): Node[] {
  const nodes = [root];
  for (let at = 0; at < nodes.length; at++) {
    for (const child of nodes[at] ?? []) if (Array.isArray(child)) nodes.push(child);
  }
  return nodes;
}

function writeNode(
  tree: Buffer,
  at: number,
  recordSize: number,
  left: number,
  right: number,
): void {
  const offset = (at * recordSize) / 4;
  if (recordSize === 28) {
    tree.writeUIntBE(left & 0xff_ffff, offset, 3);
    tree[offset + 3] = ((left >>> 24) << 4) | (right >>> 24);
    tree.writeUIntBE(right & 0xff_ffff, offset + 4, 3);
    return;
  }
  tree.writeUIntBE(left, offset, recordSize / 8);
  tree.writeUIntBE(right, offset + recordSize / 8, recordSize / 8);
}

/** Strings, doubles, unsigned 32-bit integers, arrays and maps of the data section. */
export function encode(value: MmdbValue): Buffer {
  if (typeof value === "string") {
    const text = Buffer.from(value);
    return Buffer.concat([control(2, text.length), text]);
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(Number.isInteger(value) && value >= 0 ? 4 : 8);
    if (bytes.length === 4) bytes.writeUInt32BE(value);
    else bytes.writeDoubleBE(value);
    return Buffer.concat([control(bytes.length === 4 ? 6 : 3, bytes.length), bytes]);
  }
  if (isList(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)]);
  const entries = Object.entries(value);
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([key, item]) => [encode(key), encode(item)]),
  ]);
}

function isList(value: MmdbValue): value is readonly MmdbValue[] {
  return Array.isArray(value);
}

/** Control bytes of a type and size. */
export function control(type: number, size: number): Buffer {
  const head = type > 7 ? [0, type - 7] : [type << 5];
  const [small, extra] =
    size < 29
      ? [size, []]
      : size < 285
        ? [29, [size - 29]]
        : [30, [(size - 285) >> 8, (size - 285) & 0xff]];
  head[0] = (head[0] ?? 0) | small;
  return Buffer.from([...head, ...extra]);
}
