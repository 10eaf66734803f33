import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Removes what processes left beside `file` that died while they wrote it: `FILE.PID.part` where no such process
 * lives. Nothing happens where the folder cannot be read.
 */
export function removeUnfinished(file: string): void {
  const start = `${basename(file)}.`;
  for (const name of namesIn(dirname(file))) {
    if (!name.startsWith(start)) continue;
    const pid = /^(\d{1,10})\.part$/.exec(name.slice(start.length))?.[1];
    if (pid !== undefined && !lives(Number(pid)))
      rmSync(join(dirname(file), name), { force: true });
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
