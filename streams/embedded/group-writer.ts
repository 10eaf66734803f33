import type { Section } from "../batch.ts";
import { type Chunk, recordHeaderBytes, tombstoneLength } from "../chunk.ts";
import type { CommitDraft } from "../commit.ts";
import { OpenCdnError } from "../errors.ts";
import { maxChunkBytes } from "../limits.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type GroupState, type StoreChange, writeGroupState } from "./group-state.ts";
import {
  chunkHeaderBytes,
  groupHeaderBytes,
  writeChunkHeader,
  writeGroupHeader,
} from "./segment-format.ts";
import { maxGroupBytes, maxNameBytes, maxPositionBytes, maxTopics } from "./storage-limits.ts";
import type { TopicDefinition, TopicTable } from "./topic-table.ts";

/** A chunk of a group and where it begins, counted from the start of the group's chunks. */
export interface PlacedChunk {
  readonly topicId: number;
  readonly chunk: Chunk;
  readonly at: number;
}

/** A group, ready to be written: `head` (header and state section) and then the pieces of `body` (its chunks). */
export interface GroupImage {
  readonly sequence: number;
  readonly head: Buffer;
  readonly body: readonly Buffer[];
  readonly bodyBytes: number;
  /** Memory behind the chunks, which may be more than their bytes. */
  readonly heldBytes: number;
  readonly topics: readonly TopicDefinition[];
  readonly chunks: readonly PlacedChunk[];
  /** Where the store changes lie in `head`. */
  readonly stores: readonly StoreChange[];
}

export interface GroupInput {
  readonly sequence: number;
  readonly epoch: number;
  readonly timestampMs: number;
  readonly drafts: readonly CommitDraft[];
  /** Sections of accepted appends, in order. */
  readonly sections: readonly Section[];
  readonly sources: GroupState["sources"];
}

/** Where the records of a chunk lie. */
type Payload = Pick<Chunk, "buffer" | "view" | "start" | "end">;

/** A piece of one section that goes into a chunk. */
interface Part {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

interface Plan {
  readonly topic: string;
  readonly topicId: number;
  readonly slot: number;
  /** Its one part stays where it lies. */
  readonly shared: boolean;
  length: number;
  count: number;
  parts: Part[];
}

/**
 * Sections from this size on are chunks of their own and are not copied: what a section holds never changes once it is
 * handed over. Copying costs as much as the checksum, and its memory a garbage collection every few groups.
 */
const sharedFromBytes = 32_768;

/**
 * Lays out a group: sections of the same topic and slot are joined in order (drafts first, then appends), the large ones
 * excepted, and split where a chunk would grow over its limit. Nothing but the new image changes, so a failed commit
 * leaves no trace.
 */
export class GroupWriter {
  readonly #topics: TopicTable;
  readonly #isTable: (topic: string) => boolean;
  #defined: TopicDefinition[] = [];

  constructor(topics: TopicTable, isTable: (topic: string) => boolean) {
    this.#topics = topics;
    this.#isTable = isTable;
  }

  build(input: GroupInput): GroupImage {
    this.#defined = [];
    this.#checkNames(input);
    const plans = this.#plan(input);
    const { head, stores } = this.#head(input);
    let bodyBytes = 0;
    for (const plan of plans) bodyBytes += chunkHeaderBytes + plan.length;
    if (head.length + bodyBytes > maxGroupBytes) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `committing a group: its ${head.length + bodyBytes} bytes are over the limit of ${maxGroupBytes}`,
      );
    }
    const { body, chunks, heldBytes } = this.#fill(plans, input);
    writeGroupHeader(head, {
      sequence: input.sequence,
      epoch: input.epoch,
      stateBytes: head.length - groupHeaderBytes,
      chunkBytes: bodyBytes,
      chunkCount: chunks.length,
      timestampMs: input.timestampMs,
    });
    const { sequence } = input;
    return { sequence, head, body, bodyBytes, heldBytes, topics: this.#defined, chunks, stores };
  }

  #plan(input: GroupInput): Plan[] {
    const open = new Map<number, Plan>();
    const plans: Plan[] = [];
    for (const draft of input.drafts) {
      for (const section of draft.outputs) this.#add(open, plans, section);
    }
    for (const section of input.sections) this.#add(open, plans, section);
    return plans;
  }

  #add(open: Map<number, Plan>, plans: Plan[], section: Section): void {
    if (section.count === 0) return;
    const { topic, slot } = section;
    if (!(slot >= 0 && slot < this.#topics.slots)) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `committing records of ${topic}: there is no slot ${slot}`,
      );
    }
    const topicId = this.#idOf(topic);
    const place = topicId * 65_536 + slot;
    for (const part of partsOf(section)) {
      const length = part.end - part.start;
      const shared = length >= sharedFromBytes;
      let plan = open.get(place);
      if (plan === undefined || shared || plan.shared || plan.length + length > maxChunkBytes) {
        plan = { topic, topicId, slot, shared, length: 0, count: 0, parts: [] };
        open.set(place, plan);
        plans.push(plan);
      }
      plan.length += length;
      plan.count += part.count;
      plan.parts.push(part);
    }
  }

  #idOf(name: string): number {
    const known = this.#topics.byName(name);
    if (known !== undefined) return known.id;
    const defined = this.#defined.find((topic) => topic.name === name);
    if (defined !== undefined) return defined.id;
    checkName("a topic", name, maxNameBytes);
    const id = this.#topics.nextId + this.#defined.length;
    if (id > maxTopics) {
      throw new OpenCdnError("OCDN_LIMIT", `adding topic ${name}: the log is full of topics`);
    }
    this.#defined.push({ id, name, table: this.#isTable(name) });
    return id;
  }

  /** What is too long would not fit where it is kept. */
  #checkNames({ drafts, sources }: GroupInput): void {
    for (const [source, position] of sources) {
      checkName("a source", source, maxNameBytes);
      checkName("a position", position, maxPositionBytes);
    }
    for (const { processor, stores } of drafts) {
      checkName("a processor", processor, maxNameBytes);
      for (const { store } of stores) checkName("a store", store, maxNameBytes);
    }
  }

  #head(input: GroupInput): { head: Buffer; stores: StoreChange[] } {
    let capacity = groupHeaderBytes + 256;
    for (const draft of input.drafts) {
      capacity += 128 + draft.positions.length * 12;
      for (const changes of draft.stores) capacity += 40 + changes.length;
      for (const position of draft.positions) this.#idOf(position.topic);
    }
    const writer = new ByteWriter(capacity);
    writer.skip(groupHeaderBytes);
    const topicId = (name: string): number => this.#idOf(name);
    const { sources, drafts } = input;
    const stores = writeGroupState(writer, this.#defined, sources, drafts, topicId);
    return { head: writer.take(), stores };
  }

  /** Chunk headers and what is joined go into one buffer, between whose pieces the shared parts lie. */
  #fill(
    plans: readonly Plan[],
    input: GroupInput,
  ): { body: Buffer[]; chunks: PlacedChunk[]; heldBytes: number } {
    let joinedBytes = plans.length * chunkHeaderBytes;
    for (const { shared, length } of plans) if (!shared) joinedBytes += length;
    const joined = Buffer.allocUnsafeSlow(joinedBytes);
    const held = new Set<ArrayBufferLike>([joined.buffer]);
    const view = new DataView(joined.buffer, joined.byteOffset, joined.length);
    const nextOffsets = new Map<number, number>();
    const body: Buffer[] = [];
    const chunks: PlacedChunk[] = [];
    let from = 0;
    let filled = 0;
    let at = 0;
    for (const plan of plans) {
      const { topic, topicId, slot, length, count } = plan;
      const place = topicId * 65_536 + slot;
      const baseOffset = nextOffsets.get(place) ?? this.#topics.byId(topicId)?.ends[slot] ?? 0;
      nextOffsets.set(place, baseOffset + count);
      const headerAt = filled;
      filled += chunkHeaderBytes;
      let payload: Payload = { buffer: joined, view, start: filled, end: filled + length };
      if (plan.shared) {
        payload = inPlace(plan.parts[0] as Part);
        held.add(payload.buffer.buffer);
        body.push(
          joined.subarray(from, filled),
          payload.buffer.subarray(payload.start, payload.end),
        );
        from = filled;
      } else {
        for (const part of plan.parts) {
          joined.set(part.bytes.subarray(part.start, part.end), filled);
          filled += part.end - part.start;
        }
      }
      const { timestampMs } = input;
      const sequence = input.sequence % 4_294_967_296;
      const header = { length, topicId, slot, count, sequence, baseOffset, timestampMs };
      writeChunkHeader(joined, headerAt, header, payload);
      chunks.push({
        topicId,
        chunk: { topic, slot, baseOffset, count, timestampMs, ...payload },
        at,
      });
      at += chunkHeaderBytes + length;
    }
    if (from < filled) body.push(joined.subarray(from, filled));
    let heldBytes = 0;
    for (const memory of held) heldBytes += memory.byteLength;
    return { body, chunks, heldBytes };
  }
}

function inPlace({ bytes, start, end }: Part): Payload {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { buffer, view, start, end };
}

function checkName(what: string, name: string, maxBytes: number): void {
  // Three bytes a UTF-16 unit at most, so most names need not be counted.
  if (name.length * 3 <= maxBytes || Buffer.byteLength(name) <= maxBytes) return;
  throw new OpenCdnError(
    "OCDN_LIMIT",
    `committing a group: ${what} has more than ${maxBytes} bytes`,
  );
}

/** The section as one part, or as several at record boundaries when it is larger than a chunk may be. */
function partsOf(section: Section): Part[] {
  const { bytes, view, length, count } = section;
  if (length <= maxChunkBytes) return [{ bytes, start: 0, end: length, count }];
  const parts: Part[] = [];
  let start = 0;
  let at = 0;
  let records = 0;
  while (at < length) {
    const valueLength = view.getUint32(at, true);
    const keyLength = view.getUint16(at + 4, true);
    const size =
      recordHeaderBytes + keyLength + (valueLength === tombstoneLength ? 0 : valueLength);
    if (records > 0 && at + size - start > maxChunkBytes) {
      parts.push({ bytes, start, end: at, count: records });
      start = at;
      records = 0;
    }
    at += size;
    records += 1;
  }
  parts.push({ bytes, start, end: at, count: records });
  return parts;
}
