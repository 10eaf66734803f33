import type { Cluster } from "./cluster.ts";

/** How far one group is behind in one topic and slot. */
export interface LagRow {
  readonly group: string;
  readonly topic: string;
  readonly slot: number;
  /** Next offset that the group reads. */
  readonly committedOffset: bigint;
  /** Next offset that is written; markers of transactions count, so a group at rest need not be at it. */
  readonly endOffset: bigint;
  readonly lag: bigint;
}

/** Lag of the groups in every topic and slot that they committed and that still exists, in order. */
export async function readLag(cluster: Cluster, groups: readonly string[]): Promise<LagRow[]> {
  const ends = new Map<string, Map<number, bigint>>();
  const rows: LagRow[] = [];
  const names = await cluster.topicNames();
  for (const group of groups) {
    for (const { topic, slot, offset } of await cluster.committed(group)) {
      if (!names.has(topic)) continue;
      let slots = ends.get(topic);
      if (slots === undefined) {
        const found = await cluster.ends(topic);
        slots = new Map(found.map((end) => [end.slot, end.endOffset]));
        ends.set(topic, slots);
      }
      rows.push(lagRow({ group, topic, slot }, offset, slots.get(slot) ?? 0n));
    }
  }
  return rows.sort(byPlace);
}

/** One row; an offset beyond the end (the topic was made anew) is a lag of 0. */
export function lagRow(
  place: Pick<LagRow, "group" | "topic" | "slot">,
  committedOffset: bigint,
  endOffset: bigint,
): LagRow {
  const lag = endOffset > committedOffset ? endOffset - committedOffset : 0n;
  return { ...place, committedOffset, endOffset, lag };
}

function byPlace(a: LagRow, b: LagRow): number {
  const left = `${a.group}\0${a.topic}`;
  const right = `${b.group}\0${b.topic}`;
  if (left !== right) return left < right ? -1 : 1;
  return a.slot - b.slot;
}
