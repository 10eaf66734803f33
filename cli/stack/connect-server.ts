import path from "node:path";
import { checkHttp } from "./health.ts";
import { kafkaJavaArgs } from "./java-program.ts";
import { baseEnvironment } from "./program.ts";
import type { ServerPlan, StackPorts, StackSite } from "./server-plan.ts";

/** What `docker/connect/connect.properties` takes from the environment, for a worker on loopback. */
export function connectEnvironment(ports: StackPorts): Record<string, string> {
  return {
    OPENCDN_CONNECT_BOOTSTRAP: `127.0.0.1:${ports.kafka}`,
    OPENCDN_CONNECT_LISTENERS: `http://127.0.0.1:${ports.connect}`,
    OPENCDN_CONNECT_HOST: "127.0.0.1",
  };
}

/** A distributed Connect worker with the Iceberg sink and the Avro converter. */
export async function planConnect(site: StackSite): Promise<ServerPlan> {
  const { docker, dist, ports } = site;
  const properties = path.join(docker, "connect/connect.properties");
  const main = ["org.apache.kafka.connect.cli.ConnectDistributed", properties];
  return {
    name: "connect",
    version: site.versions.kafka,
    port: ports.connect,
    program: "java",
    args: await kafkaJavaArgs({ docker, dist, jvmFile: "connect/jvm.env", main }),
    env: { ...baseEnvironment(), ...connectEnvironment(ports) },
    // The plug-in path of the properties begins here.
    cwd: dist,
    prepare: async () => {},
    check: (withinMs) => checkHttp(`http://127.0.0.1:${ports.connect}/connectors`, withinMs),
  };
}
