import { openDirectLog } from "../../streams/embedded/direct-log.ts";
import { OpenCdnError } from "../../streams/errors.ts";
import type { Log } from "../../streams/log.ts";
import type { Processor } from "../../streams/processor.ts";
import { type VerifyReport, verifyTask } from "../../streams/replay/verify.ts";
import { nearestName, taskCommits } from "../../streams/topics.ts";
import { Progress, print, printJson, printTable } from "../output.ts";

/**
 * `opencdn replay verify`: re-runs every task's journal (or one processor's, one slot's) and compares with the log.
 * Throws OCDN_REPLAY_DIVERGED after the table when any differs.
 */
export async function verifyReplay(
  log: Log,
  processors: readonly Processor[],
  options: { readonly processor?: string; readonly slot?: number; readonly json: boolean },
): Promise<void> {
  const tasks = tasksOf(log, processors, options);
  const reports: VerifyReport[] = [];
  const total = (await log.status())
    .filter((status) => status.topic === taskCommits.name)
    .reduce((sum, status) => sum + status.endOffset - status.startOffset, 0);
  const progress = new Progress({ what: "replaying", total, quiet: options.json });
  let commits = 0;
  let records = 0;
  for (const { processor, slot } of tasks) {
    const report = await verifyTask({
      log,
      processor,
      slot,
      onProgress: (done, taken) => {
        progress.update(commits + done, `${commits + done} commits, ${records + taken} records`);
      },
    });
    commits += report.commits;
    records += report.records;
    reports.push(report);
  }
  progress.end();
  printReports(reports, options.json);
  const bad = reports.find((report) => report.divergence !== undefined);
  if (bad?.divergence !== undefined) {
    const { topic, slot, offset, width, what, message } = bad.divergence;
    const among = width > 1 ? ` (one of the ${width} records from there)` : "";
    throw new OpenCdnError(
      "OCDN_REPLAY_DIVERGED",
      `replaying ${bad.processor}/${bad.slot}: ${what} differs first at ${topic} slot ${slot} offset ${offset}${among}: ${message}`,
    );
  }
}

/**
 * Verifies the log of a folder. Where a chunk's checksum differs, the folder is read once more as it lies there, so that
 * the record which differs can be named and not only the place in the file.
 */
export async function verifyFolder(
  folder: string,
  open: () => Promise<Log>,
  processors: readonly Processor[],
  options: Parameters<typeof verifyReplay>[2],
): Promise<void> {
  let damage: OpenCdnError;
  const log = await open();
  try {
    await verifyReplay(log, processors, options);
    return;
  } catch (error) {
    if (!(error instanceof OpenCdnError) || error.code !== "OCDN_FOLDER_CORRUPT") throw error;
    damage = error;
  } finally {
    await log.close();
  }
  const found: OpenCdnError[] = [];
  const nowMs = (): number => Date.now();
  const damaged = await openDirectLog({
    folder,
    nowMs,
    onDamage: (error) => found.push(error),
  }).catch(() => undefined);
  if (damaged === undefined) throw damage;
  try {
    await verifyReplay(damaged, processors, options);
  } catch (error) {
    if (!(error instanceof OpenCdnError) || error.code !== "OCDN_REPLAY_DIVERGED") throw damage;
    throw new OpenCdnError(error.code, `${error.message}; ${damage.message}`, { cause: damage });
  } finally {
    await damaged.close();
  }
  throw damage;
}

function tasksOf(
  log: Log,
  processors: readonly Processor[],
  options: { readonly processor?: string; readonly slot?: number },
): { readonly processor: Processor; readonly slot: number }[] {
  const names = processors.map((processor) => processor.name);
  if (options.processor !== undefined && !names.includes(options.processor)) {
    const near = nearestName(options.processor, names);
    throw new OpenCdnError(
      "OCDN_USAGE",
      `replaying: no processor is called ${options.processor.slice(0, 60)}, did you mean ${near}?`,
    );
  }
  if (options.slot !== undefined && options.slot >= log.slots) {
    throw new OpenCdnError("OCDN_USAGE", `replaying: the log has the slots 0 to ${log.slots - 1}`);
  }
  return processors
    .filter((processor) => options.processor === undefined || processor.name === options.processor)
    .flatMap((processor) => {
      const slots =
        processor.tasks === "one" ? [0] : Array.from({ length: log.slots }, (_, i) => i);
      return slots
        .filter((slot) => options.slot === undefined || slot === options.slot)
        .map((slot) => ({ processor, slot }));
    });
}

function printReports(reports: readonly VerifyReport[], json: boolean): void {
  if (json) {
    printJson({
      equal: reports.every((report) => report.divergence === undefined),
      tasks: reports,
    });
    return;
  }
  const run = reports.filter((report) => report.commits > 0 || report.divergence !== undefined);
  printTable(
    ["task", "commits", "records", "ticks", "outputs", "result"],
    run.map((report) => [
      `${report.processor}/${report.slot}`,
      report.commits,
      report.records,
      report.ticks,
      report.outputs,
      report.divergence === undefined ? "equal" : `${report.divergence.what} differs`,
    ]),
  );
  print(`${run.length} tasks replayed, ${reports.length - run.length} have no journal`);
}
