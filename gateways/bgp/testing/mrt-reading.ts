import type { BgpUpdate } from "../../../schemas/generated/events.ts";
import type { SourceEvent } from "../../../streams/source.ts";
import { BgpdumpPrinter } from "../bgpdump-printer.ts";
import type { MrtFailure } from "../mrt-framer.ts";
import { MrtReader } from "../mrt-reader.ts";
import { MrtStats } from "../mrt-stats.ts";
import { UpdateEvents, type UpdateEventsOptions } from "../update-events.ts";

export interface ReadEvents {
  readonly events: readonly SourceEvent<BgpUpdate>[];
  readonly stats: MrtStats;
  readonly failure: MrtFailure | undefined;
}

/** The events of an uncompressed MRT file in memory, read in chunks. */
export function readEvents(
  bytes: Uint8Array,
  options: Partial<UpdateEventsOptions> = {},
  chunkBytes: number = 65_536,
): ReadEvents {
  const stats = new MrtStats();
  const updates = new UpdateEvents(
    { collector: "test", live: false, timeOf: (ms) => ms, maxListBytes: 65_536, ...options },
    stats,
  );
  const reader = new MrtReader(updates);
  feed(reader, bytes, chunkBytes);
  if (reader.failure === undefined) updates.finish(reader.offset);
  stats.records = reader.records;
  return { events: updates.take(), stats, failure: reader.failure };
}

/** The text that an uncompressed MRT file in memory is printed as. */
export function printText(bytes: Uint8Array, chunkBytes: number = 65_536): string {
  const pieces: Buffer[] = [];
  const printer = new BgpdumpPrinter((text) => {
    pieces.push(Buffer.from(text));
  });
  feed(new MrtReader(printer), bytes, chunkBytes);
  printer.flush();
  return Buffer.concat(pieces).toString("latin1");
}

function feed(reader: MrtReader, bytes: Uint8Array, chunkBytes: number): void {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // Each chunk has memory of its own that is spoilt afterwards, as a reused buffer would be.
    const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes));
    const more = reader.push(chunk);
    chunk.fill(0xee);
    if (!more) return;
  }
  reader.end();
}
