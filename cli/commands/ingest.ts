import { access, constants } from "node:fs/promises";
import { printMrt } from "../../gateways/bgp/mrt-print.ts";
import { openMrtSource } from "../../gateways/bgp/mrt-source.ts";
import { openRttSource } from "../../gateways/probes/rtt-source.ts";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import type { Log } from "../../streams/log.ts";
import { runSource } from "../../streams/source-runner.ts";
import { giveWay } from "../give-way.ts";
import { Progress, print, printJson, printTable } from "../output.ts";

export interface MrtOptions {
  readonly collector: string;
  /** Play as if live, that many times faster; undefined keeps the file's times. */
  readonly speed: number | undefined;
  readonly json: boolean;
}

interface Ingested {
  readonly file: string;
  readonly appended: number;
  readonly duplicates: number;
  /** The log had the whole file already. */
  readonly wholeKnown: boolean;
  readonly routes: number;
  readonly withdrawals: number;
  readonly faults: number;
}

/** Refuses files that cannot be read before a log is made for them. Throws OCDN_NOT_FOUND. */
export async function checkReadable(files: readonly string[]): Promise<void> {
  for (const file of files) {
    await access(file, constants.R_OK).catch((error: NodeJS.ErrnoException) => {
      const reason = error.code === "ENOENT" ? "there is no such file" : messageOf(error);
      throw new OpenCdnError("OCDN_NOT_FOUND", `reading ${file}: ${reason}`, { cause: error });
    });
  }
}

/** `opencdn ingest mrt FILE…`: each file is a source of its own; the same content again adds nothing. */
export async function ingestMrt(
  log: Log,
  files: readonly string[],
  options: MrtOptions,
): Promise<void> {
  giveWay();
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  const done: Ingested[] = [];
  try {
    for (const file of files) {
      done.push(await ingestFile(log, file, options, stop.signal));
      if (stop.signal.aborted) break;
    }
  } finally {
    process.removeListener("SIGINT", onSignal);
    process.removeListener("SIGTERM", onSignal);
    if (!options.json && done.length > 0) printIngested(done);
  }
  if (options.json) printJson({ files: done, stopped: stop.signal.aborted });
}

async function ingestFile(
  log: Log,
  file: string,
  options: MrtOptions,
  signal: AbortSignal,
): Promise<Ingested> {
  const { speed, collector, json } = options;
  let read = 0;
  const source = await openMrtSource({
    path: file,
    collector,
    signal,
    ...(speed === undefined ? {} : { rebase: { speed } }),
    onRead: (bytes) => {
      read = bytes;
    },
  });
  const progress = new Progress({ what: `reading ${file}`, total: source.sizeBytes, quiet: json });
  const before = await log.sourcePosition(source.name);
  try {
    const summary = await runSource({
      log,
      source,
      signal,
      onProgress: ({ appended, duplicates }) =>
        progress.update(read, `${appended} new, ${duplicates} known`),
    });
    progress.update(source.sizeBytes, `${summary.appended} new, ${summary.duplicates} known`);
    const { stats } = source;
    const faults = stats.faults().reduce((sum, fault) => sum + fault.count, 0);
    const { appended, duplicates } = summary;
    const wholeKnown = appended === 0 && before !== undefined && before === summary.lastPosition;
    return {
      file,
      appended,
      duplicates,
      wholeKnown,
      routes: stats.announced,
      withdrawals: stats.withdrawn,
      faults,
    };
  } finally {
    progress.end();
  }
}

function printIngested(done: readonly Ingested[]): void {
  printTable(
    ["file", "records added", "known before", "routes", "withdrawals", "faults"],
    done.map((file) => [
      file.file,
      file.appended,
      file.wholeKnown ? "all" : file.duplicates,
      file.routes,
      file.withdrawals,
      file.faults,
    ]),
  );
}

/** `opencdn ingest mrt FILE… --print bgpdump`: the lines of `bgpdump -m`, no log needed. */
export async function printBgpdump(files: readonly string[]): Promise<void> {
  for (const file of files) {
    await printMrt(file, (text) => {
      if (process.stdout.write(text)) return;
      return new Promise<void>((resolve) => process.stdout.once("drain", resolve));
    });
  }
}

export interface RttOptions {
  readonly startMs: number;
  readonly sliceSeconds: number;
  readonly split: number | undefined;
  readonly json: boolean;
}

/** `opencdn ingest rtt PATH`: matrices of round-trip times as path samples. */
export async function ingestRtt(log: Log, path: string, options: RttOptions): Promise<void> {
  const { startMs, sliceSeconds, split, json } = options;
  const source = await openRttSource({
    path,
    startMs,
    sliceSeconds,
    ...(split === undefined ? {} : { split }),
  });
  const progress = new Progress({ what: `reading ${path}`, total: 1, quiet: json });
  const summary = await runSource({
    log,
    source,
    onProgress: ({ appended, duplicates }) =>
      progress.update(0, `${appended} new, ${duplicates} known`),
  });
  progress.end();
  if (json) printJson({ source: source.name, ...summary });
  else print(`${summary.appended} records added, ${summary.duplicates} were known`);
}
