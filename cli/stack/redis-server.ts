import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { checkRedis } from "./health.ts";
import { baseEnvironment } from "./program.ts";
import { type ServerPlan, type StackSite, stackPlaces } from "./server-plan.ts";

const versionMs = 10_000;

/** The system's own Redis, with `docker/redis/redis.conf`. */
export async function planRedis(site: StackSite): Promise<ServerPlan> {
  const folder = stackPlaces(site.data).of("redis");
  const port = site.ports.redis;
  const env = baseEnvironment();
  const file = path.join(site.docker, "redis/redis.conf");
  return {
    name: "redis",
    version: await installedVersion(env),
    port,
    program: "redis-server",
    args: [file, "--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
    env,
    cwd: site.data,
    prepare: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
    },
    check: (withinMs) => checkRedis(port, withinMs),
  };
}

async function installedVersion(env: Readonly<Record<string, string>>): Promise<string> {
  const options = { env, timeout: versionMs };
  const { stdout } = await promisify(execFile)("redis-server", ["--version"], options);
  return /\bv=(\d+(\.\d+)*)/.exec(stdout)?.[1] ?? "unknown";
}
