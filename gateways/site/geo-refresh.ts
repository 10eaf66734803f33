import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, messageOf } from "../../streams/errors.ts";
import { type GeoCache, readGeoCache, writeGeoCache } from "./geo-cache.ts";
import { compileDatabases, type GeoFiles, type GeoSource, readDatabase } from "./geo-sources.ts";
import { MAX_COMPILE_MS, MAX_LOCK_WAIT_MS } from "./limits.ts";

/** A cache file and the databases that it should be made of. */
export interface GeoWork {
  readonly files: GeoFiles;
  readonly cacheFile: string;
}

/** What became of it: done, or the error's code and message, which a thread can send. */
export type GeoWorkResult =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

const LOCK_POLL_MS = 50;

/** `refreshGeoCache` for a thread of its own. */
export function runGeoWork({ files, cacheFile }: GeoWork): GeoWorkResult {
  try {
    refreshGeoCache(files, cacheFile);
    return { kind: "done" };
  } catch (error) {
    return { kind: "failed", code: codeOf(error), message: messageOf(error) };
  }
}

/** Whether a cached table is that of the databases as they lie on the disk, by size and time. */
export function isFresh(cache: GeoCache): boolean {
  return cache.sources.every((source) => {
    const info = statSync(source.file, { throwIfNoEntry: false });
    return info?.size === source.sizeBytes && info.mtimeMs === source.modifiedMs;
  });
}

/**
 * Makes the cache file that of the databases: does nothing when it is, keeps the table when only
 * the files' times changed, compiles otherwise. One process at a time; the others wait and find
 * the work done. Blocks for seconds: call it in a worker. Throws what `compileDatabases` throws.
 */
export function refreshGeoCache(files: GeoFiles, cacheFile: string): void {
  mkdirSync(dirname(cacheFile), { recursive: true });
  const release = lock(`${cacheFile}.lock`);
  try {
    const cache = readGeoCache(cacheFile);
    if (!("kind" in cache)) {
      if (isFresh(cache)) return;
      const sources = touched(cache.sources);
      if (sources !== undefined) {
        writeGeoCache(cacheFile, { arrays: cache.arrays, sources });
        return;
      }
    }
    writeGeoCache(cacheFile, compileDatabases(files));
  } finally {
    release();
  }
}

/** The sources with today's times when their contents are what they were. */
function touched(sources: readonly GeoSource[]): GeoSource[] | undefined {
  const now: GeoSource[] = [];
  for (const source of sources) {
    const info = statSync(source.file, { throwIfNoEntry: false });
    if (info?.size !== source.sizeBytes) return undefined;
    const { bytes, modifiedMs } = readDatabase(source.file);
    if (createHash("sha256").update(bytes).digest("hex") !== source.sha256) return undefined;
    now.push({ ...source, modifiedMs });
  }
  return now;
}

/** Takes a lock file, waiting for its owner; one that is dead or far too slow loses it. */
function lock(file: string): () => void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const endMs = Date.now() + MAX_LOCK_WAIT_MS;
  while (!take(file)) {
    if (isAbandoned(file)) rmSync(file, { force: true });
    else if (Date.now() > endMs) return () => undefined;
    else Atomics.wait(sleeper, 0, 0, LOCK_POLL_MS);
  }
  return () => rmSync(file, { force: true });
}

function take(file: string): boolean {
  try {
    const handle = openSync(file, "wx");
    writeSync(handle, String(process.pid));
    closeSync(handle);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function isAbandoned(file: string): boolean {
  const info = statSync(file, { throwIfNoEntry: false });
  if (info === undefined) return false;
  if (Date.now() - info.mtimeMs > MAX_COMPILE_MS) return true;
  const owner = Number(readOwner(file));
  if (!Number.isInteger(owner) || owner <= 0) return false;
  try {
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}

function readOwner(file: string): string {
  try {
    return readFileSync(file, "utf8").slice(0, 16);
  } catch {
    return "";
  }
}
