import path from "node:path";
import { type Chunk, countPackedRecords } from "../chunk.ts";
import { OpenCdnError } from "../errors.ts";
import { maxDeadLetterBytes, maxKeyBytes } from "../limits.ts";
import type { Disk } from "./disk.ts";
import { diskError } from "./disk-error.ts";
import {
  type ChunkHeader,
  chunkHeaderBytes,
  encodeSegmentHeader,
  readChunk,
  type SegmentName,
  segmentFileName,
  segmentHeaderBytes,
} from "./segment-format.ts";
import { maxOpenSegments, maxReadRunBytes, readGapBytes } from "./storage-limits.ts";
import type { TopicState } from "./topic-table.ts";

/** Where a chunk lies: `position` is that of its header, `length` that of its payload. */
export interface ChunkPlace {
  readonly baseOffset: number;
  readonly count: number;
  readonly segment: number;
  readonly position: number;
  readonly length: number;
}

/** The segment files of a folder: reads chunks of any, appends groups to the newest. */
export class SegmentFiles {
  readonly folder: string;
  readonly disk: Disk;
  readonly #logId: string;
  readonly #sync: boolean;
  readonly #onDamage: ((error: OpenCdnError) => void) | undefined;
  /** Epoch by segment number, of every segment that may be read. */
  readonly #epochs = new Map<number, number>();
  /** Open for reading, the least recently used first. */
  readonly #open = new Map<number, number>();
  #writing: { readonly file: number; readonly name: SegmentName } | undefined;
  #length = 0;
  #lastNumber = 0;
  #broken: OpenCdnError | undefined;
  #closed = false;

  constructor(options: {
    readonly folder: string;
    readonly disk: Disk;
    readonly logId: string;
    readonly sync: boolean;
    /** Hears of chunks whose checksum differs, which are then given as they lie there; without it reading them throws. */
    readonly onDamage?: ((error: OpenCdnError) => void) | undefined;
  }) {
    this.folder = options.folder;
    this.disk = options.disk;
    this.#logId = options.logId;
    this.#sync = options.sync;
    this.#onDamage = options.onDamage;
  }

  /** Segment that the next group goes to; undefined before the first one of this owner. */
  get current(): SegmentName | undefined {
    return this.#writing?.name;
  }

  /** Bytes of the current segment that count. */
  get length(): number {
    return this.#length;
  }

  know(name: SegmentName): void {
    this.#epochs.set(name.number, name.epoch);
  }

  /** The next segment gets a number above `number`. */
  startAfter(number: number): void {
    this.#lastNumber = number;
  }

  pathOf(name: SegmentName): string {
    return path.join(this.folder, segmentFileName(name));
  }

  nameOf(number: number): SegmentName {
    return { number, epoch: this.#epochs.get(number) ?? 0 };
  }

  /** Closes the current segment and begins the next one, under `epoch`. */
  begin(epoch: number): void {
    this.#lastNumber += 1;
    const name = { number: this.#lastNumber, epoch };
    const doing = `creating ${segmentFileName(name)}`;
    try {
      const file = this.disk.create(this.pathOf(name));
      try {
        this.disk.write(file, [encodeSegmentHeader(name, this.#logId)], 0);
        if (this.#sync) this.disk.syncFolder(this.folder);
      } catch (error) {
        this.disk.close(file);
        this.disk.remove(this.pathOf(name));
        throw error;
      }
      if (this.#writing !== undefined) this.disk.close(this.#writing.file);
      this.#writing = { file, name };
      this.#length = segmentHeaderBytes;
      this.know(name);
    } catch (error) {
      throw diskError(doing, error);
    }
  }

  /**
   * Appends a group and makes it durable. When that fails nothing of it stays; when even taking it back fails, the
   * folder has to be opened anew before anything is written.
   */
  async append(pieces: readonly Buffer[]): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    const writing = this.#writing as { file: number; name: SegmentName };
    let synced = true;
    try {
      this.disk.write(writing.file, pieces, this.#length);
      synced = false;
      if (this.#sync) await this.disk.sync(writing.file);
    } catch (error) {
      this.#takeBack(writing.name, synced);
      throw diskError(`writing ${segmentFileName(writing.name)}`, error);
    }
    for (const piece of pieces) this.#length += piece.length;
  }

  /** After a failed sync the kernel may have dropped the pages, so that file is not continued. */
  #takeBack(name: SegmentName, mayContinue: boolean): void {
    try {
      this.disk.truncate(this.pathOf(name), this.#length);
      if (!mayContinue) this.end();
    } catch (error) {
      this.#broken = new OpenCdnError(
        "OCDN_STORAGE",
        `writing ${segmentFileName(name)}: a failed write can't be taken back, open the log anew`,
        { cause: error },
      );
    }
  }

  /** Closes the current segment; the next group needs a new one. */
  end(): void {
    if (this.#writing !== undefined) this.disk.close(this.#writing.file);
    this.#writing = undefined;
  }

  /** Reads chunks of one topic and slot from disk and checks them; neighbours in a file are read with one call. */
  read(topic: TopicState, slot: number, places: readonly ChunkPlace[]): Chunk[] {
    const chunks: Chunk[] = [];
    let index = 0;
    while (index < places.length) {
      const first = places[index] as ChunkPlace;
      let end = endOf(first);
      let next = index + 1;
      for (; next < places.length; next++) {
        const place = places[next] as ChunkPlace;
        const near = place.segment === first.segment && place.position - end <= readGapBytes;
        if (!near || endOf(place) - first.position > maxReadRunBytes) break;
        end = endOf(place);
      }
      const bytes = Buffer.allocUnsafeSlow(end - first.position);
      const run = places.slice(index, next);
      this.#fill(first.segment, bytes, first.position);
      for (const place of run)
        chunks.push(this.#chunkAt(topic, slot, place, bytes, first.position));
      index = next;
    }
    return chunks;
  }

  #fill(segment: number, bytes: Buffer, position: number): void {
    const name = segmentFileName(this.nameOf(segment));
    let count: number;
    try {
      count = this.disk.read(this.#reading(segment), bytes, position);
    } catch (error) {
      throw diskError(`reading ${name}`, error);
    }
    if (count < bytes.length) throw corrupt(name, position, "the file is cut short");
  }

  #chunkAt(
    topic: TopicState,
    slot: number,
    place: ChunkPlace,
    buffer: Buffer,
    origin: number,
  ): Chunk {
    const at = place.position - origin;
    const name = segmentFileName(this.nameOf(place.segment));
    const header = this.#headerAt(buffer, at, place, (what) => {
      const last = place.baseOffset + place.count - 1;
      return corrupt(
        name,
        place.position,
        `${what} (${topic.name} slot ${slot} offsets ${place.baseOffset} to ${last})`,
      );
    });
    const { baseOffset, count, timestampMs } = header;
    const same =
      header.topicId === topic.id && header.slot === slot && header.length === place.length;
    if (!same || baseOffset !== place.baseOffset || count !== place.count) {
      throw corrupt(name, place.position, "another chunk lies there");
    }
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    const start = at + chunkHeaderBytes;
    const end = start + header.length;
    return { topic: topic.name, slot, baseOffset, count, timestampMs, buffer, view, start, end };
  }

  #headerAt(
    buffer: Buffer,
    at: number,
    place: ChunkPlace,
    fault: (what: string) => OpenCdnError,
  ): ChunkHeader {
    const end = at + chunkHeaderBytes + place.length;
    const header = readChunk(buffer, at, end);
    if (typeof header !== "string") return header;
    const error = fault(header);
    if (this.#onDamage === undefined) throw error;
    const unchecked = readChunk(buffer, at, end, false);
    if (typeof unchecked === "string") throw error;
    // A damaged length would send a reader astray: then nothing of the chunk can be told.
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    const limits = { maxKeyBytes, maxRecordBytes: maxDeadLetterBytes };
    if (countPackedRecords(view, at + chunkHeaderBytes, end, limits) !== place.count) throw error;
    this.#onDamage(error);
    return unchecked;
  }

  #reading(segment: number): number {
    if (this.#closed) throw new OpenCdnError("OCDN_DISCONNECTED", "reading a log: it is closed");
    const open = this.#open.get(segment);
    if (open !== undefined) {
      this.#open.delete(segment);
      this.#open.set(segment, open);
      return open;
    }
    for (const [oldest, file] of this.#open) {
      if (this.#open.size < maxOpenSegments) break;
      this.disk.close(file);
      this.#open.delete(oldest);
    }
    const file = this.disk.openForReading(this.pathOf(this.nameOf(segment)));
    this.#open.set(segment, file);
    return file;
  }

  /** Removes a segment file; its chunks may no longer be asked for. */
  remove(name: SegmentName): void {
    const file = this.#open.get(name.number);
    if (file !== undefined) {
      this.disk.close(file);
      this.#open.delete(name.number);
    }
    this.#epochs.delete(name.number);
    this.disk.remove(this.pathOf(name));
  }

  close(): void {
    this.#closed = true;
    this.end();
    for (const file of this.#open.values()) this.disk.close(file);
    this.#open.clear();
  }
}

function endOf(place: ChunkPlace): number {
  return place.position + chunkHeaderBytes + place.length;
}

/** The error for damaged bytes, naming the file and the position. */
export function corrupt(fileName: string, position: number, what: string): OpenCdnError {
  return new OpenCdnError(
    "OCDN_FOLDER_CORRUPT",
    `reading segments/${fileName} at byte ${position}: ${what}`,
  );
}
