import {
  type Admin,
  type ConfigEntries,
  Kafka,
  type KafkaConfig as KafkaJsConfig,
  logLevel,
  type SASLOptions,
} from "kafkajs";
import { pause, within } from "../backoff.ts";
import { OpenCdnError } from "../errors.ts";
import type { KafkaConfig } from "./config.ts";
import { isLeaderless, kafkaError } from "./kafka-error.ts";
import { maxGroups, maxRequestRetries, settleMs, settlePauseMs } from "./limits.ts";
import { type Environment, readPassword, readTls } from "./secret.ts";
import type { FoundTopic, WantedTopic } from "./topic-plan.ts";

// kafkajs's numbers in the Kafka protocol; its enums exist at run time, but tsc's isolated modules may not inline them.
const topicResource = 2;
const topicConfigSource = 1;

/** Offsets of one group in one topic and slot. */
export interface CommittedOffset {
  readonly topic: string;
  readonly slot: number;
  readonly offset: bigint;
}

/** Bounds of one topic and slot. */
export interface SlotEnd {
  readonly slot: number;
  readonly startOffset: bigint;
  readonly endOffset: bigint;
}

/**
 * Administration of a Kafka cluster. Every call ends within `operationMs`, with an OpenCdnError that says what was
 * being done: OCDN_DISCONNECTED, OCDN_TIMEOUT, OCDN_ACCESS or OCDN_KAFKA. The client's own log is silent.
 */
export class Cluster {
  readonly kafka: Kafka;
  readonly #admin: Admin;
  readonly #config: KafkaConfig;

  private constructor(config: KafkaConfig, options: KafkaJsConfig) {
    this.#config = config;
    this.kafka = new Kafka(options);
    this.#admin = this.kafka.admin();
  }

  /** Connects; `environment` is where a password's variable is looked up. */
  static async connect(config: KafkaConfig, environment: Environment): Promise<Cluster> {
    const cluster = new Cluster(config, await clientOptions(config, environment));
    try {
      await cluster.run("connecting to Kafka", () => cluster.#admin.connect());
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** Runs one bounded operation, again while a topic's leader is not known yet: then nothing was done. */
  async run<T>(doing: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    const { operationMs, brokers } = this.#config;
    const place = `${doing} (${brokers[0]}${brokers.length > 1 ? ", …" : ""})`;
    const late = (): OpenCdnError =>
      new OpenCdnError("OCDN_TIMEOUT", `${place}: no answer within ${operationMs} ms`);
    const untilMs = performance.now() + Math.min(settleMs, operationMs);
    for (;;) {
      try {
        return await within(work(this.#admin), operationMs, late);
      } catch (error) {
        if (!isLeaderless(error) || performance.now() > untilMs) throw kafkaError(place, error);
      }
      await pause(settlePauseMs);
    }
  }

  /** Names of all topics that this principal may see. */
  async topicNames(): Promise<Set<string>> {
    return new Set(await this.run("listing topics", (admin) => admin.listTopics()));
  }

  /** Those of `names` that exist, with their settings. */
  async topics(names: readonly string[]): Promise<FoundTopic[]> {
    const listed = await this.topicNames();
    const present = names.filter((name) => listed.has(name));
    if (present.length === 0) return [];
    const { topics } = await this.run("reading topics", (admin) =>
      admin.fetchTopicMetadata({ topics: [...present] }),
    );
    const configs = await this.#configsOf(present);
    return topics.map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.length,
      replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      ...(configs.get(name) ?? { config: {}, own: {} }),
    }));
  }

  async #configsOf(
    names: readonly string[],
  ): Promise<Map<string, Pick<FoundTopic, "config" | "own">>> {
    const { resources } = await this.run("reading the settings of topics", (admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: names.map((name) => ({ type: topicResource, name })),
      }),
    );
    return new Map(
      resources.map(({ resourceName, configEntries, errorCode, errorMessage }) => {
        if (errorCode !== 0)
          throw new OpenCdnError(
            "OCDN_KAFKA",
            `reading the settings of ${resourceName}: ${errorMessage}`,
          );
        const own = configEntries.filter(isOwn);
        return [resourceName, { config: valuesOf(configEntries), own: valuesOf(own) }];
      }),
    );
  }

  /** Makes topics. Those that exist already are left as they are. */
  async createTopics(topics: readonly WantedTopic[]): Promise<void> {
    if (topics.length === 0) return;
    const { requestMs } = this.#config;
    await this.run("making topics", (admin) =>
      admin.createTopics({
        waitForLeaders: true,
        timeout: requestMs,
        topics: topics.map(({ topic, partitions, replicationFactor, config }) => ({
          topic,
          numPartitions: partitions,
          replicationFactor,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        })),
      }),
    );
  }

  /** Replaces what is set on each topic: what is left out goes back to the broker's default. */
  async replaceSettings(settings: ReadonlyMap<string, Record<string, string>>): Promise<void> {
    if (settings.size === 0) return;
    await this.run("changing the settings of topics", (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [...settings].map(([name, entries]) => ({
          type: topicResource,
          name,
          configEntries: Object.entries(entries).map(([key, value]) => ({ name: key, value })),
        })),
      }),
    );
  }

  /** Consumer groups whose names begin with `prefix`, in order. Throws OCDN_LIMIT for more than 256. */
  async groups(prefix: string): Promise<string[]> {
    const { groups } = await this.run("listing groups", (admin) => admin.listGroups());
    const names = groups.map(({ groupId }) => groupId).filter((name) => name.startsWith(prefix));
    if (names.length > maxGroups)
      throw new OpenCdnError(
        "OCDN_LIMIT",
        `listing groups: ${names.length} begin with ${prefix}, more than ${maxGroups}; name one`,
      );
    return names.sort();
  }

  /** What a group committed; nothing for a group that does not exist. */
  async committed(group: string): Promise<CommittedOffset[]> {
    const topics = await this.run(`reading the offsets of ${group}`, (admin) =>
      admin.fetchOffsets({ groupId: group }),
    );
    return topics.flatMap(({ topic, partitions }) =>
      partitions
        .filter(({ offset }) => offset !== "-1")
        .map(({ partition, offset }) => ({ topic, slot: partition, offset: BigInt(offset) })),
    );
  }

  /** First and next offsets of each slot of a topic. */
  async ends(topic: string): Promise<SlotEnd[]> {
    const found = await this.run(`reading the ends of ${topic}`, (admin) =>
      admin.fetchTopicOffsets(topic),
    );
    return found
      .map(({ partition, low, high }) => ({
        slot: partition,
        startOffset: BigInt(low),
        endOffset: BigInt(high),
      }))
      .sort((a, b) => a.slot - b.slot);
  }

  /** Ends the connections; waits a little and never throws. */
  async close(): Promise<void> {
    const late = (): Error => new Error("late");
    await within(this.#admin.disconnect(), this.#config.connectMs, late).catch(() => undefined);
  }
}

function isOwn({ configSource }: ConfigEntries): boolean {
  return Number(configSource) === topicConfigSource;
}

function valuesOf(entries: readonly ConfigEntries[]): Record<string, string> {
  return Object.fromEntries(
    entries
      .filter(({ isSensitive, configValue }) => !isSensitive && configValue !== null)
      .map(({ configName, configValue }) => [configName, configValue]),
  );
}

async function clientOptions(
  config: KafkaConfig,
  environment: Environment,
): Promise<KafkaJsConfig> {
  const { brokers, clientId, sasl, tls, connectMs, requestMs, operationMs } = config;
  const password =
    sasl === undefined ? "" : await readPassword(sasl, "the Kafka principal", environment);
  return {
    brokers: [...brokers],
    clientId,
    connectionTimeout: connectMs,
    authenticationTimeout: connectMs,
    requestTimeout: requestMs,
    enforceRequestTimeout: true,
    retry: { retries: maxRequestRetries, initialRetryTime: 100, maxRetryTime: operationMs / 4 },
    // Its log tells what the thrown error tells again, with stacks and addresses.
    logLevel: logLevel.NOTHING,
    logCreator: () => () => undefined,
    ...(tls === undefined ? {} : { ssl: { ...(await readTls(tls)) } }),
    ...(sasl === undefined
      ? {}
      : {
          sasl: {
            mechanism: sasl.mechanism,
            username: sasl.username,
            password,
          } as SASLOptions,
        }),
  };
}
