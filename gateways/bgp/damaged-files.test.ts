import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countPrefixes } from "../../domain/prefix-list.ts";
import { bgpUpdateSchema } from "../../schemas/generated/events.ts";
import { MrtGenerator } from "./testing/mrt-generator.ts";
import { printText, readEvents } from "./testing/mrt-reading.ts";

const files = [21, 22].flatMap((seed) => {
  const generator = new MrtGenerator(seed);
  return [generator.updates(15), generator.table(8), generator.oldTable(8)];
});

/** Reads in both ways; every event must fit its schema, every list must be sound. */
function survive(bytes: Uint8Array): void {
  const { events, failure } = readEvents(bytes, {}, 512);
  for (const { value, eventMs } of events) {
    const whole = { ...(value as object), eventId: Buffer.alloc(16), eventMs, logicVersion: 0 };
    expect(bgpUpdateSchema.type.isValid(whole)).toBe(true);
    expect(typeof countPrefixes(value.withdrawn)).toBe("number");
    expect(typeof countPrefixes(value.announced)).toBe("number");
  }
  if (failure !== undefined) expect(failure.offset).toBeLessThanOrEqual(bytes.length);
  expect(typeof printText(bytes, 512)).toBe("string");
}

describe("damaged files", () => {
  it("survive any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => survive(bytes)),
      { numRuns: 150 },
    );
  });

  it("survive any body behind a good header", () => {
    const kinds = fc.constantFrom(
      [5, 1],
      [5, 3],
      [12, 1],
      [12, 2],
      [13, 1],
      [13, 2],
      [13, 6],
      [13, 12],
      [16, 1],
      [16, 4],
      [16, 0],
      [16, 9],
      [17, 4],
    );
    fc.assert(
      fc.property(kinds, fc.uint8Array({ maxLength: 120 }), ([type = 0, subtype = 0], body) => {
        const head = Buffer.alloc(12);
        head.writeUInt16BE(type, 4);
        head.writeUInt16BE(subtype, 6);
        head.writeUInt32BE(body.length, 8);
        survive(Buffer.concat([head, body]));
      }),
      { numRuns: 200 },
    );
  });

  it("survive flipped bits and bytes", () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(fc.constantFrom(...files), flips, (file, places) => {
        const bytes = Buffer.from(file);
        for (const [at, mask] of places)
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ mask;
        survive(bytes);
      }),
      { numRuns: 50 },
    );
  });

  it("keep what stands before the place where they break off, wherever that is", () => {
    const small = new MrtGenerator(23);
    for (const file of [small.updates(6), small.table(4), small.oldTable(4)]) {
      const whole = readEvents(file);
      const ends = new Set(whole.events.filter(({ value }) => value.message === "DUMP_END"));
      const events = whole.events
        .filter((event) => !ends.has(event))
        .map(({ position }) => position);
      for (let length = 1; length < file.length; length++) {
        const cut = readEvents(file.subarray(0, length));
        const kept = cut.events.filter(({ value }) => value.message !== "DUMP_END");
        expect(kept.map(({ position }) => position)).toEqual(events.slice(0, kept.length));
        const { failure } = cut;
        if (failure !== undefined) expect(failure).toMatchObject({ code: "truncated" });
        const reached = failure?.offset ?? length;
        const next = events[kept.length];
        if (next !== undefined) expect(Number.parseInt(next, 10)).toBeGreaterThanOrEqual(reached);
      }
    }
  });
});
