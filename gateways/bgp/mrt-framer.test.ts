import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxMrtRecordBytes } from "./limits.ts";
import { MrtView } from "./mrt-format.ts";
import { MrtFramer } from "./mrt-framer.ts";
import { record } from "./testing/mrt-writer.ts";

interface Framed {
  readonly records: string[];
  readonly framer: MrtFramer;
}

function frame(bytes: Uint8Array, chunkBytes: number): Framed {
  const framer = new MrtFramer();
  const view = new MrtView();
  const records: string[] = [];
  for (let at = 0; at < bytes.length && framer.failure === undefined; at += chunkBytes) {
    framer.push(bytes.subarray(at, at + chunkBytes));
    while (framer.next(view)) {
      const body = Buffer.from(view.bytes.subarray(view.bodyStart, view.bodyEnd)).toString("hex");
      records.push(`${view.offset} ${view.seconds} ${view.type}.${view.subtype} ${body}`);
    }
  }
  framer.end();
  return { records, framer };
}

const one = record({ seconds: 1, type: 16, subtype: 4 }, Buffer.from("abc"));
const two = record({ seconds: 4_294_967_295, type: 13, subtype: 1 }, new Uint8Array(0));

describe("framing", () => {
  it("finds the same records however the stream is cut", () => {
    const body = fc.uint8Array({ maxLength: 40 });
    const size = fc.integer({ min: 1, max: 80 });
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 12 }), size, (bodies, chunkBytes) => {
        const bytes = Buffer.concat(
          bodies.map((each, seconds) => record({ seconds, type: 16, subtype: 1 }, each)),
        );
        const whole = frame(bytes, bytes.length);
        expect(whole.records).toHaveLength(bodies.length);
        expect(frame(bytes, chunkBytes).records).toEqual(whole.records);
        expect(whole.framer.failure).toBeUndefined();
      }),
    );
  });

  it("names the byte where a cut record begins and keeps what stands before", () => {
    const bytes = Buffer.concat([one, two, one]);
    for (let length = 1; length < bytes.length; length++) {
      const { records, framer } = frame(bytes.subarray(0, length), 7);
      const starts = [0, one.length, one.length + two.length];
      const complete = [one.length, one.length + two.length].filter((end) => end <= length).length;
      expect(records).toHaveLength(complete);
      const atBoundary = starts.includes(length);
      if (atBoundary) expect(framer.failure).toBeUndefined();
      else {
        expect(framer.failure).toMatchObject({ code: "truncated", offset: starts[complete] });
      }
    }
  });

  it("refuses a record before it buffers it", () => {
    const huge = Buffer.from(one);
    huge.writeUInt32BE(maxMrtRecordBytes + 1, 8);
    const { records, framer } = frame(Buffer.concat([two, huge]), 5);
    expect(records).toHaveLength(1);
    expect(framer.failure).toMatchObject({ code: "recordTooLong", offset: two.length });
  });

  it("refuses types that are none", () => {
    const text = Buffer.from("This is no MRT file, it is text.");
    expect(frame(text, 64).framer.failure).toMatchObject({ code: "unknownType", offset: 0 });
    expect(frame(new Uint8Array(0), 64).framer.failure).toMatchObject({ code: "empty", offset: 0 });
  });

  it("ends any bytes with records or a typed failure", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { framer } = frame(bytes, 16);
        expect(framer.offset).toBeLessThanOrEqual(bytes.length);
        if (framer.offset < bytes.length) expect(framer.failure?.offset).toBe(framer.offset);
      }),
    );
  });
});
