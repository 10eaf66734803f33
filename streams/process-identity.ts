import { readFileSync } from "node:fs";

/** Which process a pid meant: a pid is given to another one after a while, the three together never. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it began, in clock ticks since the machine did. */
  readonly startTicks: number;
  /** Which run of the machine that was. */
  readonly bootId: string;
}

/** State letter and start time in the text of `/proc/PID/stat`; undefined for other text. See proc(5). */
export function parseStat(text: string): { state: string; startTicks: number } | undefined {
  // The second field is the name in parentheses, which may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0] ?? "";
  const startTicks = Number(fields[19]);
  return /^[A-Za-z]$/.test(state) && Number.isSafeInteger(startTicks) && startTicks > 0
    ? { state, startTicks }
    : undefined;
}

/** State and start time of the process that has this pid; undefined where none has, or where there is no /proc. */
export function statOf(pid: number): ReturnType<typeof parseStat> {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined;
  }
}

/** Which run of the machine this is; empty where the system does not say. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** The process that has this pid now; undefined where none has, or one that only waits to be reaped. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = statOf(pid);
  if (stat === undefined || /^[ZX]$/i.test(stat.state)) return undefined;
  const boot = bootId();
  return boot === "" ? undefined : { pid, startTicks: stat.startTicks, bootId: boot };
}

/** Whether that very process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  return now?.startTicks === identity.startTicks && now.bootId === identity.bootId;
}
