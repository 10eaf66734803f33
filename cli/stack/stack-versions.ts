import { readFile } from "node:fs/promises";
import path from "node:path";
import { OpenCdnError } from "../../streams/errors.ts";

/** Versions of the servers; the poms under `docker/maven` are where they are chosen. */
export interface StackVersions {
  readonly kafka: string;
  readonly registry: string;
  readonly iceberg: string;
  readonly converter: string;
}

const properties = {
  kafka: "kafka.version",
  registry: "apicurio.version",
  iceberg: "iceberg.version",
  converter: "apicurio.converter.version",
} as const;

/** The versions that a pom names in its properties. Throws OCDN_CONFIG where one is missing or strange. */
export function versionsOf(pom: string): StackVersions {
  const one = (name: keyof typeof properties): string => {
    const property = properties[name];
    const found = new RegExp(`<${property.replaceAll(".", "\\.")}>([^<]*)<`).exec(pom)?.[1] ?? "";
    if (/^\d+(\.[A-Za-z0-9]+)+$/.test(found)) return found;
    throw new OpenCdnError("OCDN_CONFIG", `reading the pom of the stack: it has no ${property}`);
  };
  return {
    kafka: one("kafka"),
    registry: one("registry"),
    iceberg: one("iceberg"),
    converter: one("converter"),
  };
}

/** The versions of `docker/maven/pom.xml`. */
export async function readVersions(docker: string): Promise<StackVersions> {
  return versionsOf(await readFile(path.join(docker, "maven/pom.xml"), "utf8"));
}
