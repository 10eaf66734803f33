import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { BgpUpdate } from "../../schemas/generated/events.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { Source, SourceBatch, SourceEvent } from "../../streams/source.ts";
import type { MrtSourceConfig } from "./config.ts";
import { batchEnd, batchOf, END_POSITION, parsePlace } from "./event-batches.ts";
import { maxBatchBytes, maxEventListBytes, maxEventsPerBatch } from "./limits.ts";
import { fileChunks } from "./mrt-input.ts";
import { failureError, MrtReader, openFile, readMrtFile } from "./mrt-reader.ts";
import { MrtStats } from "./mrt-stats.ts";
import { type Clock, paced, rebasedTimes } from "./pace.ts";
import { type EventPlace, UpdateEvents } from "./update-events.ts";

export interface MrtSourceOptions extends MrtSourceConfig {
  readonly path: string;
  /** Stops waiting for the next event of a rebased file. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Hears how many of the file's `sizeBytes` were read. */
  readonly onRead?: (bytes: number) => void;
}

const wallClock: Clock = {
  now: Date.now,
  sleep: (ms, signal) => wait(ms, undefined, { signal: signal as AbortSignal }).catch(() => {}),
};

/**
 * Opens an MRT file as a source of `bgp.updates.v1`. Its name holds the SHA-256 of the file as it
 * lies on the disk (a pass of about a second per gigabyte), so the same content, under any name,
 * is the same source and adds nothing twice. Throws OCDN_NOT_FOUND or OCDN_BAD_INPUT.
 */
export async function openMrtSource(options: MrtSourceOptions): Promise<MrtSource> {
  const file = await openFile(options.path);
  try {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    for await (const chunk of fileChunks(file)) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
    return new MrtSource(options, hash.digest("hex"), sizeBytes);
  } finally {
    await file.close();
  }
}

/**
 * The events of one file. A position is the place of the next event (`record offset.number`), in
 * bytes of the decompressed data; reading on from one parses the file again from its beginning,
 * because a table's peers stand there, and leaves out what was given before.
 */
export class MrtSource implements Source {
  readonly name: string;
  readonly historical: boolean;
  readonly sizeBytes: number;
  /** What the last reading found, complete when it has ended. */
  stats: MrtStats = new MrtStats();
  readonly #options: MrtSourceOptions;
  readonly #clock: Clock;

  constructor(options: MrtSourceOptions, hash: string, sizeBytes: number) {
    this.#options = options;
    this.#clock = options.clock ?? wallClock;
    this.historical = options.rebase === undefined;
    this.name = `mrt/${hash}${this.historical ? "" : "/rebased"}`;
    this.sizeBytes = sizeBytes;
  }

  /**
   * Reads what follows `after`. Throws OCDN_BAD_INPUT with the byte for a damaged file, after the
   * events before the damage; OCDN_SOURCE_POSITION for a position that is none of a file.
   */
  async *read(after: string | undefined): AsyncGenerator<SourceBatch> {
    if (after === END_POSITION) return;
    const { rebase, signal } = this.#options;
    for await (const batch of this.#batches(placeOf(after, this.name))) {
      if (signal?.aborted === true) return;
      if (rebase === undefined) yield batch;
      else yield* paced(batch, this.#clock, signal);
    }
  }

  async *#batches(from: EventPlace | undefined): AsyncGenerator<SourceBatch> {
    const { path, collector, rebase, onRead } = this.#options;
    const stats = new MrtStats();
    this.stats = stats;
    const timeOf =
      rebase === undefined
        ? (recordMs: number): number => recordMs
        : rebasedTimes(this.#clock.now, rebase.speed);
    const live = rebase !== undefined;
    const updates = new UpdateEvents(
      { collector, live, timeOf, from, maxListBytes: maxEventListBytes },
      stats,
    );
    const reader = new MrtReader(updates);
    // The last batch is held back, so that it can say that the file has ended.
    let held: SourceEvent<BgpUpdate>[] = [];
    let taken = 0;
    for await (const _ of readMrtFile(path, reader, onRead)) {
      const batches = cut(updates.take(), reader.offset - taken);
      taken = reader.offset;
      for (const events of batches) {
        if (held.length > 0) yield batchOf(held);
        held = events;
      }
    }
    stats.records = reader.records;
    const { failure } = reader;
    if (failure === undefined) updates.finish(reader.offset);
    for (const events of cut(updates.take(), 0)) {
      if (held.length > 0) yield batchOf(held);
      held = events;
    }
    if (failure === undefined) yield batchOf(held, END_POSITION);
    else if (held.length > 0) yield batchOf(held);
    if (failure !== undefined) throw failureError(path, reader, failure);
  }
}

/** Events of so few bytes of the file fit in one batch: none takes more than three times its record. */
const SMALL_READING = maxBatchBytes / 4;

/** The events of `readBytes` of the file in batches of bounded size. */
function cut(events: SourceEvent<BgpUpdate>[], readBytes: number): SourceEvent<BgpUpdate>[][] {
  if (events.length === 0) return [];
  if (events.length <= maxEventsPerBatch && readBytes <= SMALL_READING) return [events];
  const batches: SourceEvent<BgpUpdate>[][] = [];
  for (let from = 0; from < events.length; ) {
    const to = batchEnd(events, from);
    batches.push(events.slice(from, to));
    from = to;
  }
  return batches;
}

function placeOf(position: string | undefined, name: string): EventPlace | undefined {
  if (position === undefined) return undefined;
  const place = parsePlace(position);
  if (place === undefined) {
    throw new OpenCdnError(
      "OCDN_SOURCE_POSITION",
      `reading ${name} from "${position}": that is no position in an MRT file`,
    );
  }
  return place;
}
