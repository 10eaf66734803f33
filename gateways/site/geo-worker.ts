import { parentPort, workerData } from "node:worker_threads";
import { codeOf, messageOf } from "../../streams/errors.ts";
import { refreshGeoCache } from "./geo-refresh.ts";
import type { GeoFiles } from "./geo-sources.ts";

/** What the worker is given. */
export interface GeoWork {
  readonly files: GeoFiles;
  readonly cacheFile: string;
}

/** What it answers: done, or the error's code and message. */
export type GeoWorkResult =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

function work({ files, cacheFile }: GeoWork): GeoWorkResult {
  try {
    refreshGeoCache(files, cacheFile);
    return { kind: "done" };
  } catch (error) {
    return { kind: "failed", code: codeOf(error), message: messageOf(error) };
  }
}

parentPort?.postMessage(work(workerData as GeoWork));
