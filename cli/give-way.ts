import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";

/**
 * Gives way to every other process, as bulk work beside a gateway should: it gets what the others leave. On Linux by
 * the idle policy, where `chrt` is (Debian's util-linux): the scheduler then takes a core that does only this for a
 * free one, which a low priority does not achieve, and a gateway that wakes up goes there instead of waiting.
 * Elsewhere by priority; where the system does not allow that either, nothing changes.
 */
export function giveWay(): void {
  if (process.platform === "linux" && becomeIdle()) return;
  try {
    // On Linux a priority belongs to a thread, and the runtime's helpers exist already.
    const threads = process.platform === "linux" ? readdirSync("/proc/self/task") : ["0"];
    for (const thread of threads) setPriority(Number(thread), constants.priority.PRIORITY_LOW);
  } catch {
    // A sandbox may forbid it: the work is then done at the usual priority.
  }
}

function becomeIdle(): boolean {
  const parameters = ["--all-tasks", "--idle", "--pid", "0", String(process.pid)];
  return spawnSync("chrt", parameters, { stdio: "ignore", timeout: 1_000 }).status === 0;
}
