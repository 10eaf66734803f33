import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { MrtGenerator } from "../gateways/bgp/testing/mrt-generator.ts";
import { printText } from "../gateways/bgp/testing/mrt-reading.ts";

/** A recorded table and recorded updates, of all that is shared the two that are not tiny. */
const recorded = ["bview.20020722.2337.gz", "updates.20070211.0141.gz"];
const shared = "../shared/data/bgp";
const SEED = 20_260_701;

/** One file of the race: the same compressed file many times in a row. */
export interface RaceFile {
  readonly name: string;
  readonly path: string;
  /** One copy. */
  readonly single: string;
  readonly copies: number;
  /** Lines that `bgpdump -m` prints of all copies. */
  readonly lines: number;
}

export interface RaceFeed {
  readonly folder: string;
  readonly files: readonly RaceFile[];
  readonly lines: number;
}

/** Writes files of about `lines` routes in all, half of them tables, into a new temporary folder. */
export function makeFeed(lines: number): RaceFeed {
  const folder = mkdtempSync(join(tmpdir(), "opencdn-bench-mrt-"));
  const paths = recorded.map((name) => join(shared, name));
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined) {
    process.stdout.write(`skipped: needs ${missing}; files made from seed ${SEED} instead\n`);
  }
  const sources: [string, Buffer][] =
    missing === undefined
      ? paths.map((path, index) => [recorded[index] as string, readFileSync(path)])
      : generated();
  const files = sources.map(([name, bytes]) => repeat(folder, name, bytes, lines / sources.length));
  return { folder, files, lines: files.reduce((sum, file) => sum + file.lines, 0) };
}

function generated(): [string, Buffer][] {
  const generator = new MrtGenerator(SEED, "collector");
  return [
    ["generated-table.gz", gzipSync(generator.table(8_000))],
    ["generated-updates.gz", gzipSync(generator.updates(10_000))],
  ];
}

function repeat(folder: string, name: string, bytes: Buffer, lines: number): RaceFile {
  const printed = printText(gunzipSync(bytes));
  const each = printed.split("\n").length - 1;
  const copies = Math.max(1, Math.round(lines / each));
  const single = join(folder, name);
  const path = join(folder, `${copies}x-${name}`);
  writeFileSync(single, bytes);
  writeFileSync(path, Buffer.concat(Array.from({ length: copies }, () => bytes)));
  return { name, path, single, copies, lines: each * copies };
}
