import path from "node:path";
import { checkHttp } from "./health.ts";
import { readEnvFile } from "./java-program.ts";
import { baseEnvironment } from "./program.ts";
import type { ServerPlan, StackSite } from "./server-plan.ts";

/** Apicurio Registry, which keeps its schemas in a topic of the broker and speaks the Confluent API. */
export async function planRegistry(site: StackSite): Promise<ServerPlan> {
  const { ports, versions } = site;
  const file = (name: string): Promise<Map<string, string>> =>
    readEnvFile(path.join(site.docker, "registry", name));
  return {
    name: "registry",
    version: versions.registry,
    port: ports.registry,
    program: "java",
    args: ["-jar", `apicurio-registry-app-${versions.registry}-runner.jar`],
    env: {
      ...baseEnvironment(),
      ...Object.fromEntries(await file("jvm.env")),
      ...Object.fromEntries(await file("registry.env")),
      APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: `127.0.0.1:${ports.kafka}`,
      QUARKUS_HTTP_HOST: "127.0.0.1",
      QUARKUS_HTTP_PORT: String(ports.registry),
    },
    cwd: path.join(site.dist, "registry"),
    prepare: async () => {},
    check: (withinMs) =>
      checkHttp(`http://127.0.0.1:${ports.registry}/apis/ccompat/v7/subjects`, withinMs),
  };
}
