import { type AddressFamily, formatAddress } from "../domain/address.ts";
import {
  addressOfKey,
  blockLength,
  KEYS_6,
  MAX_BLOCK_LENGTH_4,
  MAX_BLOCK_LENGTH_6,
} from "../domain/block.ts";
import { seededRandom } from "../domain/distance.ts";
import type { GeoTable } from "../domain/geo-table.ts";

/**
 * IPv6 ranges above a /20 are leftovers that a database gives to a registry's seat, with no clients in them: a
 * hundred times as many blocks as all others together.
 */
const maxRangeKeys6 = 2 ** 36;

/**
 * Addresses of clients drawn uniformly over the blocks that have a known cell, one address a draw; the first of
 * its block. Reservoir sampling over all blocks of both families, so every block is equally likely.
 */
export function drawClients(
  geo: GeoTable,
  count: number,
  seed: number,
): { addresses: string[]; blocks: number } {
  const random = seededRandom(seed);
  const keys = new Float64Array(count);
  const families = new Uint8Array(count);
  let seen = 0;
  const offer = (family: AddressFamily, key: number): void => {
    const place = seen < count ? seen : Math.floor(random() * (seen + 1));
    seen += 1;
    if (place >= count) return;
    keys[place] = key;
    families[place] = family;
  };
  for (const { family, from, to } of knownRanges(geo)) {
    const longest = family === 4 ? MAX_BLOCK_LENGTH_4 : MAX_BLOCK_LENGTH_6;
    for (let key = from; key < to; ) {
      const size = 2 ** (longest - blockLength(family, key, from, to));
      offer(family, key);
      key = Math.floor(key / size) * size + size;
    }
  }
  const drawn = Math.min(count, seen);
  const bytes = new Uint8Array(16);
  const addresses = Array.from({ length: drawn }, (_, at) => {
    const family = families[at] as AddressFamily;
    addressOfKey(family, keys[at] as number, bytes);
    return formatAddress(bytes, 0, family);
  });
  for (let at = drawn - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    const kept = addresses[at] as string;
    addresses[at] = addresses[other] as string;
    addresses[other] = kept;
  }
  return { addresses, blocks: seen };
}

function* knownRanges(
  geo: GeoTable,
): Iterable<{ family: AddressFamily; from: number; to: number }> {
  const { top4, low4, cell4, start6, cell6 } = geo.arrays;
  for (let top = 0; top < 65_536; top++) {
    const end = top4[top + 1] as number;
    for (let range = top4[top] as number; range < end; range++) {
      if (cell4[range] === 0) continue;
      const next = range + 1 < end ? (low4[range + 1] as number) : 256;
      yield { family: 4, from: (top << 8) + (low4[range] as number), to: (top << 8) + next };
    }
  }
  for (let range = 0; range < start6.length; range++) {
    const from = start6[range] as number;
    const to = start6[range + 1] ?? KEYS_6;
    if (cell6[range] !== 0 && to - from <= maxRangeKeys6) yield { family: 6, from, to };
  }
}
