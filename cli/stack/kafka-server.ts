import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { checkKafka } from "./health.ts";
import { kafkaJavaArgs } from "./java-program.ts";
import { baseEnvironment } from "./program.ts";
import { type ServerPlan, type StackPorts, type StackSite, stackPlaces } from "./server-plan.ts";

const formatMs = 60_000;

/** What `docker/kafka/server.properties` takes from the environment, for a broker on loopback. */
export function kafkaEnvironment(ports: StackPorts, data: string): Record<string, string> {
  const controller = `127.0.0.1:${ports.controller}`;
  const listeners = `PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://${controller}`;
  return {
    OPENCDN_KAFKA_CONTROLLER: controller,
    OPENCDN_KAFKA_LISTENERS: listeners,
    OPENCDN_KAFKA_ADVERTISED: listeners,
    OPENCDN_KAFKA_DATA: data,
  };
}

/** One broker that is its own controller. */
export async function planKafka(site: StackSite): Promise<ServerPlan> {
  const properties = path.join(site.docker, "kafka/server.properties");
  const data = stackPlaces(site.data).of("kafka");
  const java = (...main: string[]): Promise<string[]> =>
    kafkaJavaArgs({ docker: site.docker, dist: site.dist, jvmFile: "kafka/jvm.env", main });
  const env = (folder: string): Record<string, string> => ({
    ...baseEnvironment(),
    ...kafkaEnvironment(site.ports, folder),
  });
  const main = "kafka.tools.StorageTool";
  const format = await java(main, "format", "--standalone", "-t", clusterId(), "-c", properties);
  return {
    name: "kafka",
    version: site.versions.kafka,
    port: site.ports.kafka,
    program: "java",
    args: await java("kafka.Kafka", properties),
    env: env(data),
    cwd: site.dist,
    prepare: () => formatStorage(data, format, env),
    check: (withinMs) => checkKafka(site.ports.kafka, withinMs),
  };
}

/** 16 random bytes as Kafka writes them; one that begins with a dash would be taken for an option. */
export function clusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}

/** Formats beside the data and renames, so that a format that was cut off is never taken for a whole one. */
async function formatStorage(
  data: string,
  args: readonly string[],
  env: (folder: string) => Record<string, string>,
): Promise<void> {
  if (existsSync(data)) return;
  const part = `${data}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(path.dirname(data), { recursive: true, mode: 0o700 });
  try {
    await promisify(execFile)("java", args, { env: env(part), timeout: formatMs });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? messageOf(error);
    const last = said.trimEnd().split("\n").at(-1) ?? "";
    throw new OpenCdnError("OCDN_STORAGE", `formatting Kafka's storage: ${last.slice(0, 500)}`, {
      cause: error,
    });
  }
  await rename(part, data);
}
