import { describe, expect, it } from "vitest";
import { murmur2, slotOf } from "./slots.ts";

describe("murmur2", () => {
  it("gives what Kafka's own UtilsTest expects", () => {
    const cases: readonly [string, number][] = [
      ["21", -973932308],
      ["foobar", -790332482],
      ["a-little-bit-long-string", -985981536],
      ["a-little-bit-longer-string", -1486304829],
      ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ];
    for (const [text, hash] of cases) expect(murmur2(Buffer.from(text))).toBe(hash);
    expect(murmur2(Buffer.from([0x61, 0x62, 0x63]))).toBe(479470107);
  });

  it("hashes a range as it hashes a copy of it", () => {
    const bytes = Buffer.from("xxfoobaryy");
    expect(murmur2(bytes, 2, 8)).toBe(-790332482);
    expect(slotOf(bytes, 16, 2, 8)).toBe(slotOf(Buffer.from("foobar"), 16));
  });
});
