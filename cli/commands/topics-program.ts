import { type Command, Option } from "commander";
import type { Settings } from "../settings.ts";
import type { SchemasOptions } from "./schemas.ts";
import type { ClusterOptions, TopicsOptions } from "./topics-cluster.ts";

interface Words {
  readonly settingsOf: (command: Command) => Promise<Settings>;
  readonly jsonOption: () => Option;
  readonly integer: (least: number, most: number) => (text: string) => number;
}

const kafkaOption = (): Option =>
  new Option("--kafka <brokers>", "brokers, HOST:PORT with commas (default: kafka.brokers)");

/** Adds `apply`, `check` and `lag` below `opencdn topics`; the modules that do the work are loaded when they run. */
export function addTopicCommands(topics: Command, words: Words): void {
  const { settingsOf, jsonOption, integer } = words;
  const cluster = (name: string, description: string): Command =>
    topics
      .command(name)
      .description(description)
      .addOption(kafkaOption())
      .option("--slots <count>", "slots of the log", integer(1, 1_024))
      .option("--log-id <id>", "identity of the log, for one that is carried over")
      .option("--replication-factor <count>", "copies of each topic", integer(1, 15))
      .option("--acls", "permissions of the roles too", false)
      .addOption(jsonOption());
  cluster("apply", "make a Kafka cluster hold this log: shows the difference and asks")
    .option("--yes", "do not ask", false)
    .option("--dry-run", "only show the difference", false)
    .action(async (_options: object, command: Command) => {
      const { applyClusterTopics } = await import("./topics-cluster.ts");
      type Options = TopicsOptions & { readonly yes: boolean; readonly dryRun: boolean };
      await applyClusterTopics(await settingsOf(command), command.optsWithGlobals<Options>());
    });
  cluster("check", "whether a Kafka cluster is as this program wants it").action(
    async (_options: object, command: Command) => {
      const { checkClusterTopics } = await import("./topics-cluster.ts");
      await checkClusterTopics(await settingsOf(command), command.optsWithGlobals<TopicsOptions>());
    },
  );
  topics
    .command("lag")
    .description("how far the groups of the roles are behind on a Kafka cluster")
    .addOption(kafkaOption())
    .option("--group <name>", "only this group")
    .addOption(jsonOption())
    .action(async (_options: object, command: Command) => {
      const { showLag } = await import("./topics-cluster.ts");
      type Options = ClusterOptions & { readonly group?: string };
      await showLag(await settingsOf(command), command.optsWithGlobals<Options>());
    });
}

/** Adds `opencdn schemas apply` and `check`. */
export function addSchemaCommands(program: Command, { settingsOf, jsonOption }: Words): void {
  const schemas = program.command("schemas").description("schemas in a registry");
  const registryOption = (): Option =>
    new Option("--registry <url>", "root of Confluent's API (default: registry.url)");
  schemas
    .command("apply")
    .description("register the schemas of this program; refuses an incompatible one first")
    .addOption(registryOption())
    .addOption(jsonOption())
    .action(async (options: SchemasOptions, command: Command) => {
      const { applyRegistrySchemas } = await import("./schemas.ts");
      await applyRegistrySchemas(await settingsOf(command), options);
    });
  schemas
    .command("check")
    .description("whether a registry has the schemas of this program")
    .addOption(registryOption())
    .addOption(jsonOption())
    .action(async (options: SchemasOptions, command: Command) => {
      const { checkRegistrySchemas } = await import("./schemas.ts");
      await checkRegistrySchemas(await settingsOf(command), options);
    });
}
