import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AddressFamily, addressBytes } from "./address.ts";
import { formatPrefixAt, maxPrefixLength } from "./prefix.ts";
import {
  countPrefixes,
  MAX_PREFIX_LIST_BYTES,
  NO_PATH_ID,
  PrefixListReader,
  PrefixListWriter,
} from "./prefix-list.ts";

interface Entry {
  readonly family: AddressFamily;
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly pathId: number;
}

const entry: fc.Arbitrary<Entry> = fc.constantFrom<AddressFamily>(4, 6).chain((family) =>
  fc.record({
    family: fc.constant(family),
    bytes: fc.uint8Array({ minLength: addressBytes(family), maxLength: addressBytes(family) }),
    length: fc.integer({ min: 0, max: maxPrefixLength(family) }),
    pathId: fc.oneof(fc.constant(NO_PATH_ID), fc.integer({ min: 0, max: 0xffffffff })),
  }),
);

function pack(entries: readonly Entry[]): Uint8Array {
  const writer = new PrefixListWriter(1);
  for (const { family, bytes, length, pathId } of entries) {
    if (!writer.add(family, bytes, 0, length, pathId)) throw new Error("not written");
  }
  expect(writer.count).toBe(entries.length);
  return writer.toBytes();
}

function text({ family, bytes, length, pathId }: Entry): string {
  return `${formatPrefixAt(bytes, 0, family, length)} ${pathId}`;
}

function readAll(list: Uint8Array): string[] {
  const reader = new PrefixListReader().open(list);
  const found: string[] = [];
  const address = new Uint8Array(16);
  while (reader.next()) {
    const { family, length, pathId } = reader;
    reader.addressInto(address, 0);
    found.push(text({ family, bytes: address, length, pathId }));
  }
  if (reader.failure !== undefined) throw new Error(reader.failure.code);
  return found;
}

describe("packed prefix lists", () => {
  it("give back every prefix in order, host bits cleared", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40 }), (entries) => {
        const list = pack(entries);
        expect(readAll(list)).toEqual(entries.map(text));
        expect(countPrefixes(list)).toBe(entries.length);
      }),
    );
  });

  it("are canonical: the trailing bits of 11.13.0.0/13 do not make another route", () => {
    const dirty = new Uint8Array([11, 13, 0, 0]);
    const clean = new Uint8Array([11, 8, 0, 0]);
    const list = pack([{ family: 4, bytes: dirty, length: 13, pathId: NO_PATH_ID }]);
    expect(list).toEqual(pack([{ family: 4, bytes: clean, length: 13, pathId: NO_PATH_ID }]));
    expect([...list]).toEqual([0, 13, 11, 8]);
  });

  it("refuse what no writer wrote, and say where", () => {
    const cases: [number[], string, number][] = [
      [[4, 8, 10], "flags", 0],
      [[0, 8, 10, 0, 33, 1, 2, 3, 4, 5], "length", 3],
      [[1, 129], "length", 0],
      [[0, 9, 10, 64], "hostBits", 0],
      [[0, 16, 10], "truncated", 0],
      [[2, 0, 0, 0], "truncated", 0],
      [[0, 0, 0], "truncated", 2],
    ];
    for (const [bytes, code, offset] of cases) {
      expect(countPrefixes(new Uint8Array(bytes))).toEqual({ kind: "failure", code, offset });
    }
    const tooLong = countPrefixes(new Uint8Array(MAX_PREFIX_LIST_BYTES + 1));
    expect(tooLong).toMatchObject({ code: "tooLong" });
  });

  it("read from any bytes end with entries or a typed failure, and written again are equal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new PrefixListReader().open(bytes);
        const writer = new PrefixListWriter();
        while (reader.next()) {
          writer.add(reader.family, bytes, reader.start, reader.length, reader.pathId);
        }
        const good = reader.failure?.offset ?? bytes.length;
        expect(writer.toBytes()).toEqual(bytes.slice(0, good));
      }),
    );
  });

  it("stop growing at the bound and stay readable", () => {
    const writer = new PrefixListWriter(32);
    const address = new Uint8Array(16).fill(0xab);
    let written = 0;
    while (writer.add(6, address, 0, 128, 7)) written++;
    expect(writer.sizeBytes).toBeLessThanOrEqual(MAX_PREFIX_LIST_BYTES);
    expect(countPrefixes(writer.toBytes())).toBe(written);
    writer.reset();
    expect(writer.add(4, address, 0, 33)).toBe(false);
    expect(writer.add(4, address, 15, 24)).toBe(false);
    expect(writer.count).toBe(0);
  });
});
