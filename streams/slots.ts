/**
 * Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2) of a byte range, as a signed 32-bit number.
 */
export function murmur2(bytes: Uint8Array, start: number = 0, end: number = bytes.length): number {
  const m = 0x5bd1e995;
  const length = end - start;
  let h = 0x9747b28c ^ length;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    let k =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = end - i;
  if (rest >= 3) h ^= (bytes[i + 2] as number) << 16;
  if (rest >= 2) h ^= (bytes[i + 1] as number) << 8;
  if (rest >= 1) {
    h ^= bytes[i] as number;
    h = Math.imul(h, m);
  }
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h | 0;
}

/** Slot of the slot part of a key, as Kafka's default partitioner gives it: 0..slots-1. */
export function slotOf(
  bytes: Uint8Array,
  slots: number,
  start: number = 0,
  end: number = bytes.length,
): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % slots;
}
