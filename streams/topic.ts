import type { EventSchema } from "../schemas/event-schema.ts";
import { slotOf } from "./slots.ts";

/** A stream is kept by time, a table is compacted by key. */
export type TopicKind = "stream" | "table";

/**
 * Which part of a key chooses its slot (DESIGN.md section 4): the whole key; its first segment before `/`
 * (keys that begin with a cell, whose first segment is the country); or the part before the first `|`.
 */
export type SlotPart = "whole" | "country" | "beforeBar";

export interface Topic<T> {
  readonly name: string;
  readonly kind: TopicKind;
  readonly slotPart: SlotPart;
  readonly schema: EventSchema<T>;
  readonly doc: string;
}

const slash = 0x2f;
const bar = 0x7c;

/** End of the slot part of the key in `bytes[start..end)`. */
export function slotPartEnd(part: SlotPart, bytes: Uint8Array, start: number, end: number): number {
  if (part === "whole") return end;
  const stop = part === "country" ? slash : bar;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === stop || byte === bar) return i;
  }
  return end;
}

/** Slot of a key of this topic, 0..slots-1. */
export function slotOfKey(
  topic: Topic<unknown>,
  slots: number,
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): number {
  return slotOf(bytes, slots, start, slotPartEnd(topic.slotPart, bytes, start, end));
}
