import { recordHeaderBytes, tombstoneLength } from "./chunk.ts";
import { OpenCdnError } from "./errors.ts";
import { maxKeyBytes, maxRecordBytesOf } from "./limits.ts";

/** Packed records of one topic and slot, in the format of chunk.ts. */
export class Section {
  readonly topic: string;
  readonly slot: number;
  readonly #mostBytes: number;
  count: number = 0;
  length: number = 0;
  bytes: Uint8Array;
  view: DataView;

  constructor(topic: string, slot: number, capacity: number = leastCapacity) {
    this.topic = topic;
    this.slot = slot;
    this.#mostBytes = maxRecordBytesOf(topic);
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Appends one record by copying key and value; `value` undefined is a tombstone. */
  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | undefined,
    valueStart: number,
    valueEnd: number,
  ): void {
    const keyLength = keyEnd - keyStart;
    const valueLength = value === undefined ? 0 : valueEnd - valueStart;
    if (keyLength > maxKeyBytes || valueLength > this.#mostBytes) {
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `adding a record to ${this.topic}: key of ${keyLength} or value of ${valueLength} bytes is over the limit`,
      );
    }
    const at = this.length;
    const end = at + recordHeaderBytes + keyLength + valueLength;
    if (end > this.bytes.length) this.#grow(end);
    this.view.setUint32(at, value === undefined ? tombstoneLength : valueLength, true);
    this.view.setUint16(at + 4, keyLength, true);
    copy(key, keyStart, keyEnd, this.bytes, at + recordHeaderBytes);
    if (value !== undefined) {
      copy(value, valueStart, valueEnd, this.bytes, at + recordHeaderBytes + keyLength);
    }
    this.length = end;
    this.count += 1;
  }

  #grow(least: number): void {
    const grown = new Uint8Array(Math.max(least, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** Short copies are faster by a loop than by `set(subarray())`. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > 48) {
    to.set(from.subarray(start, end), at);
    return;
  }
  let target = at;
  for (let i = start; i < end; i++) {
    to[target] = from[i] as number;
    target += 1;
  }
}

/** A section's first bytes, and the most that it takes at once on the strength of the one before. */
const leastCapacity = 512;
const mostExpected = 1_048_576;

interface Mark {
  readonly section: Section;
  readonly count: number;
  readonly length: number;
}

/** Records of several topics and slots, in emission order within each; what a producer sends or a task emits. */
export class RecordBatch {
  readonly #sections = new Map<string, Section[]>();
  readonly #marks: Mark[] = [];
  #marking = false;
  #expected: RecordBatch | undefined;
  #count = 0;
  #length = 0;

  /** `like` is a batch of the same kind: sections begin as large as its own became. */
  constructor(like?: RecordBatch) {
    this.#expected = like;
    // One is remembered, not all before it.
    if (like !== undefined) like.#expected = undefined;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of all packed records. */
  get sizeBytes(): number {
    return this.#length;
  }

  add(
    topic: string,
    slot: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | undefined,
    valueStart: number,
    valueEnd: number,
  ): Section {
    const section = this.#sectionOf(topic, slot);
    if (this.#marking) {
      this.#marks.push({ section, count: section.count, length: section.length });
    }
    const before = section.length;
    section.add(key, keyStart, keyEnd, value, valueStart, valueEnd);
    this.#count += 1;
    this.#length += section.length - before;
    return section;
  }

  /** From here on `rollback()` can take back what is added. */
  mark(): void {
    // Setting a length costs more than most handlers' emissions, which are none.
    if (this.#marks.length > 0) this.#marks.length = 0;
    this.#marking = true;
  }

  rollback(): void {
    for (let i = this.#marks.length - 1; i >= 0; i--) {
      const { section, count, length } = this.#marks[i] as Mark;
      this.#count -= section.count - count;
      this.#length -= section.length - length;
      section.count = count;
      section.length = length;
    }
    this.#marks.length = 0;
    this.#marking = false;
  }

  /** The non-empty sections, sorted by topic name and slot, so that their order does not depend on history. */
  sections(): Section[] {
    const all: Section[] = [];
    for (const topic of [...this.#sections.keys()].sort()) {
      for (const section of this.#sections.get(topic) ?? []) {
        if (section !== undefined && section.count > 0) all.push(section);
      }
    }
    return all;
  }

  #sectionOf(topic: string, slot: number): Section {
    let bySlot = this.#sections.get(topic);
    if (bySlot === undefined) {
      bySlot = [];
      this.#sections.set(topic, bySlot);
    }
    let section = bySlot[slot];
    if (section === undefined) {
      section = new Section(topic, slot, this.#expectedOf(topic, slot));
      bySlot[slot] = section;
    }
    return section;
  }
  #expectedOf(topic: string, slot: number): number {
    const like = this.#expected;
    if (like === undefined) return leastCapacity;
    const length = like.#sections.get(topic)?.[slot]?.length ?? 0;
    return Math.min(Math.max(length + (length >> 3), leastCapacity), mostExpected);
  }
}
