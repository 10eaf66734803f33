import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { isAlive, type ProcessIdentity } from "../../streams/process-identity.ts";
import type { ServerName } from "./server-plan.ts";

/** What is known of a server that was started. */
export interface RunRecord extends ProcessIdentity {
  readonly server: ServerName;
  readonly version: string;
  readonly port: number;
  readonly logFile: string;
}

const recordSchema = z.strictObject({
  pid: z.number().int().min(2),
  startTicks: z.number().int().min(1),
  bootId: z.string(),
  server: z.enum(["kafka", "registry", "connect", "redis"]),
  version: z.string(),
  port: z.number().int().min(1).max(65_535),
  logFile: z.string(),
});

const fileOf = (folder: string, server: ServerName): string => path.join(folder, `${server}.json`);

/** Keeps the record of a server in the folder of pid files, whole or not at all. */
export async function writeRun(folder: string, record: RunRecord): Promise<void> {
  const file = fileOf(folder, record.server);
  await writeFile(`${file}.part`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${file}.part`, file);
}

/** The last record of a server, and whether that very process still lives; undefined where there is none. */
export async function readRun(
  folder: string,
  server: ServerName,
): Promise<{ readonly record: RunRecord; readonly alive: boolean } | undefined> {
  const text = await readFile(fileOf(folder, server), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const checked = recordSchema.safeParse(parseJson(text));
  if (!checked.success || checked.data.server !== server) return undefined;
  return { record: checked.data, alive: isAlive(checked.data) };
}

/** Forgets a server that was stopped. */
export async function removeRun(folder: string, server: ServerName): Promise<void> {
  await rm(fileOf(folder, server), { force: true });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
