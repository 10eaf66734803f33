import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxKeyBytes, maxRecordBytesOf } from "../limits.ts";
import { allTopics, tableNames } from "../topics.ts";
import {
  describeDifference,
  diffTopics,
  type FoundTopic,
  identityTopic,
  isRefused,
  planTopics,
  settingsAfter,
  slotsTopic,
  type WantedTopic,
} from "./topic-plan.ts";

const options = fc.record({
  slots: fc.integer({ min: 1, max: 1_024 }),
  replicationFactor: fc.integer({ min: 1, max: 15 }),
});

/** A cluster on which everything is as wanted, with settings of its own beside. */
function made(wanted: readonly WantedTopic[]): FoundTopic[] {
  return wanted.map(({ topic, partitions, replicationFactor, config }) => ({
    topic,
    partitions,
    replicationFactor,
    config: { "segment.ms": "1", ...config },
    own: { "segment.ms": "1", ...config },
  }));
}

describe("planTopics", () => {
  it("gives every topic of the catalogue the log's slots", () => {
    const wanted = planTopics({ slots: 7, replicationFactor: 1 });
    expect(wanted.map(({ topic }) => topic)).toEqual([
      slotsTopic,
      identityTopic,
      ...allTopics.map(({ name }) => name),
    ]);
    expect(wanted.filter(({ slotted }) => !slotted).map(({ topic }) => topic)).toEqual([
      identityTopic,
    ]);
    expect(new Set(wanted.filter((t) => t.slotted).map((t) => t.partitions))).toEqual(new Set([7]));
  });

  it("keeps streams by time and tables by key, both for the replay horizon", () => {
    const horizon = String(7 * 86_400_000);
    const wanted = planTopics({ slots: 1, replicationFactor: 1 }).slice(2);
    expect(wanted.length).toBe(allTopics.length);
    for (const { topic, config } of wanted) {
      const table = tableNames.has(topic);
      expect(config["cleanup.policy"]).toBe(table ? "compact" : "delete");
      expect(config[table ? "min.compaction.lag.ms" : "retention.ms"]).toBe(horizon);
      expect(Number(config["max.message.bytes"])).toBeGreaterThan(
        maxRecordBytesOf(topic) + maxKeyBytes,
      );
    }
  });

  it("waits for two copies from three on", () => {
    const copies = (replicationFactor: number): string | undefined =>
      planTopics({ slots: 1, replicationFactor })[0]?.config["min.insync.replicas"];
    expect([1, 2, 3, 5].map(copies)).toEqual(["1", "1", "2", "2"]);
  });

  it("refuses a slot count that no log has", () => {
    for (const slots of [0, -1, 1.5, 1_025, Number.NaN])
      expect(() => planTopics({ slots, replicationFactor: 1 })).toThrow(RangeError);
  });
});

describe("diffTopics", () => {
  it("finds nothing on a cluster that is as wanted, whatever else is there", () => {
    fc.assert(
      fc.property(options, fc.infiniteStream(fc.nat()), (chosen, order) => {
        const wanted = planTopics(chosen);
        const foreign: FoundTopic = {
          topic: "somebody.elses",
          partitions: 3,
          replicationFactor: 1,
          config: {},
          own: {},
        };
        const shuffled = [...made(wanted), foreign]
          .map((entry) => ({ entry, at: order.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ entry }) => entry);
        expect(diffTopics(wanted, shuffled)).toEqual([]);
      }),
    );
  });

  it("finds exactly what was changed", () => {
    const change = fc.constantFrom("missing", "partitions", "replication", "config");
    fc.assert(
      fc.property(
        options,
        fc.uniqueArray(fc.nat(allTopics.length + 1)),
        fc.array(change, { minLength: 1 }),
        (chosen, places, kinds) => {
          const wanted = planTopics(chosen);
          const expected: string[] = [];
          const found = made(wanted).flatMap((topic, at): FoundTopic[] => {
            if (!places.includes(at)) return [topic];
            const kind = kinds[at % kinds.length] as
              | "missing"
              | "partitions"
              | "replication"
              | "config";
            expected.push(`${kind} ${topic.topic}`);
            if (kind === "missing") return [];
            if (kind === "partitions") return [{ ...topic, partitions: topic.partitions + 1 }];
            if (kind === "replication") return [{ ...topic, replicationFactor: 99 }];
            return [{ ...topic, config: { ...topic.config, "cleanup.policy": "other" } }];
          });
          const differences = diffTopics(wanted, found);
          expect(differences.map(({ kind, topic }) => `${kind} ${topic}`)).toEqual(expected);
          for (const difference of differences) {
            expect(isRefused(difference)).toBe(/partitions|replication/.test(difference.kind));
            expect(describeDifference(difference)).toMatch(new RegExp(`^${difference.topic} `));
          }
        },
      ),
    );
  });

  it("is gone after the settings are put in, and keeps what others set", () => {
    const wanted = planTopics({ slots: 2, replicationFactor: 1 })[0] as WantedTopic;
    const found: FoundTopic = {
      topic: wanted.topic,
      partitions: 2,
      replicationFactor: 1,
      config: { "retention.ms": "5", "segment.ms": "9", "flush.ms": "1" },
      own: { "retention.ms": "5", "segment.ms": "9" },
    };
    const after = settingsAfter(wanted, found);
    expect(after).toEqual({ "segment.ms": "9", ...wanted.config });
    expect(diffTopics([wanted], [{ ...found, config: after, own: after }])).toEqual([]);
  });
});
