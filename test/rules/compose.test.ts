import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { connectEnvironment, planConnect } from "../../cli/stack/connect-server.ts";
import { kafkaEnvironment, planKafka } from "../../cli/stack/kafka-server.ts";
import { defaultPorts } from "../../cli/stack/ports.ts";
import { planRegistry } from "../../cli/stack/registry-server.ts";
import type { ServerPlan, StackSite } from "../../cli/stack/server-plan.ts";
import { readVersions } from "../../cli/stack/stack-versions.ts";
import { Metrics } from "../../sinks/metrics/metrics.ts";

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile?: string };
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly env_file?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly mem_limit?: string;
  readonly healthcheck?: Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

const docker = path.resolve(import.meta.dirname, "../../docker");
const read = (name: string): string => readFileSync(path.join(docker, name), "utf8");
const compose = parse(read("compose.yml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const service = (name: string): Service => compose.services[name] as Service;

/** Files of this folder that a service sees, with where it sees them. */
function mounts({ volumes = [] }: Service): Map<string, string> {
  return new Map(
    volumes
      .map((volume) => volume.split(":"))
      .filter(([source = ""]) => source.startsWith("."))
      .map(([source = "", target = ""]) => [path.normalize(source), target] as const),
  );
}

/** The lines `FROM` of a Dockerfile and the images that compose names. */
function images(): string[] {
  const built = services.flatMap(([, { build }]) => {
    if (build === undefined) return [];
    const file = path.join(docker, build.context, build.dockerfile ?? "Dockerfile");
    return [...readFileSync(file, "utf8").matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  });
  return [...services.map(([, { image }]) => image), ...built].filter(
    (image): image is string => image !== undefined,
  );
}

const site = async (): Promise<StackSite> => ({
  docker,
  dist: "/dist",
  data: "/data",
  ports: defaultPorts,
  versions: await readVersions(docker),
});

describe("the compose file", () => {
  it("has every server of the stack, and what watches it", () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      ["kafka", "registry", "connect", "redis", "gobgp", "opencdn", "prometheus", "grafana"].sort(),
    );
  });

  it("names a version of every image, and those of `opencdn stack`", async () => {
    for (const image of images())
      expect(image).toMatch(/^[a-z0-9/-]+:(?!latest)[a-z]*v?\d|^debian:bookworm-slim$/);
    const versions = await readVersions(docker);
    expect(service("kafka").image).toBe(`apache/kafka:${versions.kafka}`);
    expect(service("registry").image).toBe(`apicurio/apicurio-registry:${versions.registry}`);
    expect(read("connect/Dockerfile")).toContain(`\nFROM apache/kafka:${versions.kafka}\n`);
    // Debian 12's, which `opencdn stack` starts.
    expect(service("redis").image).toBe("redis:7.0.15");
    expect(read("gobgp/Dockerfile").match(/@v[\d.]+/g)).toEqual(["@v4.8.0", "@v4.8.0"]);
  });

  it("publishes ports on loopback only, the ones of `opencdn stack`", () => {
    const published = services.flatMap(([, { ports = [] }]) => ports);
    expect(published.filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port))).toEqual([]);
    const outer = (name: string): number => Number(service(name).ports?.[0]?.split(":")[1]);
    const { kafka, registry, connect, redis } = defaultPorts;
    expect(["kafka", "registry", "connect", "redis"].map(outer)).toEqual([
      kafka,
      registry,
      connect,
      redis,
    ]);
  });

  it("tells what shares the host's network to listen on loopback", () => {
    const shared = services.filter(([, { network_mode }]) => network_mode !== undefined);
    expect(shared.map(([name]) => name).sort()).toEqual(["grafana", "opencdn", "prometheus"]);
    expect(service("prometheus").command).toContain("--web.listen-address=127.0.0.1:9090");
    expect(service("grafana").environment).toMatchObject({ GF_SERVER_HTTP_ADDR: "127.0.0.1" });
    // What `up` starts listens on loopback unless settings say otherwise, and the image has none.
    expect(service("opencdn").environment).toBeUndefined();
    expect(read("Dockerfile")).not.toMatch(/opencdn\.yaml|--config/);
  });

  it.each(services)("bounds and watches %s", (_, one) => {
    expect(one.mem_limit).toMatch(/^\d+[mg]$/);
    expect(one.healthcheck).toMatchObject({ test: expect.anything(), retries: 6 });
    expect(one).toMatchObject({
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      pids_limit: expect.any(Number),
      logging: { options: { "max-size": "10m" } },
    });
    for (const name of Object.keys(one.depends_on ?? {})) expect(service(name)).toBeDefined();
  });

  it.each(services)("mounts files of %s that exist, and volumes that are declared", (_, one) => {
    for (const file of mounts(one).keys()) expect(existsSync(path.join(docker, file))).toBe(true);
    for (const file of one.env_file ?? []) expect(existsSync(path.join(docker, file))).toBe(true);
    for (const volume of one.volumes ?? []) {
      const [source = "", , mode] = volume.split(":");
      if (source.startsWith(".")) expect(mode).toBe("ro");
      else expect(compose.volumes).toHaveProperty(source);
    }
    const dockerfile = one.build?.dockerfile ?? "Dockerfile";
    if (one.build !== undefined) {
      expect(existsSync(path.join(docker, one.build.context, dockerfile))).toBe(true);
    }
  });
});

describe("compose and `opencdn stack`", () => {
  it.each([
    ["kafka", planKafka, "kafka/server.properties", kafkaEnvironment(defaultPorts, "/data")],
    ["connect", planConnect, "connect/connect.properties", connectEnvironment(defaultPorts)],
  ] as const)("start %s with the same files and variables", async (name, plan, file, variables) => {
    const { args }: ServerPlan = await plan(await site());
    const mounted = mounts(service(name));
    expect([...mounted.keys()].sort()).toEqual([file, "log4j2.properties"].sort());
    expect(args).toContain(path.join(docker, file));
    expect(args).toContain(`-Dlog4j2.configurationFile=${path.join(docker, "log4j2.properties")}`);
    const environment = service(name).environment ?? {};
    expect(environment["KAFKA_LOG4J_OPTS"]).toBe(
      `-Dlog4j2.configurationFile=${mounted.get("log4j2.properties")}`,
    );
    expect(service(name).command?.join("\n")).toContain(mounted.get(file));
    const own = Object.keys(environment).filter((key) => key.startsWith("OPENCDN_"));
    expect(own.sort()).toEqual(Object.keys(variables).sort());
    expect(service(name).env_file).toEqual([`${name}/jvm.env`]);
    const heap = /^KAFKA_HEAP_OPTS=(.*)$/m.exec(read(`${name}/jvm.env`))?.[1]?.split(" ") ?? [];
    expect(args.slice(0, heap.length)).toEqual(heap);
  });

  it("start the registry with the same files and variables", async () => {
    const { env } = await planRegistry(await site());
    const { env_file, environment } = service("registry");
    expect(env_file).toEqual(["registry/jvm.env", "registry/registry.env"]);
    const lines = (env_file ?? []).flatMap((file) => read(file).match(/^[A-Z_]+=.*$/gm) ?? []);
    for (const line of lines)
      expect(`${line.split("=")[0]}=${env[line.split("=")[0] ?? ""]}`).toBe(line);
    for (const key of Object.keys(environment ?? {})) expect(env).toHaveProperty(key);
  });

  it("start Redis with the same file", () => {
    const mounted = mounts(service("redis"));
    expect([...mounted.keys()]).toEqual(["redis/redis.conf"]);
    expect(service("redis").command?.[0]).toBe(mounted.get("redis/redis.conf"));
    expect(read("redis/redis.conf")).not.toMatch(/^(bind|port|dir) /m);
  });

  it("give a JVM less memory for its heap than the container has", () => {
    for (const name of ["kafka", "registry", "connect"]) {
      const heap = Number(/-Xmx(\d+)m/.exec(read(`${name}/jvm.env`))?.[1]);
      const limit = service(name).mem_limit ?? "";
      const megabytes = Number.parseInt(limit, 10) * (limit.endsWith("g") ? 1_024 : 1);
      expect(heap + 256).toBeLessThan(megabytes);
    }
  });
});

describe("Prometheus and Grafana", () => {
  const dashboards = readdirSync(path.join(docker, "grafana/dashboards"));

  it("scrape the metrics port of `opencdn up`", () => {
    const config = parse(read("prometheus/prometheus.yml")) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    const job = config.scrape_configs.find(({ job_name }) => job_name === "opencdn");
    expect(job?.static_configs[0]?.targets).toEqual(["127.0.0.1:8082"]);
  });

  it.each(dashboards)("show only metrics that exist: %s", (name) => {
    const { registry } = new Metrics({ info: {}, nowMs: () => 0 });
    const known = new Set(registry.getMetricsAsArray().map((metric) => metric.name));
    const dashboard = JSON.parse(read(`grafana/dashboards/${name}`)) as {
      panels: { targets: { expr: string }[]; datasource: { uid: string } }[];
    };
    const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const used = expressions.flatMap((expr) => expr.match(/opencdn_[a-z_]+/g) ?? []);
    expect(used.length).toBeGreaterThanOrEqual(dashboard.panels.length);
    expect(used.filter((metric) => !known.has(metric))).toEqual([]);
    const source = parse(read("grafana/provisioning/datasources/prometheus.yml")) as {
      datasources: { uid: string }[];
    };
    for (const panel of dashboard.panels) {
      expect(panel.datasource.uid).toBe(source.datasources[0]?.uid);
    }
  });

  it("read dashboards from where they are mounted", () => {
    const mounted = mounts(service("grafana"));
    const provider = parse(read("grafana/provisioning/dashboards/opencdn.yml")) as {
      providers: { options: { path: string } }[];
    };
    expect(provider.providers[0]?.options.path).toBe(mounted.get("grafana/dashboards"));
    expect(service("grafana").environment?.["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).toBe(
      `${mounted.get("grafana/dashboards")}/opencdn.json`,
    );
  });
});
