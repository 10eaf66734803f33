import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Frame, FrameReader, frameLengthBytes } from "./frame.ts";
import { FieldWriter } from "./frame-fields.ts";

const maxBytes = 1_000;

interface Plain {
  readonly type: number;
  readonly request: number;
  readonly body: string;
}

function bytesOf({ type, request, body }: Plain): Buffer {
  const bytes = Buffer.from(body, "latin1");
  return new FieldWriter(type, request).bytes(bytes, 0, bytes.length).finish();
}

function take(reader: FrameReader): Plain[] {
  const frames: Plain[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    if ("kind" in next) throw new Error(next.message);
    frames.push(plain(next));
  }
  return frames;
}

function plain({ type, request, body }: Frame): Plain {
  return { type, request, body: body.toString("latin1") };
}

const anyFrame = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  request: fc.integer({ min: 0, max: 0xffffffff }),
  body: fc
    .uint8Array({ maxLength: maxBytes - 5 })
    .map((bytes) => Buffer.from(bytes).toString("latin1")),
});

describe("FrameReader", () => {
  it("gives the same frames however the stream is cut", () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), pieces, (frames, sizes) => {
        const stream = Buffer.concat(frames.map(bytesOf));
        const reader = new FrameReader(() => maxBytes);
        const got: Plain[] = [];
        let at = 0;
        for (let i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] as number;
          reader.push(stream.subarray(at, at + size));
          at += size;
          got.push(...take(reader));
        }
        expect(got).toEqual(frames);
        expect(reader.heldBytes).toBe(0);
      }),
    );
  });

  it("gives the same frames when cut at every byte boundary", () => {
    const frames = [
      { type: 1, request: 7, body: "" },
      { type: 255, request: 0xffffffff, body: "some records" },
      { type: 3, request: 0, body: "x" },
    ];
    const stream = Buffer.concat(frames.map(bytesOf));
    for (let cut = 0; cut <= stream.length; cut++) {
      const reader = new FrameReader(() => maxBytes);
      reader.push(stream.subarray(0, cut));
      const first = take(reader);
      reader.push(stream.subarray(cut));
      expect([...first, ...take(reader)]).toEqual(frames);
    }
  });

  it("keeps what is not taken yet when more comes", () => {
    const frames = [1, 2, 3].map((type) => ({ type, request: type, body: "ab" }));
    const reader = new FrameReader(() => maxBytes);
    reader.push(Buffer.concat(frames.slice(0, 2).map(bytesOf)));
    const first = reader.next() as Frame;
    reader.push(bytesOf(frames[2] as Plain));
    expect([plain(first), ...take(reader)]).toEqual(frames);
  });

  it("does not copy a frame that lies in one piece", () => {
    const piece = bytesOf({ type: 1, request: 1, body: "records" });
    const reader = new FrameReader(() => maxBytes);
    reader.push(piece);
    expect((reader.next() as Frame).body.buffer).toBe(piece.buffer);
  });

  it("refuses a length over the bound or under the prefix before it takes memory, and stays so", () => {
    for (const length of [0, 4, maxBytes + 1, 0xffffffff]) {
      for (const split of [0, 2, frameLengthBytes]) {
        const bytes = Buffer.alloc(frameLengthBytes);
        bytes.writeUInt32LE(length);
        const reader = new FrameReader(() => maxBytes);
        reader.push(bytes.subarray(0, split));
        if (split < frameLengthBytes) expect(reader.next()).toBeUndefined();
        reader.push(bytes.subarray(split));
        expect(reader.next()).toMatchObject({ kind: "badFrame" });
        expect(reader.heldBytes).toBeLessThanOrEqual(frameLengthBytes);
        reader.push(bytesOf({ type: 1, request: 1, body: "" }));
        expect(reader.next()).toMatchObject({ kind: "badFrame" });
      }
    }
  });

  it("holds no more than the bound of random bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 60 }), (pieces) => {
        const reader = new FrameReader(() => maxBytes);
        for (const piece of pieces) {
          reader.push(Buffer.from(piece));
          for (let next = reader.next(); next !== undefined; next = reader.next()) {
            if ("kind" in next) return;
            expect(next.body.length).toBeLessThanOrEqual(maxBytes);
          }
          expect(reader.heldBytes).toBeLessThanOrEqual(maxBytes + frameLengthBytes);
        }
      }),
    );
  });
});
