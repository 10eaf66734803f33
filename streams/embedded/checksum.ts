import zlib from "node:zlib";

type Crc32 = (bytes: Uint8Array, value?: number) => number;

const tables: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const all = Array.from({ length: 8 }, () => new Int32Array(256));
  const first = all[0] as Int32Array;
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    first[i] = c;
  }
  for (let i = 0; i < 256; i++) {
    let c = first[i] as number;
    for (let k = 1; k < 8; k++) {
      c = (first[c & 255] as number) ^ (c >>> 8);
      (all[k] as Int32Array)[i] = c;
    }
  }
  return all;
}

/** CRC-32 (IEEE 802.3) eight bytes at a time, for Node before 20.15, which has no `zlib.crc32`. */
export function portableCrc32(bytes: Uint8Array, value: number = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const b = bytes as unknown as { [index: number]: number; length: number };
  const words = b.length - 7;
  let c = ~value;
  let i = 0;
  for (; i < words; i += 8) {
    c ^= at(b, i) | (at(b, i + 1) << 8) | (at(b, i + 2) << 16) | (at(b, i + 3) << 24);
    c =
      at(t7, c & 255) ^
      at(t6, (c >>> 8) & 255) ^
      at(t5, (c >>> 16) & 255) ^
      at(t4, c >>> 24) ^
      at(t3, at(b, i + 4)) ^
      at(t2, at(b, i + 5)) ^
      at(t1, at(b, i + 6)) ^
      at(t0, at(b, i + 7));
  }
  for (; i < b.length; i++) c = at(t0, (c ^ at(b, i)) & 255) ^ (c >>> 8);
  return ~c >>> 0;
}

function at(table: { [index: number]: number }, index: number): number {
  return table[index] as number;
}

/** CRC-32 of `bytes`, continued from `value`; unsigned. */
export const crc32: Crc32 = (zlib as unknown as { crc32?: Crc32 }).crc32 ?? portableCrc32;
