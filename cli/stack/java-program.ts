import { readFile } from "node:fs/promises";
import path from "node:path";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { parseEnvFile, wordsOf } from "./env-file.ts";

/** The variables of one of `docker/`'s env files. Throws OCDN_CONFIG. */
export async function readEnvFile(file: string): Promise<Map<string, string>> {
  try {
    return parseEnvFile(await readFile(file, "utf8"));
  } catch (error) {
    throw new OpenCdnError("OCDN_CONFIG", `reading ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** Arguments of `java` for one of Kafka's main classes, as Kafka's own scripts make them from the same variables. */
export async function kafkaJavaArgs(options: {
  readonly docker: string;
  readonly dist: string;
  readonly jvmFile: string;
  readonly main: readonly string[];
}): Promise<string[]> {
  const jvm = await readEnvFile(path.join(options.docker, options.jvmFile));
  return [
    ...wordsOf(jvm.get("KAFKA_HEAP_OPTS")),
    ...wordsOf(jvm.get("KAFKA_JVM_PERFORMANCE_OPTS")),
    `-Dlog4j2.configurationFile=${path.join(options.docker, "log4j2.properties")}`,
    "-cp",
    path.join(options.dist, "kafka", "*"),
    ...options.main,
  ];
}
