import { closeSync, openSync, writeSync } from "node:fs";
import { printMrt } from "../gateways/bgp/mrt-print.ts";
import { openMrtSource } from "../gateways/bgp/mrt-source.ts";

/** What one run of a process of its own measured. */
export interface WorkerReport {
  readonly routes: number;
  readonly seconds: number;
  /** User plus system of the whole process, its start included. */
  readonly cpuSeconds: number;
  /** Resident memory at 10, 50 and 100 % of the bytes read. */
  readonly rssMb: readonly number[];
}

const MARKS = [0.1, 0.5, 1];

/** Takes every event of a file as a log would, batch by batch; `onShare` hears 0..1. */
async function readToEvents(path: string, onShare: (share: number) => void): Promise<number> {
  let listBytes = 0;
  let sizeBytes = 1;
  const onRead = (bytes: number): void => onShare(bytes / sizeBytes);
  const source = await openMrtSource({ path, collector: "bench", onRead });
  sizeBytes = source.sizeBytes;
  for await (const { events } of source.read(undefined)) {
    for (const { value } of events) {
      const lists = value as unknown as {
        readonly announced: Uint8Array;
        readonly withdrawn: Uint8Array;
      };
      listBytes += lists.announced.length + lists.withdrawn.length;
    }
  }
  if (listBytes === 0) throw new Error(`${path} gave no routes`);
  return source.stats.announced + source.stats.withdrawn;
}

async function printToNothing(path: string): Promise<number> {
  const nothing = openSync("/dev/null", "w");
  try {
    const { lines } = await printMrt(path, (text) => {
      writeSync(nothing, text);
    });
    return lines;
  } finally {
    closeSync(nothing);
  }
}

async function main([mode, ...paths]: readonly string[]): Promise<void> {
  const rssMb: number[] = [];
  const started = process.hrtime.bigint();
  let routes = 0;
  for (const [index, path] of paths.entries()) {
    const onShare = (share: number): void => {
      const mark = MARKS[rssMb.length];
      if (mark !== undefined && (index + share) / paths.length >= mark) {
        rssMb.push(Math.round(process.memoryUsage.rss() / 1e6));
      }
    };
    routes += mode === "print" ? await printToNothing(path) : await readToEvents(path, onShare);
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const { user, system } = process.cpuUsage();
  const report: WorkerReport = { routes, seconds, cpuSeconds: (user + system) / 1e6, rssMb };
  process.stdout.write(JSON.stringify(report));
}

await main(process.argv.slice(2));
