import type { BgpUpdate } from "../../schemas/generated/events.ts";
import type { SourceBatch, SourceEvent } from "../../streams/source.ts";
import { maxBatchBytes, maxEventsPerBatch } from "./limits.ts";
import type { EventPlace } from "./update-events.ts";

/** Bytes of an event without its lists and attributes. */
const FIXED_BYTES = 200;

/** Position of a source that has been read to its end. */
export const END_POSITION = "end";

/** Text of the place of an event in its file. */
export function formatPlace({ offset, index }: EventPlace): string {
  return `${offset}.${index}`;
}

/** Reads what `formatPlace` wrote; undefined for anything else. */
export function parsePlace(text: string): EventPlace | undefined {
  const parts = /^(\d{1,15})\.(\d{1,9})$/.exec(text);
  return parts === null ? undefined : { offset: Number(parts[1]), index: Number(parts[2]) };
}

/** The position behind an event: the place that the next one of its record would have. */
export function positionAfter(event: SourceEvent<BgpUpdate>): string {
  const place = parsePlace(event.position);
  if (place === undefined) throw new TypeError(`"${event.position}" is no place in a file`);
  return formatPlace({ offset: place.offset, index: place.index + 1 });
}

/** How many events from `from` on make one batch. */
export function batchEnd(events: readonly SourceEvent<BgpUpdate>[], from: number): number {
  const last = Math.min(events.length, from + maxEventsPerBatch);
  let bytes = 0;
  for (let at = from; at < last; at++) {
    bytes += sizeOf(events[at] as SourceEvent<BgpUpdate>);
    if (bytes > maxBatchBytes && at > from) return at;
  }
  return last;
}

function sizeOf({ value }: SourceEvent<BgpUpdate>): number {
  const { attributes } = value;
  let bytes = FIXED_BYTES + value.withdrawn.length + value.announced.length;
  if (attributes !== null) {
    bytes += attributes.asPath.length + attributes.communities.length;
    bytes += attributes.extendedCommunities.length + attributes.largeCommunities.length;
    bytes += attributes.clusterList.length;
  }
  return bytes;
}

/** A batch of these events; `position` when it is not that behind the last of them. */
export function batchOf(events: readonly SourceEvent<BgpUpdate>[], position?: string): SourceBatch {
  const last = events.at(-1);
  const after = position ?? (last === undefined ? END_POSITION : positionAfter(last));
  return { events: events as unknown as readonly SourceEvent<never>[], position: after };
}
