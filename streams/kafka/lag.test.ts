import { describe, expect, it } from "vitest";
import { lagRow } from "./lag.ts";

const place = { group: "opencdn.router", topic: "a.v1", slot: 0 };

describe("lagRow", () => {
  it("counts records that were not read yet, exactly above 2^53", () => {
    expect(lagRow(place, 2n ** 60n, 2n ** 60n + 3n).lag).toBe(3n);
    expect(lagRow(place, 5n, 5n).lag).toBe(0n);
  });

  it("is 0 for an offset beyond the end of a topic that was made anew", () => {
    expect(lagRow(place, 9n, 2n)).toMatchObject({ committedOffset: 9n, endOffset: 2n, lag: 0n });
  });
});
