#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { codeOf, messageOf, OpenCdnError } from "../streams/errors.ts";
import type { Log } from "../streams/log.ts";
import { addSchemaCommands, addTopicCommands } from "./commands/topics-program.ts";
import { note, printJson } from "./output.ts";
import {
  packageFolder,
  places,
  readSettings,
  type Settings,
  type SettingsInput,
} from "./settings.ts";

interface GlobalOptions {
  readonly data?: string;
  readonly config?: string;
  readonly log?: string;
  readonly json?: boolean;
}

const version = (
  JSON.parse(readFileSync(path.join(packageFolder(), "package.json"), "utf8")) as {
    version: string;
  }
).version;

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is wanted.`);
    }
    return value;
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new InvalidArgumentError("a number above 0 is wanted.");
  return value;
}

const program = new Command("opencdn")
  .description(
    "Control plane of a content delivery network: decides which edge serves each client, and can say why.",
  )
  .version(version)
  .option("--data <folder>", "data folder (default: .opencdn, or OPENCDN_DATA)")
  .option("--config <file>", "settings (default: opencdn.yaml when it exists)")
  .showSuggestionAfterError()
  // Whatever was called wrongly is told at the end of this file, like every other error.
  .configureOutput({ outputError: () => {} })
  .exitOverride();

const logOption = (): Option =>
  new Option("--log <name>", "a log of its own in the data folder instead of the live one");
const jsonOption = (): Option =>
  new Option("--json", "for programs: one JSON value a line").default(false);

async function settingsOf(command: Command, more: SettingsInput = {}): Promise<Settings> {
  const { data, config } = command.optsWithGlobals<GlobalOptions>();
  return await readSettings(config, { ...more, data: data ?? process.env["OPENCDN_DATA"] });
}

const logName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

function folderOf(settings: Settings, name: string | undefined): string {
  if (name === undefined) return places(settings.data).log;
  if (!logName.test(name)) {
    throw new OpenCdnError(
      "OCDN_USAGE",
      "opening the log: a name has letters, digits, dot, dash and underscore",
    );
  }
  return places(settings.data).namedLog(name);
}

function existingFolder(settings: Settings, name: string | undefined): string {
  const folder = folderOf(settings, name);
  if (existsSync(folder)) return folder;
  throw new OpenCdnError(
    "OCDN_NOT_FOUND",
    name === undefined
      ? `opening the log: there is none in ${folder}; \`opencdn up\` makes one, or say --data`
      : `opening the log: there is none called ${name} in ${settings.data}; \`opencdn ingest\` makes one`,
  );
}

interface WithLogOptions {
  /** A log that does not exist is made, for historical input. */
  readonly create?: boolean;
}

/** Runs `work` on the log that the command names: through its owner, or directly where none lives. */
async function withLog(
  command: Command,
  work: (log: Log, settings: Settings) => Promise<void>,
  { create = false }: WithLogOptions = {},
): Promise<void> {
  const { openLog } = await import("../streams/embedded/direct-log.ts");
  const settings = await settingsOf(command);
  const { log: name } = command.optsWithGlobals<GlobalOptions>();
  const folder = create ? folderOf(settings, name) : existingFolder(settings, name);
  const log = await openLog({
    folder,
    name: "opencdn",
    nowMs: () => Date.now(),
    ...(create ? { slots: settings.slots, historical: name !== undefined } : {}),
  });
  try {
    await work(log, settings);
  } finally {
    await log.close();
  }
}

program
  .command("up")
  .description(
    "run everything on this machine: engine, gateway, probes, sinks and a demonstration fleet",
  )
  .option(
    "--port <port>",
    "port of the gateway; others follow it; 0: free ones",
    integer(0, 65_000),
  )
  .option("--fleet <file>", "fleet file to apply at start (default: the demonstration's)")
  .option("--no-nodes", "do not start demonstration nodes")
  .action(async (options: { port?: number; fleet?: string; nodes: boolean }, command: Command) => {
    const { up } = await import("./commands/up.ts");
    const { port, fleet } = options;
    const demonstration = options.nodes ? {} : { demonstration: { nodes: false } };
    await up(await settingsOf(command, { port, fleet, ...demonstration }));
  });

const ingest = program.command("ingest").description("read recorded measurements into a log");

ingest
  .command("mrt <files...>")
  .description("BGP messages and tables in MRT files (plain, gzip or bzip2)")
  .addOption(logOption())
  .option(
    "--log-id <id>",
    "with --log: identity of a new log; events get the same ids in each log of that id",
  )
  .option("--collector <name>", "first part of the peers' names", "mrt")
  .option("--rebase <when>", "`now`: play into the live log as if it happened from now on")
  .option("--speed <factor>", "with --rebase: how many times faster than recorded", positive, 1)
  .option("--print <format>", "`bgpdump`: print the lines of `bgpdump -m` instead; no log is used")
  .addOption(jsonOption())
  .action(
    async (
      files: string[],
      options: {
        log?: string;
        logId?: string;
        collector: string;
        rebase?: string;
        speed: number;
        print?: string;
        json: boolean;
      },
      command: Command,
    ) => {
      const { checkReadable, ingestMrt, printBgpdump } = await import("./commands/ingest.ts");
      await checkReadable(files);
      if (options.print !== undefined) {
        if (options.print !== "bgpdump")
          throw new OpenCdnError("OCDN_USAGE", "printing: the one format is bgpdump");
        await printBgpdump(files);
        return;
      }
      if (options.rebase !== undefined && options.rebase !== "now") {
        throw new OpenCdnError("OCDN_USAGE", "reading MRT files: --rebase takes the word now");
      }
      const speed = options.rebase === undefined ? undefined : options.speed;
      const { collector, json, log: name, logId } = options;
      const { withOwnLog } = await import("./own-log.ts");
      if (name === undefined) {
        if (logId !== undefined)
          throw new OpenCdnError("OCDN_USAGE", "reading MRT files: --log-id goes with --log NAME");
        await withLog(command, (log) => ingestMrt(log, files, { collector, speed, json }));
      } else {
        const settings = await settingsOf(command);
        const { ribProcessor } = await import("../processors/router/rib/processor.ts");
        const processors = [ribProcessor(settings.processors.rib)];
        const folder = folderOf(settings, name);
        await withOwnLog({ settings, folder, processors, logId }, (log) =>
          ingestMrt(log, files, { collector, speed, json }),
        );
      }
    },
  );

ingest
  .command("rtt <path>")
  .description(
    "matrices of round-trip times (folder or .tar.xz) as path samples of a log of its own",
  )
  .requiredOption("--log <name>", "name of the log")
  .option("--start <time>", "time of the first slice, ISO 8601", "2015-07-01T00:00:00Z")
  .option("--slice-seconds <seconds>", "distance of two slices", positive, 60)
  .option(
    "--split <seed>",
    "make 15 of the places nodes, chosen by this seed",
    integer(0, 2 ** 32 - 1),
  )
  .addOption(jsonOption())
  .action(
    async (
      file: string,
      options: { log: string; start: string; sliceSeconds: number; split?: number; json: boolean },
      command: Command,
    ) => {
      const { checkReadable, ingestRtt } = await import("./commands/ingest.ts");
      await checkReadable([file]);
      const startMs = Date.parse(options.start);
      if (!Number.isFinite(startMs))
        throw new OpenCdnError(
          "OCDN_USAGE",
          "reading RTT matrices: --start wants a time like 2015-07-01T00:00:00Z",
        );
      const { sliceSeconds, split, json } = options;
      const { withOwnLog } = await import("./own-log.ts");
      const settings = await settingsOf(command);
      const { routing } = await import("./topology.ts");
      const processors = routing(settings.processors);
      const folder = folderOf(settings, options.log);
      await withOwnLog({ settings, folder, processors }, (log) =>
        ingestRtt(log, file, { startMs, sliceSeconds, split, json }),
      );
    },
  );

const topics = program
  .command("topics")
  .description("what the log holds; with a subcommand, the topics of a Kafka cluster")
  .addOption(logOption())
  .addOption(jsonOption())
  .action(async (options: { json: boolean }, command: Command) => {
    const { listTopics } = await import("./commands/topics.ts");
    await withLog(command, (log) => listTopics(log, options));
  });
const words = { settingsOf, jsonOption, integer };
addTopicCommands(topics, words);
addSchemaCommands(program, words);

program
  .command("tail <topic>")
  .description("print records of a topic as they come")
  .addOption(logOption())
  .addOption(
    new Option("--from <where>", "where to begin")
      .choices(["latest", "earliest", "snapshot"])
      .default("latest"),
  )
  .option("--limit <count>", "end after so many records", integer(1, Number.MAX_SAFE_INTEGER))
  .option("--once", "end at the end of the log", false)
  .option("--key <key>", "only records of this key")
  .addOption(jsonOption())
  .action(
    async (
      topic: string,
      options: {
        from: "latest" | "earliest" | "snapshot";
        limit?: number;
        once: boolean;
        key?: string;
        json: boolean;
      },
      command: Command,
    ) => {
      const { tailTopic } = await import("./commands/tail.ts");
      const { topicByName } = await import("../streams/topics.ts");
      topicByName(topic);
      const { from, once, json } = options;
      await withLog(command, (log) =>
        tailTopic(log, topic, { from, once, json, limit: options.limit, key: options.key }),
      );
    },
  );

program
  .command("apply <file>")
  .description("make the log say what a fleet file says: shows the difference and asks")
  .option("--yes", "do not ask", false)
  .option("--dry-run", "only show the difference", false)
  .addOption(logOption())
  .addOption(jsonOption())
  .action(
    async (
      file: string,
      options: { yes: boolean; dryRun: boolean; json: boolean },
      command: Command,
    ) => {
      const { applyFleet } = await import("./commands/apply.ts");
      const { readFleet } = await import("./fleet.ts");
      const fleet = await readFleet(file);
      await withLog(command, (log) => applyFleet(log, fleet, options), { create: true });
    },
  );

program
  .command("route")
  .description("which node a client gets, and why")
  .requiredOption("--ip <address>", "address of the client")
  .option("--service <name>", "service; needed when there are several")
  .addOption(jsonOption())
  .action(async (options: { ip: string; service?: string; json: boolean }, command: Command) => {
    const { explainRoute } = await import("./commands/route.ts");
    await withLog(command, (log, settings) =>
      explainRoute(log, {
        ip: options.ip,
        service: options.service,
        json: options.json,
        data: settings.data,
      }),
    );
  });

const node = program.command("node").description("nodes of the fleet");

node
  .command("list")
  .description("processes of the running system")
  .addOption(jsonOption())
  .action(async (options: { json: boolean }, command: Command) => {
    const { listProcesses } = await import("./commands/node.ts");
    await listProcesses(await settingsOf(command), options);
  });

node
  .command("start <name>")
  .description("start a demonstration node that is down")
  .action(async (name: string, _options: object, command: Command) => {
    const { startNode } = await import("./commands/node.ts");
    await startNode(await settingsOf(command), name);
  });

for (const [word, draining] of [
  ["drain", true],
  ["undrain", false],
] as const) {
  node
    .command(`${word} <name>`)
    .description(draining ? "send no new clients to a node" : "end the drain of a node")
    .option("--reason <text>", "why", "by hand")
    .action(async (name: string, options: { reason: string }, command: Command) => {
      const { drainNode } = await import("./commands/node.ts");
      await withLog(command, (log) => drainNode(log, name, { draining, reason: options.reason }));
    });
}

const replay = program.command("replay").description("run what was recorded again");

replay
  .command("verify")
  .description("re-run the journal of every task and compare with the log, bit for bit")
  .addOption(logOption())
  .option("--processor <name>", "only this processor")
  .option("--slot <number>", "only this slot", integer(0, 1_023))
  .addOption(jsonOption())
  .action(
    async (options: { processor?: string; slot?: number; json: boolean }, command: Command) => {
      const { verifyFolder } = await import("./commands/replay.ts");
      const { topology } = await import("./topology.ts");
      const { openLog } = await import("../streams/embedded/direct-log.ts");
      const settings = await settingsOf(command);
      const folder = existingFolder(settings, command.optsWithGlobals<GlobalOptions>().log);
      const open = (): Promise<Log> =>
        openLog({ folder, name: "opencdn", nowMs: () => Date.now() });
      await verifyFolder(folder, open, topology(settings.processors), options);
    },
  );

const letters = program.command("dead-letters").description("records that could not be processed");

letters
  .command("list")
  .addOption(logOption())
  .addOption(jsonOption())
  .action(async (options: { json: boolean }, command: Command) => {
    const { listDeadLetters } = await import("./commands/dead-letters.ts");
    await withLog(command, (log) => listDeadLetters(log, options));
  });

letters
  .command("redrive [ids...]")
  .description("put them back on their topics, each exactly once; all of them without ids")
  .addOption(logOption())
  .addOption(jsonOption())
  .action(async (ids: string[], options: { json: boolean }, command: Command) => {
    const { redriveDeadLetters } = await import("./commands/dead-letters.ts");
    await withLog(command, (log) => redriveDeadLetters(log, ids, options));
  });

const stack = program
  .command("stack")
  .description("Kafka, schema registry, Connect and Redis on this machine, without Docker");

stack
  .command("up")
  .description("fetch the servers once, start what does not run, wait until all of it is well")
  .option("--only <servers>", "some of kafka, redis, registry, connect; with what they need")
  .option(
    "--cache <folder>",
    "where fetched servers are kept (default: ~/.cache/opencdn/stack, or OPENCDN_STACK_CACHE)",
  )
  .option("--kafka-port <port>", "0: a free one, as for the others", integer(0, 65_535))
  .option("--controller-port <port>", "port of Kafka's controller", integer(0, 65_535))
  .option("--registry-port <port>", "port of the schema registry", integer(0, 65_535))
  .option("--connect-port <port>", "port of Kafka Connect", integer(0, 65_535))
  .option("--redis-port <port>", "port of Redis", integer(0, 65_535))
  .addOption(jsonOption())
  .action(
    async (
      options: {
        only?: string;
        cache?: string;
        kafkaPort?: number;
        controllerPort?: number;
        registryPort?: number;
        connectPort?: number;
        redisPort?: number;
        json: boolean;
      },
      command: Command,
    ) => {
      const { startStack } = await import("./commands/stack.ts");
      const { data } = await settingsOf(command);
      const { only, cache, json } = options;
      const ports = {
        kafka: options.kafkaPort,
        controller: options.controllerPort,
        registry: options.registryPort,
        connect: options.connectPort,
        redis: options.redisPort,
      };
      await startStack({ data, only, cache, json, ports });
    },
  );

stack
  .command("down")
  .description("stop all of it")
  .addOption(jsonOption())
  .action(async (options: { json: boolean }, command: Command) => {
    const { stopStack } = await import("./commands/stack.ts");
    await stopStack({ data: (await settingsOf(command)).data, json: options.json });
  });

stack
  .command("status")
  .description("how each server is, with pid, port and log file")
  .addOption(jsonOption())
  .action(async (options: { json: boolean }, command: Command) => {
    const { showStack } = await import("./commands/stack.ts");
    await showStack({ data: (await settingsOf(command)).data, json: options.json });
  });

program
  .command("config")
  .description("print the settings in force, with what each one means")
  .addOption(jsonOption())
  .action(async (options: { json: boolean }, command: Command) => {
    const { printConfig } = await import("./commands/config.ts");
    printConfig(await settingsOf(command), options);
  });

/** Exit codes: 0 done, 1 failed, 2 called wrongly, 3 a replay differs. */
function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  if (code === "OCDN_USAGE" || code === "OCDN_CONFIG" || code === "OCDN_UNKNOWN_TOPIC") return 2;
  return code === "OCDN_REPLAY_DIVERGED" ? 3 : 1;
}

// The reader of our output went away (`| head`): there is nobody left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

/** Help and version were printed: there is nothing to tell. */
const shown = /^commander\.(help|helpDisplayed|version)$/;

/** What was called wrongly, as one sentence with the nearest right word. */
function usageError({ message }: CommanderError): OpenCdnError {
  const text = message
    .replace(/^error: /, "")
    .replace(/\s*\(Did you mean (.*)\?\)\s*$/, ", did you mean $1?")
    .replace(/\.$/, "")
    .replace(/\. ([A-Za-z])/g, (_, letter: string) => `: ${letter.toLowerCase()}`);
  const hint = text.endsWith("?") ? "" : "; `opencdn --help` shows what there is";
  return new OpenCdnError("OCDN_USAGE", `reading the command line: ${text}${hint}`);
}

try {
  await program.parseAsync();
} catch (caught) {
  if (caught instanceof CommanderError && shown.test(caught.code)) {
    process.exitCode = caught.exitCode === 0 ? 0 : 2;
  } else {
    const error = caught instanceof CommanderError ? usageError(caught) : caught;
    if (process.argv.includes("--json"))
      printJson({ error: { code: codeOf(error), message: messageOf(error) } });
    else
      note(
        `opencdn: ${messageOf(error)}${error instanceof OpenCdnError ? ` (${error.code})` : ""}`,
      );
    process.exitCode = exitCodeOf(error);
  }
}
