import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { planAcls } from "../../streams/kafka/acl-plan.ts";
import * as catalogue from "../../streams/topics.ts";
import { topology } from "../topology.ts";
import { gatewayTraffic, roleAccess } from "./topics-access.ts";

/** Names of the topics that the sources of a gateway import from the catalogue. */
function importedTopics(...files: readonly string[]): Set<string> {
  const found = new Set<string>();
  for (const file of files) {
    const text = readFileSync(path.join(import.meta.dirname, "../../gateways", file), "utf8");
    for (const [, list] of text.matchAll(/import \{([^}]*)\} from "[./]*streams\/topics\.ts"/g))
      for (const word of (list as string).split(",")) {
        const topic = (catalogue as Record<string, unknown>)[word.trim()];
        if (typeof topic === "object" && topic !== null && "name" in topic)
          found.add(String(topic.name));
      }
  }
  return found;
}

function filesOf(folder: string, omit: RegExp): string[] {
  return readdirSync(path.join(import.meta.dirname, "../../gateways", folder))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && !omit.test(name))
    .map((name) => `${folder}/${name}`);
}

function named(role: keyof typeof gatewayTraffic): Set<string> {
  const { reads, writes } = gatewayTraffic[role];
  return new Set([...reads, ...writes].map(({ name }) => name));
}

describe("roleAccess", () => {
  const roles = roleAccess(topology());
  const role = (name: string): (typeof roles)[number] =>
    roles.find((access) => access.role === name) as (typeof roles)[number];

  it("has one principal for each role that runs", () => {
    expect(roles.map((access) => access.role)).toEqual([
      "router",
      "failover",
      "anomaly",
      "scores",
      "alerts",
      "metrics",
      "edge",
      "node",
      "probes",
      "feeds",
      "operator",
    ]);
  });

  it("gives processors exactly what they declare, with their journal and dead letters", () => {
    const failover = topology().find(({ name }) => name === "failover");
    expect(role("failover").reads).toEqual(
      [...(failover?.inputs.map(({ topic }) => topic.name) ?? []), "task.commits.v1"].sort(),
    );
    expect(role("failover").writes).toEqual([
      "dead.letters.v1",
      "node.overlay.v1",
      "task.commits.v1",
    ]);
  });

  it("lets failover alone write the overlay, and no gateway a decision", () => {
    const writers = (topic: string): string[] =>
      roles.filter(({ writes }) => writes.includes(topic)).map((access) => access.role);
    expect(writers("node.overlay.v1")).toEqual(["failover", "operator"]);
    expect(writers("route.decisions.v1")).toEqual(["router", "operator"]);
    expect(writers("task.commits.v1")).toEqual(["router", "failover", "anomaly"]);
  });

  it("gives sinks what they take, and nothing to write but dead letters", () => {
    expect(role("scores")).toMatchObject({
      reads: ["node.scores.v1"],
      writes: ["dead.letters.v1"],
    });
    expect(role("alerts").reads).toEqual(["alerts.v1"]);
  });

  it("gives gateways what their sources name, and nothing more", () => {
    expect(new Set([...named("edge"), ...named("node")])).toEqual(
      importedTopics(...filesOf("edge", /^$/)),
    );
    // The matrices of the path are read by `opencdn ingest rtt`, into a log of its own.
    expect(named("probes")).toEqual(importedTopics(...filesOf("probes", /^rtt-/)));
    expect(named("feeds")).toEqual(importedTopics(...filesOf("bgp", /^$/)));
  });

  it("makes a plan of whole names", () => {
    const rules = planAcls(roles);
    expect(rules.some(({ resource, name }) => resource === "TOPIC" && name.includes("*"))).toBe(
      false,
    );
    expect(rules.every(({ prefix, resource }) => !prefix || resource === "TRANSACTIONAL_ID")).toBe(
      true,
    );
  });
});
