import { describe, expect, it } from "vitest";
import { batchEnd, parsePlace } from "./event-batches.ts";
import { maxBatchBytes, maxEventsPerBatch } from "./limits.ts";
import { rebasedTimes } from "./pace.ts";
import { readEvents } from "./testing/mrt-reading.ts";
import { endpoints, record } from "./testing/mrt-writer.ts";

describe("rebased times", () => {
  it("begin at now, whenever the first event is asked for", () => {
    let nowMs = 100;
    const timeOf = rebasedTimes(() => nowMs, 4);
    nowMs = 1_000;
    expect(timeOf(50_000)).toBe(1_000);
    nowMs = 9_000;
    expect(timeOf(50_400)).toBe(1_100);
    expect(timeOf(49_600)).toBe(900);
  });
});

describe("places and batches", () => {
  it("reads its own places only", () => {
    expect(parsePlace("120.3")).toEqual({ offset: 120, index: 3 });
    for (const text of ["", "end", "1", "1.", ".1", "-1.0", "1.0 ", "1e3.0", "1.2.3"]) {
      expect(parsePlace(text)).toBeUndefined();
    }
  });

  it("bounds batches by events and by bytes", () => {
    const session = { peerAsn: 1, localAsn: 2, peer: "192.0.2.1", local: "192.0.2.2" };
    const states = Buffer.concat([endpoints(session, 2), Buffer.from([0, 5, 0, 6])]);
    const [event] = readEvents(record({ seconds: 1, type: 16, subtype: 0 }, states)).events;
    if (event === undefined) throw new Error("no event");
    const many = new Array<typeof event>(maxEventsPerBatch + 10).fill(event);
    expect(batchEnd(many, 0)).toBe(maxEventsPerBatch);
    expect(batchEnd(many, maxEventsPerBatch)).toBe(many.length);
    const large = { ...event, value: { ...event.value, announced: new Uint8Array(200_000) } };
    const few = new Array<typeof event>(20).fill(large);
    expect(batchEnd(few, 0)).toBe(Math.floor(maxBatchBytes / 200_200));
    expect(
      batchEnd([{ ...large, value: { ...large.value, announced: new Uint8Array(2_000_000) } }], 0),
    ).toBe(1);
  });
});
