import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Section } from "../batch.ts";
import { RecordCursor } from "../chunk.ts";
import { chunkOf } from "../testing/memory-owner.ts";
import { trimChunk } from "./trim-chunk.ts";

describe("trimChunk", () => {
  it("leaves exactly the records from the offset on", () => {
    const lengths = fc.array(fc.option(fc.nat(30), { nil: undefined }), { minLength: 1 });
    fc.assert(
      fc.property(lengths, fc.nat(40), fc.nat(60), (values, base, offset) => {
        const section = new Section("t", 0);
        for (const length of values) {
          const value = length === undefined ? undefined : new Uint8Array(length);
          section.add(new Uint8Array(3), 0, 3, value, 0, length ?? 0);
        }
        const trimmed = trimChunk(chunkOf(section, base), offset);
        const cursor = new RecordCursor().open(trimmed);
        const offsets: number[] = [];
        while (cursor.next()) offsets.push(cursor.offset);
        const all = values.map((_, i) => base + i);
        expect(offsets).toEqual(all.filter((at) => at >= offset));
        expect(trimmed.count).toBe(offsets.length);
      }),
    );
  });
});
