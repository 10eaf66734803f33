import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { serversOf } from "../commands/stack.ts";
import { packageFolder } from "../settings.ts";
import { connectEnvironment } from "./connect-server.ts";
import { clusterId, kafkaEnvironment } from "./kafka-server.ts";
import { defaultPorts } from "./ports.ts";
import { requirePrograms } from "./program.ts";
import { withNeeds } from "./server-plan.ts";

const docker = path.join(packageFolder(), "docker");

describe("what a configuration file takes from the environment", () => {
  it.each([
    ["kafka/server.properties", kafkaEnvironment(defaultPorts, "/data")],
    ["connect/connect.properties", connectEnvironment(defaultPorts)],
  ])("is what a server gets: %s", async (file, given) => {
    const text = await readFile(path.join(docker, file), "utf8");
    const wanted = [...text.matchAll(/\$\{env:([A-Z_]+)\}/g)].map(([, name]) => name);
    expect(wanted.sort()).toEqual(Object.keys(given).sort());
    const allowed = /allowlist\.pattern=(.*)/.exec(text)?.[1] ?? "";
    for (const name of wanted) expect(name).toMatch(new RegExp(`^${allowed}$`));
  });

  it("binds to loopback", () => {
    const { kafka, controller, connect } = defaultPorts;
    expect(kafkaEnvironment(defaultPorts, "/data")).toMatchObject({
      OPENCDN_KAFKA_LISTENERS: `PLAINTEXT://127.0.0.1:${kafka},CONTROLLER://127.0.0.1:${controller}`,
      OPENCDN_KAFKA_DATA: "/data",
    });
    expect(connectEnvironment(defaultPorts)).toMatchObject({
      OPENCDN_CONNECT_LISTENERS: `http://127.0.0.1:${connect}`,
    });
  });
});

it("starts what a server needs before it", () => {
  expect(withNeeds(["registry"])).toEqual(["kafka", "registry"]);
  expect(withNeeds(["connect", "redis"])).toEqual(["kafka", "redis", "connect"]);
});

it("makes cluster ids that no program takes for an option", () => {
  const ids = Array.from({ length: 500 }, clusterId);
  expect(ids.filter((id) => !/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/.test(id))).toEqual([]);
});

it("names the servers that there are", () => {
  expect(serversOf(undefined)).toHaveLength(4);
  expect(serversOf("kafka, redis")).toEqual(["kafka", "redis"]);
  expect(() => serversOf("kafka,reddis")).toThrow(/did you mean redis\?/);
  expect(() => serversOf("")).toThrow(/there is no server/);
});

it("says in one sentence what to install", () => {
  expect(() => requirePrograms(["java", "mvn"], "/nowhere:")).toThrow(
    "starting the stack: java and mvn are not installed; on Debian: apt-get install openjdk-17-jre-headless maven",
  );
  expect(() => requirePrograms(["redis-server"], undefined)).toThrow(
    /redis-server is not installed/,
  );
  expect(requirePrograms([], "")).toBeUndefined();
});
