import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AclRule, describeRule, diffAcls, planAcls, type RoleAccess } from "./acl-plan.ts";

const anomaly: RoleAccess = {
  role: "anomaly",
  reads: ["edge.events.v1", "task.commits.v1"],
  writes: ["alerts.v1", "task.commits.v1"],
  group: true,
};
const edge: RoleAccess = { role: "edge", reads: ["alerts.v1"], writes: [], group: false };

describe("planAcls", () => {
  it("allows what a role does, by whole names", () => {
    expect(planAcls([anomaly]).map(describeRule)).toEqual([
      "User:opencdn.anomaly READ TOPIC opencdn.log.v1",
      "User:opencdn.anomaly DESCRIBE TOPIC opencdn.log.v1",
      "User:opencdn.anomaly READ TOPIC opencdn.slots.v1",
      "User:opencdn.anomaly DESCRIBE TOPIC opencdn.slots.v1",
      "User:opencdn.anomaly READ TOPIC edge.events.v1",
      "User:opencdn.anomaly DESCRIBE TOPIC edge.events.v1",
      "User:opencdn.anomaly READ TOPIC task.commits.v1",
      "User:opencdn.anomaly DESCRIBE TOPIC task.commits.v1",
      "User:opencdn.anomaly WRITE TOPIC alerts.v1",
      "User:opencdn.anomaly DESCRIBE TOPIC alerts.v1",
      "User:opencdn.anomaly WRITE TOPIC task.commits.v1",
      "User:opencdn.anomaly READ GROUP opencdn.anomaly",
      "User:opencdn.anomaly DESCRIBE GROUP opencdn.anomaly",
      "User:opencdn.anomaly WRITE TRANSACTIONAL_ID opencdn.anomaly.*",
      "User:opencdn.anomaly DESCRIBE TRANSACTIONAL_ID opencdn.anomaly.*",
    ]);
  });

  it("gives a reader without a group no group, no slots and no transactions", () => {
    expect(new Set(planAcls([edge]).map(({ resource, name }) => `${resource} ${name}`))).toEqual(
      new Set(["TOPIC opencdn.log.v1", "TOPIC alerts.v1"]),
    );
  });

  it("gives no role the transactional ids of another", () => {
    const rules = planAcls([anomaly, { ...anomaly, role: "anomaly-two" }]);
    const prefixes = rules.filter(({ prefix }) => prefix).map(({ name }) => name);
    expect(new Set(prefixes).size).toBe(2);
    for (const a of new Set(prefixes))
      for (const b of new Set(prefixes)) expect(a !== b && b.startsWith(a)).toBe(false);
  });

  it("refuses a role twice and a name that is none", () => {
    expect(() => planAcls([edge, edge])).toThrow(/edge/);
    expect(() => planAcls([{ ...edge, role: "*" }])).toThrow(/no name of a role/);
  });
});

describe("diffAcls", () => {
  const wanted = planAcls([anomaly, edge]);

  it("finds what was left out and what is too much, in any order", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...wanted]), fc.boolean(), (kept, more) => {
        const old: AclRule = {
          principal: "User:opencdn.edge",
          resource: "TOPIC",
          name: "node.drains.v1",
          prefix: false,
          operation: "WRITE",
        };
        const foreign: AclRule = { ...old, principal: "User:somebody" };
        const { missing, surplus } = diffAcls(wanted, [...kept, ...(more ? [old, foreign] : [])]);
        expect(missing).toEqual(wanted.filter((rule) => !kept.includes(rule)));
        expect(surplus).toEqual(more ? [old] : []);
      }),
    );
  });

  it("tells a prefix from a whole name", () => {
    const flipped = wanted.map((rule) => ({ ...rule, prefix: !rule.prefix }));
    expect(diffAcls(wanted, flipped).missing.length).toBe(wanted.length);
  });
});
