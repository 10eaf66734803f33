import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { GeoTable } from "../../domain/geo-table.ts";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { FileWatch } from "./file-watch.ts";
import { type GeoCache, geoCacheFile, readGeoCache } from "./geo-cache.ts";
import { type GeoWork, type GeoWorkResult, isFresh } from "./geo-refresh.ts";
import type { GeoFiles, GeoSource } from "./geo-sources.ts";
import { MAX_COMPILE_MS } from "./limits.ts";

/** Which databases to use, where to keep the compiled table and how often to look for new ones. */
export interface GeoOptions extends GeoFiles {
  readonly cacheFolder: string;
  /** Where a table may already lie, made when the program was installed; only read. */
  readonly seedFolder?: string | undefined;
  readonly reloadPollMs: number;
  readonly onEvent?: (event: GeoEvent) => void;
  /** Does the work somewhere; by default in a thread of its own. */
  readonly runWork?: (work: GeoWork) => Promise<GeoWorkResult>;
}

/** What it takes to make the cache. */
export type GeoCompileOptions = Pick<
  GeoOptions,
  "cityDatabases" | "asnDatabases" | "cacheFolder" | "seedFolder" | "runWork"
>;

/** What a geo handle has to tell. */
export type GeoEvent =
  | {
      readonly kind: "geo.loaded";
      readonly hash: string;
      readonly ranges: number;
      readonly cells: number;
      readonly tookMs: number;
    }
  | { readonly kind: "geo.failed"; readonly error: OpenCdnError };

/** The geo table of a site, and what it was made of. */
export class GeoHandle {
  readonly #options: GeoOptions;
  readonly #cacheFile: string;
  readonly #onSwap = new Set<(table: GeoTable) => void>();
  #table: GeoTable;
  #sources: readonly GeoSource[];
  #problem: OpenCdnError | undefined;
  #watch: FileWatch | undefined;

  constructor(options: GeoOptions, cache: GeoCache, problem: OpenCdnError | undefined) {
    this.#options = options;
    this.#cacheFile = geoCacheFile(options.cacheFolder, options);
    this.#table = new GeoTable(cache.arrays, cache.hash);
    this.#sources = cache.sources;
    this.#problem = problem;
  }

  /** The table in use. Take it once for each request: a reload replaces it between two. */
  get table(): GeoTable {
    return this.#table;
  }

  /** The databases that the table was compiled from. */
  get sources(): readonly GeoSource[] {
    return this.#sources;
  }

  /** Why the table is not that of the files on the disk: the last good one is in use. */
  get problem(): OpenCdnError | undefined {
    return this.#problem;
  }

  /** Calls the listener with every later table, after it is in use. */
  onSwap(listener: (table: GeoTable) => void): void {
    this.#onSwap.add(listener);
  }

  /** Takes over the databases as they are now; on failure the table stays and `problem` says why. */
  async reload(): Promise<void> {
    const began = performance.now();
    try {
      const cache = await freshCache(this.#options, this.#cacheFile);
      this.#problem = undefined;
      if (cache.hash === this.#table.hash) return;
      this.#table = new GeoTable(cache.arrays, cache.hash);
      this.#sources = cache.sources;
      this.#options.onEvent?.(loadedEvent(this.#table, began));
      for (const listener of this.#onSwap) listener(this.#table);
    } catch (error) {
      this.#problem = geoError(error);
      this.#options.onEvent?.({ kind: "geo.failed", error: this.#problem });
    }
  }

  /** Looks for new databases from now on. */
  async watch(): Promise<void> {
    const { cityDatabases, asnDatabases, reloadPollMs } = this.#options;
    const files = [...cityDatabases, ...asnDatabases];
    this.#watch ??= await FileWatch.start({
      files,
      pollMs: reloadPollMs,
      onChange: () => this.reload(),
    });
  }

  close(): void {
    this.#watch?.close();
  }
}

/**
 * Opens the geo table of a site: from the cache when that is the table of the databases, else
 * compiled in a worker. Where the databases cannot be used but an older table of them is cached,
 * that one is served and `problem` says why. Throws `OCDN_GEO`, naming file and cause, when there
 * is neither. Watches the databases until `close`.
 */
export async function openGeo(options: GeoOptions): Promise<GeoHandle> {
  const began = performance.now();
  const cacheFile = geoCacheFile(options.cacheFolder, options);
  const handle = await openHandle(options, cacheFile);
  options.onEvent?.(loadedEvent(handle.table, began));
  if (handle.problem !== undefined)
    options.onEvent?.({ kind: "geo.failed", error: handle.problem });
  await handle.watch();
  return handle;
}

async function openHandle(options: GeoOptions, cacheFile: string): Promise<GeoHandle> {
  try {
    return new GeoHandle(options, await freshCache(options, cacheFile), undefined);
  } catch (error) {
    const lastGood = readGeoCache(cacheFile);
    if ("kind" in lastGood) throw geoError(error);
    return new GeoHandle(options, lastGood, geoError(error));
  }
}

function loadedEvent(table: GeoTable, began: number): GeoEvent {
  const tookMs = performance.now() - began;
  return {
    kind: "geo.loaded",
    hash: table.hash,
    ranges: table.rangeCount,
    cells: table.cellCount,
    tookMs,
  };
}

function geoError(error: unknown): OpenCdnError {
  if (error instanceof OpenCdnError) return error;
  const text = `compiling the geo table: ${messageOf(error)}`;
  return new OpenCdnError("OCDN_GEO", text, { cause: error });
}

/** Makes the cache that of the databases, so that a later `openGeo` only reads it. */
export async function prepareGeo(options: GeoCompileOptions): Promise<void> {
  await freshCache(options, geoCacheFile(options.cacheFolder, options));
}

async function freshCache(options: GeoCompileOptions, cacheFile: string): Promise<GeoCache> {
  const { cityDatabases, asnDatabases, seedFolder, runWork = runInWorker } = options;
  for (const folder of [options.cacheFolder, seedFolder]) {
    if (folder === undefined) continue;
    const cached = readGeoCache(geoCacheFile(folder, options));
    if (!("kind" in cached) && isFresh(cached)) return cached;
  }
  const result = await runWork({ files: { cityDatabases, asnDatabases }, cacheFile });
  if (result.kind === "failed") throw failedWork(result);
  const made = readGeoCache(cacheFile);
  if (!("kind" in made)) return made;
  throw new OpenCdnError("OCDN_GEO", `loading the compiled geo table: ${made.message}`);
}

/** Seconds of work may not stop a gateway's requests. */
async function runInWorker(work: GeoWork): Promise<GeoWorkResult> {
  const worker = startWorker(work);
  const timer = setTimeout(() => void worker.terminate(), MAX_COMPILE_MS);
  try {
    return await new Promise<GeoWorkResult>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => reject(new Error("the thread ended without an answer")));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function failedWork({ code, message }: { code: string; message: string }): OpenCdnError {
  const text = code === "OCDN_GEO" ? message : `compiling the geo table: ${message}`;
  return new OpenCdnError("OCDN_GEO", text);
}

function startWorker(work: GeoWork): Worker {
  const fromSource = import.meta.url.endsWith(".ts");
  const url = new URL(fromSource ? "./geo-worker.ts" : "./geo-worker.js", import.meta.url);
  if (!fromSource) return new Worker(url, { workerData: work });
  // Node 20 runs no TypeScript: from sources, in tests and benches, tsx translates.
  const api = createRequire(import.meta.url).resolve("tsx/esm/api");
  const tsx = pathToFileURL(api.replace(/\.cjs$/, ".mjs")).href;
  const code = `import(${JSON.stringify(tsx)}).then((tsx) => (tsx.register(), import(${JSON.stringify(url.href)})))`;
  return new Worker(code, { workerData: work, eval: true });
}
