import { execFileSync, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeFeed, type RaceFeed, type RaceFile } from "./mrt-feed.ts";
import type { WorkerReport } from "./mrt-worker.ts";
import { type BenchOptions, type BenchResult, printTable } from "./result.ts";

const FULL_ROUTES = 10_000_000;
const QUICK_ROUTES = 1_500_000;
const worker = join(fileURLToPath(new URL(".", import.meta.url)), "mrt-worker.ts");

/** Wall and CPU seconds of one contender. */
interface Lap {
  readonly routes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/**
 * Races our reading of MRT files, into typed events and into the text of `bgpdump -m`, against
 * Debian's `bgpdump -m` (C) on the same compressed files. Every contender is a process of its own.
 */
export async function run({ quick }: BenchOptions): Promise<BenchResult> {
  const feed = makeFeed(quick ? QUICK_ROUTES : FULL_ROUTES);
  try {
    const installed = spawnSync("bgpdump", ["-q", "-m", "/dev/null"]).error === undefined;
    if (!installed) process.stdout.write("skipped: needs bgpdump (Debian package bgpdump)\n");
    const sameText = installed ? feed.files.every(printsTheSame) : null;
    const events = ours("events", feed);
    const print = ours("print", feed);
    const rival = installed ? theirs(feed) : undefined;
    show(events, print, rival);
    return result(events, print, rival, sameText);
  } finally {
    rmSync(feed.folder, { recursive: true });
  }
}

function ours(mode: "events" | "print", feed: RaceFeed): WorkerReport {
  const paths = feed.files.map(({ path }) => path);
  const out = execFileSync(process.execPath, [...process.execArgv, worker, mode, ...paths]);
  return JSON.parse(out.toString()) as WorkerReport;
}

/** The rival on each file in turn, its text thrown away as ours is. */
function theirs(feed: RaceFeed): Lap {
  const started = process.hrtime.bigint();
  let cpuSeconds = 0;
  for (const { path } of feed.files) {
    const script = 'TIMEFORMAT="%U %S"; time bgpdump -q -m "$0" >/dev/null 2>/dev/null';
    const { status, stderr } = spawnSync("bash", ["-c", script, path]);
    if (status !== 0) throw new Error(`bgpdump failed on ${path}: ${stderr}`);
    const [user = 0, system = 0] = stderr.toString().trim().split(" ").map(Number);
    cpuSeconds += user + system;
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  return { routes: feed.lines, seconds, cpuSeconds };
}

/**
 * Both print one copy of the file; the text must be the same, but for withdrawals in records of the
 * old type BGP, where bgpdump prints the peer in place of the prefix.
 */
function printsTheSame({ single }: RaceFile): boolean {
  const options = { maxBuffer: 2 ** 28 };
  const module = new URL("../gateways/bgp/mrt-print.ts", import.meta.url).href;
  const script = `
    import { printMrt } from ${JSON.stringify(module)};
    const write = (text) => new Promise((done) => process.stdout.write(text, done));
    await printMrt(${JSON.stringify(single)}, write);
  `;
  const args = [...process.execArgv, "--input-type=module", "-e", script];
  const lines = (text: Buffer): string =>
    text.toString("latin1").replaceAll(/^BGP\|\d+\|W\|.*\n/gm, "");
  const expected = lines(execFileSync("bgpdump", ["-q", "-m", single], options));
  return lines(execFileSync(process.execPath, args, options)) === expected;
}

function rate({ routes, seconds }: Lap): number {
  return Math.round(routes / seconds);
}

function microseconds({ routes, cpuSeconds }: Lap): number {
  return Math.round((cpuSeconds / routes) * 1e8) / 100;
}

function show(events: WorkerReport, print: WorkerReport, rival: Lap | undefined): void {
  const row = (name: string, lap: Lap) => ({
    contender: name,
    routes: lap.routes,
    seconds: lap.seconds,
    "routes/s": rate(lap),
    "CPU us/route": microseconds(lap),
  });
  const rows = [row("ours, typed events", events), row("ours, same text", print)];
  printTable(rival === undefined ? rows : [...rows, row("bgpdump -m", rival)]);
  const [at10, at50, at100] = events.rssMb;
  process.stdout.write(
    `memory of the events run: ${at10}, ${at50}, ${at100} MB at 10, 50, 100 %\n`,
  );
}

function result(
  events: WorkerReport,
  print: WorkerReport,
  rival: Lap | undefined,
  sameText: boolean | null,
): BenchResult {
  const ratio = (lap: Lap): number | null =>
    rival === undefined ? null : Math.round((rate(lap) / rate(rival)) * 100) / 100;
  return {
    bench: "mrt",
    ours: rate(events),
    rival: rival === undefined ? null : rate(rival),
    ratio: ratio(events),
    unit: "routes/s into typed events",
    routes: events.routes,
    print: rate(print),
    printRatio: ratio(print),
    sameText,
    cpuMicroseconds: {
      events: microseconds(events),
      print: microseconds(print),
      rival: rival === undefined ? null : microseconds(rival),
    },
    rssMb: events.rssMb,
  };
}
