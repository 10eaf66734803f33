import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkSegmentHeader,
  chunkHeaderBytes,
  encodeSegmentHeader,
  groupHeaderBytes,
  groupHeadIsSound,
  parseSegmentName,
  readChunk,
  readGroupHeader,
  segmentFileName,
  writeChunkHeader,
  writeGroupHeader,
} from "./segment-format.ts";

const u32 = fc.nat(0xffffffff);
const offset = fc.maxSafeNat();

describe("segment names", () => {
  it("are read back as they were written", () => {
    fc.assert(
      fc.property(fc.nat(9_999_999), fc.nat(9_999_999), (number, epoch) => {
        expect(parseSegmentName(segmentFileName({ number, epoch }))).toEqual({ number, epoch });
      }),
    );
  });

  it.each(["1-1.seg", "0000000001-000001.seg.new", "x0000000001-000001.seg", "lock.mdb"])(
    "refuses %s",
    (name) => {
      expect(parseSegmentName(name)).toBeUndefined();
    },
  );
});

describe("the segment header", () => {
  const name = { number: 7, epoch: 3 };
  const header = encodeSegmentHeader(name, "log-1");

  it("belongs to one segment of one log", () => {
    expect(checkSegmentHeader(header, name, "log-1")).toBeUndefined();
    expect(checkSegmentHeader(header, name, "log-2")).toBe("it belongs to another log");
    expect(checkSegmentHeader(header, { number: 8, epoch: 3 }, "log-1")).toBeDefined();
    expect(checkSegmentHeader(header.subarray(0, 63), name, "log-1")).toBe(
      "the header is cut short",
    );
  });

  it("shows every flipped bit", () => {
    for (let bit = 0; bit < header.length * 8; bit++) {
      const flipped = Buffer.from(header);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(checkSegmentHeader(flipped, name, "log-1")).toBeDefined();
    }
  });
});

describe("a group header", () => {
  const fields = fc.record({
    sequence: offset,
    epoch: u32,
    stateBytes: u32,
    chunkBytes: u32,
    chunkCount: u32,
    timestampMs: offset,
  });

  it("is read back, and its checksum covers it and the state section", () => {
    fc.assert(
      fc.property(fields, fc.uint8Array({ maxLength: 40 }), fc.nat(), (header, state, place) => {
        const head = Buffer.concat([Buffer.alloc(groupHeaderBytes), state]);
        writeGroupHeader(head, header);
        expect(readGroupHeader(head, 0)).toEqual(header);
        expect(groupHeadIsSound(head)).toBe(true);
        const at = 4 + (place % (head.length - 4));
        head[at] = (head[at] as number) ^ 0x10;
        expect(groupHeadIsSound(head)).toBe(false);
      }),
    );
  });

  it("is none where too few bytes are left", () => {
    expect(readGroupHeader(Buffer.alloc(groupHeaderBytes), 1)).toBeUndefined();
  });
});

describe("a chunk", () => {
  const fields = fc.record({
    topicId: fc.nat(65_535),
    slot: fc.nat(1_023),
    count: u32,
    sequence: u32,
    baseOffset: offset,
    timestampMs: offset,
  });

  it("is read back, and one flipped bit or a missing end shows", () => {
    fc.assert(
      fc.property(fields, fc.uint8Array({ maxLength: 60 }), fc.nat(), (rest, payload, place) => {
        const start = 3 + chunkHeaderBytes;
        const bytes = Buffer.concat([Buffer.alloc(start), payload]);
        const header = { length: payload.length, ...rest };
        const elsewhere = Buffer.from(payload);
        writeChunkHeader(bytes, 3, header, { buffer: elsewhere, start: 0, end: payload.length });
        const apart = Buffer.from(bytes);
        writeChunkHeader(bytes, 3, header, { buffer: bytes, start, end: bytes.length });
        expect(bytes.equals(apart)).toBe(true);
        expect(readChunk(bytes, 3, bytes.length)).toEqual(header);
        expect(readChunk(bytes, 3, bytes.length - 1)).toBe("a chunk is cut short");
        const at = 3 + (place % (bytes.length - 3));
        bytes[at] = (bytes[at] as number) ^ 0x01;
        expect(readChunk(bytes, 3, bytes.length)).toBeTypeOf("string");
      }),
    );
  });
});
