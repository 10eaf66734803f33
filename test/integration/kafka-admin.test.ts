import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  AvroDeserializer,
  AvroSerializer,
  SchemaRegistryClient,
  SerdeType,
  SubjectNameStrategyType,
} from "@confluentinc/schemaregistry";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schemaIdFile } from "../../cli/commands/schemas.ts";
import { Arena } from "../../schemas/arena.ts";
import { Decoder, encodeFrame } from "../../schemas/codec.ts";
import { defineSchema } from "../../schemas/event-schema.ts";
import { applySchemas, inspectSchemas, openSchemaTable } from "../../streams/kafka/registry.ts";
import { RegistryClient } from "../../streams/kafka/registry-client.ts";
import { currentSchemas, type TopicSchema } from "../../streams/kafka/schema-ids.ts";
import { allTopics } from "../../streams/topics.ts";
import { startStack, type TestStack } from "../kits/stack.ts";
import { opencdn } from "../kits/up-system.ts";

let stack: TestStack;
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "ocdn-admin-"));
  stack = await startStack({ only: ["kafka", "registry"] });
}, 300_000);
afterAll(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const run = (...args: readonly string[]): ReturnType<typeof opencdn> =>
  opencdn(["--data", folder, ...args]);
const topics = (word: string, ...more: readonly string[]): ReturnType<typeof opencdn> =>
  run("topics", word, "--kafka", stack.bootstrap, ...more);
const lines = (text: string): string[] => text.trim().split("\n");

describe("opencdn topics on a real broker", () => {
  const admin = async <T>(work: (admin: ReturnType<Kafka["admin"]>) => Promise<T>): Promise<T> => {
    const kafka = new Kafka({ brokers: [stack.bootstrap], logLevel: logLevel.NOTHING });
    const client = kafka.admin();
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.disconnect();
    }
  };

  it("says what is missing before anything was applied, and changes nothing", async () => {
    const { code, stdout, stderr } = await topics("check");
    expect(code).toBe(1);
    expect(lines(stdout)).toHaveLength(allTopics.length + 3);
    expect(lines(stdout)[0]).toBe("no log has been made on this cluster");
    expect(stderr).toMatch(/OCDN_CLUSTER_DIFFERS/);
    const dry = await topics("apply", "--dry-run");
    expect({ code: dry.code, same: dry.stdout === stdout }).toEqual({ code: 0, same: true });
    const names = await admin((client) => client.listTopics());
    expect(names.filter((name) => name.startsWith("opencdn.") || name.endsWith(".v1"))).toEqual([]);
  });

  it("asks where it can, and refuses to guess where it cannot", async () => {
    const { code, stderr } = await topics("apply", "--slots", "4");
    expect({ code, asked: /say --yes/.test(stderr) }).toEqual({ code: 2, asked: true });
  });

  it("applies, by one of several at once, and then the check finds nothing", async () => {
    const applied = await Promise.all(
      ["log-a", "log-b", "log-c"].map((id) =>
        topics("apply", "--slots", "4", "--log-id", id, "--yes"),
      ),
    );
    const done = applied.filter(({ code }) => code === 0);
    expect(done.length, applied.map(({ stderr }) => stderr).join("")).toBeGreaterThan(0);
    const { code, stdout } = await topics("check", "--json");
    expect(code).toBe(0);
    const state = JSON.parse(stdout) as { identity: { logId: string } };
    expect(state).toMatchObject({ slots: 4, identity: { slots: 4, format: 1 }, differences: [] });
    for (const { stdout: said } of done)
      expect(said).toContain(`the log ${state.identity.logId} has 4 slots`);
    const { topics: found } = await admin((client) => client.fetchTopicMetadata());
    const counts = new Map(found.map(({ name, partitions }) => [name, partitions.length]));
    for (const { name } of allTopics) expect(counts.get(name)).toBe(4);
    expect(counts.get("opencdn.slots.v1")).toBe(4);
    // Whoever reads the identity leaves no group behind.
    const { groups } = await admin((client) => client.listGroups());
    expect(groups.filter(({ groupId }) => groupId.startsWith("opencdn"))).toEqual([]);
    const again = await topics("apply", "--yes");
    expect({ code: again.code, said: again.stdout }).toEqual({
      code: 0,
      said: "nothing to change\n",
    });
  });

  it("finds a changed retention, and puts it back without touching what others set", async () => {
    const name = "edge.events.v1";
    const set = { "retention.ms": "60000", "segment.ms": "12345678" };
    await admin((client) =>
      client.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: 2,
            name,
            configEntries: Object.entries({
              "cleanup.policy": "delete",
              "message.timestamp.type": "LogAppendTime",
              ...set,
            }).map(([key, value]) => ({ name: key, value })),
          },
        ],
      }),
    );
    const { code, stdout } = await topics("check");
    expect(code).toBe(1);
    expect(lines(stdout)).toContain("edge.events.v1 has retention.ms=60000, not 604800000");
    expect(stdout).not.toMatch(/segment/);
    expect((await topics("apply", "--yes")).code).toBe(0);
    expect((await topics("check")).code).toBe(0);
    const { resources } = await admin((client) =>
      client.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name, configNames: ["segment.ms", "retention.ms"] }],
      }),
    );
    const values = resources[0]?.configEntries.map((entry) => entry.configValue).sort();
    expect(values).toEqual(["12345678", "604800000"]);
  });

  it("refuses another slot count and another log, whatever is said", async () => {
    for (const [word, value, code] of [
      ["--slots", "8", "OCDN_SLOTS_DIFFER"],
      ["--log-id", "log-z", "OCDN_CLUSTER_DIFFERS"],
    ] as const) {
      const applied = await topics("apply", word, value, "--yes");
      expect(applied.code).toBe(1);
      expect(lines(applied.stderr)).toHaveLength(1);
      expect(applied.stderr).toContain(code);
      expect((await topics("check", word, value)).code).toBe(1);
    }
    expect((await topics("check")).code).toBe(0);
  });

  it("shows the lag of the roles' groups", async () => {
    const topic = "node.health.v1";
    const kafka = new Kafka({ brokers: [stack.bootstrap], logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    const messages = Array.from({ length: 7 }, () => ({ key: "a", value: "b", partition: 2 }));
    await producer.send({ topic, messages });
    await producer.disconnect();
    const groupId = "opencdn.failover";
    const partitions = [{ partition: 2, offset: "3" }];
    await admin((client) => client.setOffsets({ groupId, topic, partitions }));
    const { code, stdout } = await topics("lag", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      groups: [groupId],
      lag: [
        {
          group: groupId,
          topic,
          slot: 2,
          committedOffset: "3",
          endOffset: "7",
          lag: "4",
        },
      ],
    });
    expect((await topics("lag", "--group", groupId)).stdout).toMatch(/^opencdn\.failover .* 4$/m);
    expect((await topics("lag", "--group", "nobody")).stderr).toMatch(/OCDN_NOT_FOUND/);
  });

  it("says what a broker without an authorizer lacks", async () => {
    const { code, stderr } = await topics("check", "--acls");
    expect(code).toBe(1);
    expect(stderr).toMatch(/authorizer\.class\.name.*\(OCDN_KAFKA\)/);
  });

  it("finds a topic with another partition count, and does not touch it", async () => {
    await admin((client) =>
      client.createPartitions({ topicPartitions: [{ topic: "alerts.v1", count: 5 }] }),
    );
    const { code, stdout } = await topics("check");
    expect({ code, lines: lines(stdout).length }).toEqual({ code: 1, lines: 1 });
    expect(stdout).toMatch(/^alerts\.v1 has 5 partitions, not 4: slots never change/);
    const applied = await topics("apply", "--yes");
    expect(applied.stderr).toMatch(/OCDN_SLOTS_DIFFER/);
    expect(applied.code).toBe(1);
  });
});

describe("opencdn schemas on a real registry", () => {
  const schemas = (word: string, ...more: readonly string[]): ReturnType<typeof opencdn> =>
    run("schemas", word, "--registry", stack.registryUrl, ...more);
  const config = (): Parameters<typeof RegistryClient.open>[0] => ({
    url: stack.registryUrl,
    requestMs: 5_000,
    operationMs: 10_000,
  });
  const withClient = async <T>(work: (client: RegistryClient) => Promise<T>): Promise<T> => {
    const client = await RegistryClient.open(config(), {});
    try {
      return await work(client);
    } finally {
      client.close();
    }
  };
  const record = (...fields: readonly object[]): TopicSchema["schema"] =>
    defineSchema(JSON.stringify({ type: "record", name: "t.A", fields }));
  const number = { name: "x", type: "int" };
  const text = { name: "y", type: "string" };

  it("registers every schema once, and then the check finds nothing", async () => {
    const before = await schemas("check");
    expect(before.code).toBe(1);
    expect(lines(before.stdout)).toHaveLength(2 * allTopics.length);
    const applied = await schemas("apply");
    expect(applied.code, applied.stderr).toBe(0);
    const after = await schemas("check", "--json");
    expect(after.code).toBe(0);
    const { ids, differences } = JSON.parse(after.stdout) as { ids: unknown[]; differences: [] };
    expect({ ids: ids.length, differences }).toEqual({ ids: allTopics.length, differences: [] });
    expect((await schemas("apply")).stdout).toMatch(/^nothing to change/);
  });

  it("refuses an incompatible schema before anything is registered", async () => {
    await withClient(async (client) => {
      const first = [{ subject: "old-value", schema: record(number) }];
      await applySchemas(client, first, await inspectSchemas(client, first));
      const wanted = [
        { subject: "fresh-value", schema: record(text) },
        { subject: "old-value", schema: record(text) },
      ];
      const state = await inspectSchemas(client, wanted);
      await expect(applySchemas(client, wanted, state)).rejects.toMatchObject({
        code: "OCDN_SCHEMA_REFUSED",
        message: expect.stringMatching(
          /old-value.*backward compatibility with version 1 at t\.A\.y/,
        ),
      });
      expect(await client.versions("fresh-value")).toEqual([]);
      expect(await client.level("fresh-value")).toBe("NONE");
      expect(await client.level("old-value")).toBe("FULL_TRANSITIVE");
    });
  });

  it("puts the registry's own refusal (409) into one sentence", async () => {
    await withClient(async (client) => {
      const refused = client.register("old-value", record(text).json);
      await expect(refused).rejects.toMatchObject({ code: "OCDN_SCHEMA_REFUSED" });
      await expect(refused).rejects.toThrow(
        /^registering the schema of old-value \(http:[^ ]+\): Incompatible artifact: old-value [^\n]+$/,
      );
      expect(await client.versions("old-value")).toHaveLength(1);
    });
  });

  it("takes a compatible successor, and keeps the id of the version before it", async () => {
    await withClient(async (client) => {
      const next = [{ subject: "old-value", schema: record(number, { ...text, default: "" }) }];
      const ids = await applySchemas(client, next, await inspectSchemas(client, next));
      expect(ids.map(({ version }) => version)).toEqual([1, 2]);
      expect(new Set(ids.map(({ id }) => id)).size).toBe(2);
      const id = ids[0]?.id as number;
      expect(await client.textOf("old-value", id)).toBe(record(number).json);
      expect(await client.textOf("old-value", 2_000_000)).toBeUndefined();
    });
  });

  it("is read by Confluent's deserializer, and reads Confluent's serializer, on every topic", async () => {
    const file = schemaIdFile(folder);
    const table = await openSchemaTable({
      config: config(),
      environment: {},
      file,
      schemas: currentSchemas(),
    });
    const client = new SchemaRegistryClient({ baseURLs: [stack.registryUrl] });
    const strategy = { subjectNameStrategyType: SubjectNameStrategyType.TOPIC };
    const theirs = new AvroSerializer(client, SerdeType.VALUE, {
      ...strategy,
      useLatestVersion: true,
    });
    const reader = new AvroDeserializer(client, SerdeType.VALUE, strategy);
    for (const { name, schema } of allTopics) {
      const decoder = new Decoder(schema, table);
      const arena = new Arena();
      for (let round = 0; round < 5; round += 1) {
        const value = schema.type.random() as object;
        const shown = `${name} ${JSON.stringify(value)}`;
        arena.reset();
        const size = encodeFrame(schema, table.idOf(schema) as number, value, arena);
        expect(typeof size, shown).toBe("number");
        const ours = Buffer.from(arena.bytes());
        expect(await reader.deserialize(name, ours), shown).toEqual(value);
        const frame = await theirs.serialize(name, value);
        expect(frame.equals(ours), shown).toBe(true);
        expect(decoder.decodeFrame(frame, 0, frame.length), shown).toEqual(value);
      }
    }
    await client.close();
  });

  it("starts again from the kept ids while the registry is dead, and only with them", async () => {
    const file = schemaIdFile(folder);
    const source = { config: config(), environment: {}, file, schemas: currentSchemas() };
    const before = (await openSchemaTable(source)).toJSON();
    process.kill(await stack.pid("registry"), "SIGKILL");
    const { code, stderr } = await schemas("check");
    expect({ code, away: /OCDN_DISCONNECTED/.test(stderr) }).toEqual({ code: 1, away: true });
    expect((await openSchemaTable(source)).toJSON()).toEqual(before);
    const kept = await readFile(file, "utf8");
    await writeFile(file, kept.replace(/"id":\d+/, '"id":99'));
    await expect(openSchemaTable(source)).rejects.toMatchObject({ code: "OCDN_DISCONNECTED" });
    await expect(openSchemaTable(source)).rejects.toThrow(/its content is not what its check says/);
  });
});

it("ends with one sentence when the broker is dead", async () => {
  process.kill(await stack.pid("kafka"), "SIGKILL");
  const { code, stdout, stderr } = await topics("check");
  expect({ code, stdout, lines: lines(stderr).length }).toEqual({ code: 1, stdout: "", lines: 1 });
  expect(stderr).toMatch(/OCDN_DISCONNECTED/);
});
