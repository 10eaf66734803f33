import avsc from "avsc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NativeBuffer, Tap } from "./tap.ts";

function tapOn(buffer: Buffer): Tap {
  const tap = new Tap();
  tap.buf = buffer as NativeBuffer;
  return tap;
}

/** The zigzag varint of the specification, on integers of any size. */
function reference(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}

/** Any code point but the surrogates; fast-check's own `binary` unit takes long to begin. */
const letter = fc
  .oneof(fc.integer({ min: 0, max: 0xd7ff }), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((point) => String.fromCodePoint(point));

const LIMIT = Number.MAX_SAFE_INTEGER - 1;

describe("Tap", () => {
  it("writes and reads every safe long as the specification says", () => {
    const edges = [
      0,
      1,
      -1,
      63,
      64,
      -64,
      -65,
      2 ** 30,
      -(2 ** 30),
      -(2 ** 30) - 1,
      2 ** 31,
      2 ** 52,
    ]
      .flatMap((value) => [value, -value])
      .concat([-(2 ** 52) - 1, LIMIT, -LIMIT]);
    const longs = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(...edges));
    fc.assert(
      fc.property(longs, (value) => {
        fc.pre(Math.abs(value) <= LIMIT);
        const tap = tapOn(Buffer.alloc(16));
        tap.writeLong(value);
        expect(tap.buf.subarray(0, tap.pos)).toEqual(reference(BigInt(value)));
        tap.pos = 0;
        expect(tap.readLong()).toBe(value === 0 ? 0 : value);
      }),
      { numRuns: 2_000 },
    );
  });

  it("keeps the sign of longs that avsc turns round", () => {
    const value = -(2 ** 52) - 1;
    const type = avsc.Type.forSchema("long");
    expect(type.fromBuffer(type.toBuffer(value))).not.toBe(value);
    const tap = tapOn(Buffer.alloc(16));
    tap.writeLong(value);
    tap.pos = 0;
    expect(tap.readLong()).toBe(value);
  });
});

describe("Tap on strings, floats and full buffers", () => {
  it("writes strings of any length and alphabet as Buffer does, and reads them again", () => {
    const text = fc.string({ unit: letter, maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 4 }), (part, times) => {
        const value = part.repeat(times);
        const bytes = Buffer.from(value, "utf8");
        const tap = tapOn(Buffer.alloc(2_000));
        tap.writeString(value);
        expect(tap.buf.subarray(tap.pos - bytes.length, tap.pos)).toEqual(bytes);
        tap.pos = 0;
        expect(tap.readString()).toBe(value);
      }),
    );
  });

  it.each([1, 30, 100])("writes a lone surrogate in %i letters as U+FFFD", (size) => {
    const tap = tapOn(Buffer.alloc(500));
    tap.writeString(`${"a".repeat(size)}\ud800`);
    tap.pos = 0;
    expect(tap.readString()).toBe(`${"a".repeat(size)}\ufffd`);
  });

  it("reads doubles and floats as Buffer does", () => {
    fc.assert(
      fc.property(fc.double(), fc.float(), (double, float) => {
        const tap = tapOn(Buffer.alloc(12));
        tap.writeDouble(double);
        tap.writeFloat(float);
        expect(tap.buf.readDoubleLE(0)).toBe(double);
        expect(tap.buf.readFloatLE(8)).toBe(float);
        tap.pos = 0;
        expect([tap.readDouble(), tap.readFloat()]).toEqual([double, float]);
      }),
    );
  });

  it("gives the position that a full buffer would have needed, and writes nothing behind it", () => {
    const whole = Buffer.alloc(64, 7);
    const tap = tapOn(whole.subarray(0, 10));
    tap.writeString("x".repeat(50));
    tap.writeDouble(1);
    expect(tap.pos).toBe(59);
    expect(whole.subarray(10)).toEqual(Buffer.alloc(54, 7));
  });
});
