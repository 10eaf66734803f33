import { describe, expect, it } from "vitest";
import { refuseUnsafe } from "./topic-apply.ts";
import { describeClusterDifference, identityDifferences, isClusterRefused } from "./topic-check.ts";

const identity = { logId: "a", slots: 4, format: 1 };
const nothing = { slots: undefined, logId: undefined };

describe("identityDifferences", () => {
  it("finds nothing where nobody named another log", () => {
    expect(identityDifferences(nothing, identity, 4)).toEqual([]);
    expect(identityDifferences({ slots: 4, logId: "a" }, identity, 4)).toEqual([]);
  });

  it("wants a log to be made where there is none, which apply may do", () => {
    const [first] = identityDifferences({ slots: 4, logId: "b" }, undefined, 4);
    expect(first).toEqual({ kind: "identity", wanted: "b", found: undefined });
    expect(isClusterRefused(first as never)).toBe(false);
  });

  it("refuses other slots and another log, each with a sentence", () => {
    const found = identityDifferences({ slots: 8, logId: "b" }, identity, 4);
    expect(found.map(describeClusterDifference)).toEqual([
      "the log has 4 slots, not 8: slots never change, make a new log and migrate into it",
      "the cluster holds the log a, not b",
    ]);
    expect(found.every(isClusterRefused)).toBe(true);
  });
});

describe("refuseUnsafe", () => {
  it("refuses partitions that are not the slots, and lets settings pass", () => {
    const partitions = { kind: "partitions", topic: "a.v1", wanted: 4, found: 5 } as const;
    const config = { kind: "config", topic: "a.v1", name: "x", wanted: "1", found: "2" } as const;
    expect(() => refuseUnsafe([config])).not.toThrow();
    expect(() => refuseUnsafe([config, partitions])).toThrow(
      expect.objectContaining({ code: "OCDN_SLOTS_DIFFER" }),
    );
  });

  it("refuses another number of copies under another code", () => {
    expect(() =>
      refuseUnsafe([{ kind: "replication", topic: "a.v1", wanted: 3, found: 1 }]),
    ).toThrow(expect.objectContaining({ code: "OCDN_CLUSTER_DIFFERS" }));
  });
});
