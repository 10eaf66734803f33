import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:fs";
import { mkdir, open, rename, stat } from "node:fs/promises";
import path from "node:path";
import { pause } from "../../streams/backoff.ts";
import { messageOf, OpenCdnError } from "../../streams/errors.ts";
import { identityOf, isAlive, type ProcessIdentity } from "../../streams/process-identity.ts";
import { type RunRecord, removeRun, writeRun } from "./run-file.ts";
import type { ServerPlan } from "./server-plan.ts";

/** A log that is larger at a start is put aside, over the one that was put aside before. */
const maxLogBytes = 16 * 1_048_576;
const tailBytes = 16_384;
const tailLines = 25;
const checkMs = 2_000;
const checkEveryMs = 100;
const exitEveryMs = 50;
const killMs = 5_000;

/** Starts a server as the leader of a process group of its own, with its pid file, and does not wait for it. */
export async function launch(
  plan: ServerPlan,
  options: { readonly logFile: string; readonly runFolder: string },
): Promise<RunRecord> {
  const { logFile, runFolder } = options;
  await plan.prepare();
  await mkdir(path.dirname(logFile), { recursive: true, mode: 0o700 });
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size > maxLogBytes) await rename(logFile, `${logFile}.old`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
  const log = await open(logFile, flags, 0o600);
  try {
    await log.write(`-- ${new Date().toISOString()} starting ${plan.name} ${plan.version}\n`);
    const child = spawn(plan.program, plan.args, {
      cwd: plan.cwd,
      env: plan.env,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    await spawned(plan, child);
    child.unref();
    const pid = child.pid as number;
    // A process that ended before it could be looked at has an identity that no process will ever have.
    const identity = identityOf(pid) ?? { pid, startTicks: 1, bootId: "" };
    const { name: server, version, port } = plan;
    const record: RunRecord = { ...identity, server, version, port, logFile };
    await writeRun(runFolder, record);
    return record;
  } finally {
    await log.close();
  }
}

function spawned(plan: ServerPlan, child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => {
      const message = `starting ${plan.name}: ${messageOf(error)}`;
      reject(new OpenCdnError("OCDN_NOT_FOUND", message, { cause: error }));
    });
  });
}

/** Waits until the server is well. Throws OCDN_DISCONNECTED when it ends before, OCDN_TIMEOUT when it takes too long. */
export async function untilHealthy(
  plan: ServerPlan,
  record: RunRecord,
  withinMs: number,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const failure = await plan.check(checkMs).then(
      () => undefined,
      (error: unknown) => error ?? "no reason",
    );
    if (!isAlive(record)) {
      throw new OpenCdnError(
        "OCDN_DISCONNECTED",
        `starting ${plan.name}: it ended before it was well; ${record.logFile} says why`,
        { cause: failure },
      );
    }
    if (failure === undefined) return;
    if (performance.now() > endMs) {
      throw new OpenCdnError(
        "OCDN_TIMEOUT",
        `starting ${plan.name}: not well after ${withinMs / 1_000} s (${messageOf(failure)}); ${record.logFile} says more`,
        { cause: failure },
      );
    }
    await pause(checkEveryMs);
  }
}

/** Ends a server and its group: SIGTERM, and SIGKILL when it does not go. Resolves to how it went. */
export async function stopServer(
  record: RunRecord,
  options: { readonly runFolder: string; readonly withinMs: number },
): Promise<"stopped" | "killed" | "gone"> {
  let how: "stopped" | "killed" | "gone" = "gone";
  if (isAlive(record)) {
    how = "stopped";
    signalGroup(record, "SIGTERM");
    if (!(await ended(record, options.withinMs))) {
      how = "killed";
      signalGroup(record, "SIGKILL");
      if (!(await ended(record, killMs))) {
        throw new OpenCdnError(
          "OCDN_TIMEOUT",
          `stopping ${record.server}: pid ${record.pid} does not end, not even by SIGKILL`,
        );
      }
    }
  }
  await removeRun(options.runFolder, record.server);
  return how;
}

async function ended(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const endMs = performance.now() + withinMs;
  while (isAlive(identity)) {
    if (performance.now() > endMs) return false;
    await pause(exitEveryMs);
  }
  return true;
}

function signalGroup({ pid }: ProcessIdentity, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // Nobody is left in the group.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The last lines of a log. */
export async function tailOf(file: string): Promise<string[]> {
  const log = await open(file, "r").catch(() => undefined);
  if (log === undefined) return [];
  try {
    const { size } = await log.stat();
    const from = Math.max(0, size - tailBytes);
    const { buffer, bytesRead } = await log.read({
      buffer: Buffer.alloc(tailBytes),
      position: from,
    });
    const lines = buffer.toString("utf8", 0, bytesRead).trimEnd().split("\n");
    return lines.slice(from > 0 ? 1 : 0).slice(-tailLines);
  } finally {
    await log.close();
  }
}
