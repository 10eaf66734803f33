import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { BgpUpdate } from "../../schemas/generated/events.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { SourceBatch, SourceEvent } from "../../streams/source.ts";
import { printMrt } from "./mrt-print.ts";
import { type MrtSource, type MrtSourceOptions, openMrtSource } from "./mrt-source.ts";
import { MrtGenerator } from "./testing/mrt-generator.ts";
import { printText, readEvents } from "./testing/mrt-reading.ts";

const folder = mkdtempSync(join(tmpdir(), "opencdn-mrt-"));
afterAll(() => rmSync(folder, { recursive: true }));

const generator = new MrtGenerator(31);
const updates = generator.updates(300);
const table = generator.table(120);

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function open(path: string, options: Partial<MrtSourceOptions> = {}): Promise<MrtSource> {
  return openMrtSource({ path, collector: "test", ...options });
}

function eventsOf(batches: readonly SourceBatch[]): SourceEvent<BgpUpdate>[] {
  return batches.flatMap(({ events }) => events as unknown as SourceEvent<BgpUpdate>[]);
}

interface Reading {
  readonly batches: readonly SourceBatch[];
  readonly error: OpenCdnError | undefined;
}

async function readAll(source: MrtSource, after?: string): Promise<Reading> {
  const batches: SourceBatch[] = [];
  try {
    for await (const batch of source.read(after)) batches.push(batch);
  } catch (error) {
    if (error instanceof OpenCdnError) return { batches, error };
    throw error;
  }
  return { batches, error: undefined };
}

describe("an MRT file as a source", () => {
  it("gives the events of the file, compressed or not, named by content", async () => {
    const plain = await open(file("plain.mrt", updates));
    const again = await open(file("again.mrt", updates));
    const packed = await open(file("packed", gzipSync(updates)));
    const expected = readEvents(updates).events;
    for (const source of [plain, again, packed]) {
      const { batches } = await readAll(source);
      expect(eventsOf(batches)).toEqual(expected);
      expect(batches.at(-1)?.position).toBe("end");
      expect(source.historical).toBe(true);
      expect(source.stats.records).toBe(300);
    }
    expect(again.name).toBe(plain.name);
    expect(packed.name).not.toBe(plain.name);
    expect(plain.name).toMatch(/^mrt\/[0-9a-f]{64}$/);
  });

  it("adds nothing when it was read to its end", async () => {
    const source = await open(file("end.mrt", table));
    expect((await readAll(source, "end")).batches).toEqual([]);
  });

  it("goes on behind any event, as if it had not stopped", async () => {
    const source = await open(file("resume.mrt", Buffer.concat([table, updates])));
    const all = eventsOf((await readAll(source)).batches);
    for (let kept = 0; kept < all.length; kept += 97) {
      const last = all[kept] as SourceEvent<BgpUpdate>;
      const [offset, index] = last.position.split(".").map(Number);
      const position = `${offset}.${(index ?? 0) + 1}`;
      const { batches } = await readAll(source, position);
      expect(eventsOf(batches)).toEqual(all.slice(kept + 1));
    }
    const places = new Set(all.map(({ position }) => position));
    expect(places.size).toBe(all.length);
  });

  it("keeps what stands before a damage and names the byte", async () => {
    const damaged = Buffer.from(updates);
    const { events } = readEvents(updates);
    const place = Number.parseInt(events[100]?.position ?? "", 10);
    damaged.writeUInt16BE(999, place + 4);
    const path = file("damaged.mrt", damaged);
    const { batches, error } = await readAll(await open(path));
    expect(eventsOf(batches)).toEqual(events.slice(0, 100));
    expect(error?.code).toBe("OCDN_BAD_INPUT");
    expect(error?.message).toContain(`at byte ${place} of the decompressed data`);
    const position = batches.at(-1)?.position;
    const second = await readAll(await open(path), position);
    expect(second.batches).toEqual([]);
    expect(second.error?.message).toBe(error?.message);
  });

  it("keeps what could be decompressed", async () => {
    const packed = gzipSync(updates);
    const cut = await open(file("cut.gz", packed.subarray(0, packed.length >> 1)));
    const first = await readAll(cut);
    const expected = readEvents(updates).events;
    const kept = eventsOf(first.batches);
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(expected.slice(0, kept.length));
    expect(first.error?.message).toContain("the gzip data is damaged");
    expect(first.error?.message).toMatch(/at byte \d+ of the decompressed data/);
    expect(eventsOf((await readAll(cut)).batches)).toEqual(kept);
  });

  it("says in a sentence what it cannot read", async () => {
    await expect(open(join(folder, "none"))).rejects.toMatchObject({ code: "OCDN_NOT_FOUND" });
    await expect(open(folder)).rejects.toMatchObject({ code: "OCDN_BAD_INPUT" });
    const cases: [string, Uint8Array, string][] = [
      ["text", Buffer.from("Plain text is no table of routes."), "is no MRT record type"],
      ["xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), "xz is not supported"],
      ["empty", Buffer.alloc(0), "the file is empty"],
      ["bz", Buffer.from("BZh9 and nothing good"), "no block where one should begin"],
    ];
    for (const [name, bytes, text] of cases) {
      const { batches, error } = await readAll(await open(file(name, bytes)));
      expect(batches).toEqual([]);
      expect(error?.message).toContain(text);
    }
    const { error } = await readAll(await open(file("plain.mrt", updates)), "nonsense");
    expect(error?.code).toBe("OCDN_SOURCE_POSITION");
  });

  it("reads small batches of large tables", async () => {
    const piece = generator.oldTable(500);
    const big = Buffer.concat(Array.from({ length: 12 }, () => piece));
    const { batches } = await readAll(await open(file("big.mrt", big)));
    expect(batches.length).toBeGreaterThan(1);
    for (const { events } of batches) expect(events.length).toBeLessThanOrEqual(4_096);
    const places = eventsOf(batches).map(({ position }) => position);
    expect(places).toEqual(readEvents(big).events.map(({ position }) => position));
  });
});

describe("a rebased MRT file", () => {
  it("begins now, keeps its gaps divided by the speed, and waits for each event", async () => {
    let nowMs = 5_000_000;
    let waits = 0;
    const clock = {
      now: (): number => nowMs,
      sleep: (ms: number): Promise<void> => {
        waits++;
        nowMs += ms;
        return Promise.resolve();
      },
    };
    const source = await open(file("rebase.mrt", updates), { rebase: { speed: 10 }, clock });
    expect(source.historical).toBe(false);
    const recorded = readEvents(updates).events;
    const firstMs = recorded[0]?.eventMs ?? 0;
    const seen: SourceEvent<BgpUpdate>[] = [];
    let last = "";
    for await (const batch of source.read(undefined)) {
      const events = eventsOf([batch]);
      for (const { eventMs } of events) expect(eventMs).toBeLessThanOrEqual(nowMs + 5);
      seen.push(...events);
      last = batch.position;
    }
    expect(last).toBe("end");
    expect(waits).toBeGreaterThan(10);
    expect(seen.map(({ eventMs }) => eventMs)).toEqual(
      recorded.map(({ eventMs }) => Math.round(5_000_000 + (eventMs - firstMs) / 10)),
    );
    expect(seen.map(({ position }) => position)).toEqual(recorded.map(({ position }) => position));
    expect(seen.every(({ value }) => value.live)).toBe(true);
  });

  it("can be resumed at every batch", async () => {
    let nowMs = 1_000;
    const clock = {
      now: (): number => nowMs,
      sleep: (ms: number): Promise<void> => {
        nowMs += ms;
        return Promise.resolve();
      },
    };
    const source = await open(file("rebase2.mrt", updates), { rebase: { speed: 1 }, clock });
    const all = readEvents(updates).events.map(({ position }) => position);
    const { batches } = await readAll(source);
    let done = 0;
    for (const { events, position } of batches.slice(0, 8)) {
      done += events.length;
      const rest = eventsOf((await readAll(source, position)).batches);
      expect(rest.map((event) => event.position)).toEqual(all.slice(done));
    }
  });

  it("stops waiting when it is told to", async () => {
    const stop = new AbortController();
    const clock = {
      now: (): number => 0,
      sleep: (): Promise<void> => {
        stop.abort();
        return Promise.resolve();
      },
    };
    const options = { rebase: { speed: 1 }, clock, signal: stop.signal };
    const { batches, error } = await readAll(await open(file("stop.mrt", updates), options));
    expect(error).toBeUndefined();
    expect(eventsOf(batches).length).toBeLessThan(readEvents(updates).events.length);
  });
});

describe("printing a file", () => {
  it("gives the text of all records", async () => {
    const pieces: Uint8Array[] = [];
    const summary = await printMrt(file("print.gz", gzipSync(updates)), (text) => {
      pieces.push(text);
    });
    const expected = printText(updates);
    expect(Buffer.concat(pieces).toString("latin1")).toBe(expected);
    expect(summary).toEqual({ records: 300, lines: expected.split("\n").length - 1 });
  });

  it("prints what stands before a damage, then fails", async () => {
    const pieces: Uint8Array[] = [];
    const cut = updates.subarray(0, updates.length - 3);
    const done = printMrt(file("print-cut.mrt", cut), (text) => {
      pieces.push(text);
    });
    await expect(done).rejects.toMatchObject({ code: "OCDN_BAD_INPUT" });
    expect(Buffer.concat(pieces).toString("latin1")).toBe(printText(cut));
  });
});
