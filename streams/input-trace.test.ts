import { describe, expect, it } from "vitest";
import { firstDifferentCheck, InputTrace } from "./input-trace.ts";

function trace(records: readonly string[]): { hash: Buffer; checks: Buffer } {
  const inputs = new InputTrace();
  for (const record of records) {
    const bytes = Buffer.from(`k${record}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    inputs.add(view, 0, 1, 1, bytes.length);
  }
  return inputs.take();
}

const frame = "IIIII"; // a frame's magic byte and id, which no hash covers

describe("the input trace", () => {
  const records = Array.from({ length: 40 }, (_, i) => `${frame}payload ${i}`);
  const many = Array.from({ length: 1_000 }, (_, i) => `${frame}payload ${i}`);

  it("names the one record that differs in a small commit", () => {
    const changed = records.with(17, `${frame}payload XX`);
    expect(trace(changed).hash.equals(trace(records).hash)).toBe(false);
    const found = firstDifferentCheck(trace(records).checks, trace(changed).checks, 40);
    expect(found).toEqual({ index: 17, width: 1 });
  });

  it("names eight records at most in a large commit, for 0.125 bytes a record", () => {
    const changed = many.with(517, `${frame}payload XX`);
    expect(trace(many).checks.length).toBe(125);
    const found = firstDifferentCheck(trace(many).checks, trace(changed).checks, 1_000);
    expect(found).toEqual({ index: 512, width: 8 });
  });

  it("sees two records that changed places, also within a group", () => {
    const swapped = many.with(100, many[101] as string).with(101, many[100] as string);
    expect(trace(swapped).hash.equals(trace(many).hash)).toBe(false);
    expect(firstDifferentCheck(trace(many).checks, trace(swapped).checks, 1_000)?.index).toBe(96);
  });

  it("does not cover the frame, so that ids may differ between engines", () => {
    const other = records.map((record) => record.replace(frame, "JJJJJ"));
    expect(trace(other).hash.equals(trace(records).hash)).toBe(true);
  });
});
