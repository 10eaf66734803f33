import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  causeKinds,
  eventIdBytes,
  hex16,
  Identity,
  keyText,
  sourceEventId,
  writeAscii,
} from "./identity.ts";

function id(identity: Identity): string {
  const target = new Uint8Array(eventIdBytes);
  identity.next(target, 0);
  return hex16(target);
}

describe("identity", () => {
  const cause = Buffer.alloc(16, 7);

  it("is the same for the same log, processor, slot, cause and emission, and for nothing else", () => {
    const ids = new Set<string>();
    let made = 0;
    for (const log of ["a", "b"]) {
      for (const owner of ["rib", "decide"]) {
        for (const slot of [0, 1]) {
          const identity = new Identity(log, owner, slot);
          identity.causedByInput(cause, 0);
          const first = [id(identity), id(identity)];
          identity.causedByNumber(causeKinds.tick, 5);
          first.push(id(identity));
          identity.causedByText(causeKinds.timer, "key", 5);
          first.push(id(identity));
          identity.causedByText(causeKinds.timer, "key", 6);
          first.push(id(identity));
          identity.causedByInput(cause, 0);
          expect(id(identity)).toBe(first[0]);
          for (const one of first) ids.add(one);
          made += first.length;
        }
      }
    }
    expect(ids.size).toBe(made);
  });

  it("gives random numbers that are uniform, repeatable and apart from ids", () => {
    const identity = new Identity("log", "p", 0);
    let sum = 0;
    const seen: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      identity.causedByNumber(causeKinds.commit, i);
      const x = identity.random();
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThan(1);
      sum += x;
      seen.push(x);
    }
    expect(sum / 2_000).toBeGreaterThan(0.47);
    expect(sum / 2_000).toBeLessThan(0.53);
    identity.causedByNumber(causeKinds.commit, 3);
    expect(identity.random()).toBe(seen[3]);
    const before = id(identity);
    identity.causedByNumber(causeKinds.commit, 3);
    expect(id(identity)).toBe(before);
  });

  it("derives a source's ids from its name and position", () => {
    const one = hex16(sourceEventId("log", "mrt/1", "10"));
    expect(one).toBe(hex16(sourceEventId("log", "mrt/1", "10")));
    expect(one).not.toBe(hex16(sourceEventId("log", "mrt/1", "11")));
    expect(one).not.toBe(hex16(sourceEventId("log", "mrt/2", "10")));
  });

  it("reads keys as UTF-8", () => {
    for (const key of ["", "JP/13", "São Paulo", "x".repeat(40), "🗼"]) {
      const bytes = Buffer.from(key);
      expect(keyText(bytes, 0, bytes.length)).toBe(key);
    }
  });

  it("writes ASCII that fits as UTF-8 does, and says so of everything else", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: "binary" })),
        fc.nat({ max: 20 }),
        (text, size) => {
          const target = new Uint8Array(size);
          const expected = Buffer.from(text);
          const length = writeAscii(text, target);
          const fits = expected.length === text.length && text.length <= size;
          expect(length).toBe(fits ? text.length : -1);
          if (fits) expect(Buffer.from(target.subarray(0, length)).equals(expected)).toBe(true);
        },
      ),
    );
  });

  it("derives the same ids from a text however it is read", () => {
    expect(hex16(sourceEventId("log", "edge/1", "12345"))).toBe("80357256222ba7e24b20856aa55e5bed");
    expect(hex16(sourceEventId("log", "edge/1", "São Paulo"))).toBe(
      "c0145c978c573f3a33f8c98916cb3ed2",
    );
    expect(hex16(sourceEventId("log", "edge/1", "p".repeat(80)))).toBe(
      "931da162dfbfc8e50d39ed9a30626d1d",
    );
  });
});
