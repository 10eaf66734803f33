import type { ChunkIndex } from "./chunk-index.ts";
import type { LogFacts, SegmentFacts } from "./log-facts.ts";
import type { Ownership } from "./owner.ts";
import type { SegmentFiles } from "./segment-files.ts";
import type { StateDb } from "./state-db.ts";
import type { TopicState } from "./topic-table.ts";

export interface RetentionTarget {
  readonly db: StateDb;
  readonly facts: LogFacts;
  readonly index: ChunkIndex;
  readonly ownership: Ownership;
}

export type OldSegment = readonly [number: number, facts: SegmentFacts];

interface LaneChange {
  readonly startOffset: number;
  readonly sizeBytes: number;
}

/** Whole segments at the old end of the log whose newest chunk is older than `before`; never the `current` one. */
export function oldSegments(
  facts: LogFacts,
  before: number,
  current: number | undefined,
): OldSegment[] {
  const old: OldSegment[] = [];
  for (const [number, segment] of [...facts.segments].sort(([a], [b]) => a - b)) {
    if (number === current || segment.lastMs >= before) break;
    old.push([number, segment]);
  }
  return old;
}

/**
 * Takes segments, which must be in LMDB to their last group, out of it and moves the start offsets. Durable when it
 * returns, so that their files may go; those left over by a death in between are removed at the next start.
 */
export function forgetSegments(target: RetentionTarget, old: readonly OldSegment[]): void {
  const { db, facts, index, ownership } = target;
  const lanes = new Map<TopicState, Map<number, LaneChange>>();
  db.write("removing old segments", true, () => {
    ownership.checkInTransaction();
    for (const [number] of old) {
      for (const topic of facts.topics.all()) forgetTopic(index, number, topic, lanes);
      db.removeFact(`segment/${number}`);
    }
    for (const [topic, slots] of lanes) {
      for (const [slot, change] of slots) {
        const sizeBytes = (topic.sizes[slot] as number) - change.sizeBytes;
        facts.saveLane(db, topic, slot, change.startOffset, sizeBytes);
      }
    }
  });
  for (const [number] of old) facts.segments.delete(number);
  for (const [topic, slots] of lanes) {
    for (const [slot, { startOffset, sizeBytes }] of slots) {
      topic.starts[slot] = startOffset;
      topic.sizes[slot] = (topic.sizes[slot] as number) - sizeBytes;
    }
  }
}

/** Removes the files of forgotten segments; gives the bytes freed. */
export function removeSegments(files: SegmentFiles, old: readonly OldSegment[]): number {
  let freed = 0;
  for (const [number, { epoch, length }] of old) {
    files.remove({ number, epoch });
    freed += length;
  }
  return freed;
}

function forgetTopic(
  index: ChunkIndex,
  segment: number,
  topic: TopicState,
  lanes: Map<TopicState, Map<number, LaneChange>>,
): void {
  for (let slot = 0; slot < topic.ends.length; slot++) {
    if (topic.starts[slot] === topic.ends[slot]) continue;
    const removed = index.removeFirst(topic.id, slot, segment);
    if (removed === undefined) continue;
    const slots = lanes.get(topic) ?? new Map<number, LaneChange>();
    lanes.set(topic, slots);
    const sizeBytes = (slots.get(slot)?.sizeBytes ?? 0) + removed.sizeBytes;
    slots.set(slot, { startOffset: removed.startOffset, sizeBytes });
  }
}
