import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { identityOf } from "../../streams/process-identity.ts";
import { readVersions, type StackVersions } from "./stack-versions.ts";

const fetchMs = 15 * 60_000;
const progressMs = 2_000;
const maxOutput = 32_768;
const markerName = "provisioned.json";

export interface ProvisionOptions {
  /** Folder of the configuration files. */
  readonly docker: string;
  /** Cache folder; what is fetched lies in a folder of its own in it. */
  readonly cache: string;
  /** Bytes that lie there so far, and the time since the beginning. */
  readonly onProgress?: (sizeBytes: number, elapsedMs: number) => void;
  /** Told once, before anything is fetched. */
  readonly onFetch?: (folder: string) => void;
}

export interface Provisioned {
  /** `kafka/` with the broker's and Connect's jars, `plugins/` of Connect, `registry/`. */
  readonly dist: string;
  readonly versions: StackVersions;
}

/** What is there, written last: a folder without it, or that holds less, is not whole. */
interface Marker {
  readonly versions: StackVersions;
  readonly poms: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/**
 * Makes sure that the servers of the poms lie in the cache, and says where. Fetches with Maven where they do not: into a
 * folder beside, renamed when whole, so that any number of processes may do so at once. Throws OCDN_NOT_FOUND when Maven
 * fails, OCDN_TIMEOUT when it takes too long.
 */
export async function provision(options: ProvisionOptions): Promise<Provisioned> {
  const source = path.join(options.docker, "maven");
  const { dist, versions, poms } = await placeOf(options);
  if (await isWhole(dist, poms)) return { dist, versions };
  await mkdir(options.cache, { recursive: true, mode: 0o700 });
  await removeAbandoned(options.cache);
  options.onFetch?.(dist);
  const part = path.join(
    options.cache,
    `part.${process.pid}.${identityOf(process.pid)?.startTicks ?? 0}`,
  );
  try {
    await rm(part, { recursive: true, force: true });
    // Maven writes beside its poms, so it gets poms of its own.
    await cp(source, path.join(part, "maven"), { recursive: true });
    await fetchWithMaven(part, options.onProgress);
    const { files, sizeBytes } = await measure(path.join(part, "dist"));
    const marker: Marker = { versions, poms, files, sizeBytes };
    await writeFile(path.join(part, "dist", markerName), JSON.stringify(marker));
    if (await isWhole(dist, poms)) return { dist, versions };
    await rm(dist, { recursive: true, force: true });
    await rename(path.join(part, "dist"), dist).catch(async (error: unknown) => {
      // Another process was faster.
      if (!(await isWhole(dist, poms))) throw error;
    });
    return { dist, versions };
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

/** Whether everything lies in the cache already, so that Maven is not needed. */
export async function isProvisioned(
  options: Pick<ProvisionOptions, "docker" | "cache">,
): Promise<boolean> {
  const { dist, poms } = await placeOf(options);
  return await isWhole(dist, poms);
}

async function placeOf({
  docker,
  cache,
}: Pick<ProvisionOptions, "docker" | "cache">): Promise<Provisioned & { readonly poms: string }> {
  const versions = await readVersions(docker);
  const poms = await hashOf(path.join(docker, "maven"));
  return { dist: path.join(cache, `${versions.kafka}-${poms.slice(0, 12)}`), versions, poms };
}

/** Whether the folder holds everything that these poms ask for. */
export async function isWhole(dist: string, poms: string): Promise<boolean> {
  try {
    const marker = JSON.parse(await readFile(path.join(dist, markerName), "utf8")) as Marker;
    if (marker.poms !== poms) return false;
    const { files, sizeBytes } = await measure(dist);
    return marker.files === files && marker.sizeBytes === sizeBytes;
  } catch {
    return false;
  }
}

/** Hash of the names and the contents of all files of a folder. */
export async function hashOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await filesOf(folder)).sort()) {
    const content = await readFile(path.join(folder, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name !== markerName)
    .map((entry) => path.relative(folder, path.join(entry.path, entry.name)));
}

async function measure(folder: string): Promise<{ files: number; sizeBytes: number }> {
  const files = await filesOf(folder);
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(path.join(folder, file))).size),
  );
  return { files: files.length, sizeBytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Folders of processes that died while they fetched. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const owner = /^part\.(\d+)\.(\d+)$/.exec(name);
    if (owner === null) continue;
    if (identityOf(Number(owner[1]))?.startTicks === Number(owner[2])) continue;
    // A Maven that outlived its process may still write there: then it goes the next time.
    await rm(path.join(cache, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

async function fetchWithMaven(
  folder: string,
  onProgress: ProvisionOptions["onProgress"],
): Promise<void> {
  const beganMs = Date.now();
  const dist = path.join(folder, "dist");
  const timer = setInterval(() => {
    const told = measure(dist).catch(() => undefined);
    void told.then((size) => onProgress?.(size?.sizeBytes ?? 0, Date.now() - beganMs));
  }, progressMs);
  try {
    await runMaven(["-B", "-ntp", "-q", "package", `-Ddist=${dist}`], path.join(folder, "maven"));
  } finally {
    clearInterval(timer);
  }
}

function runMaven(args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("mvn", args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (part: string): void => {
      output = (output + part).slice(-maxOutput);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    const timer = setTimeout(() => child.kill("SIGKILL"), fetchMs);
    const fail = (reason: string, cause?: unknown): void => {
      const late = Date.now() >= endMs;
      const code = late ? "OCDN_TIMEOUT" : "OCDN_NOT_FOUND";
      const why = late ? `Maven was not done after ${fetchMs / 60_000} minutes` : reason;
      reject(new OpenCdnError(code, `fetching the servers: ${why}`, { cause }));
    };
    const endMs = Date.now() + fetchMs;
    child.on("error", (error) => {
      clearTimeout(timer);
      fail(messageOf(error), error);
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      if (status === 0) resolve();
      else fail(`Maven failed: ${mavenError(output)}`);
    });
  });
}

/** The line of Maven's output that says what went wrong. */
export function mavenError(output: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Maven colours its lines.
  const plain = output.replace(/\u001b\[[0-9;]*m/g, "");
  const line = plain.split("\n").find((one) => one.startsWith("[ERROR] ") && one.length > 12);
  return (line?.slice(8) ?? plain.trim().split("\n").at(-1) ?? "").slice(0, 600);
}
