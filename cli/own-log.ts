import { connectLog } from "../streams/embedded/client.ts";
import { EmbeddedLog } from "../streams/embedded/embedded-log.ts";
import { Engine } from "../streams/embedded/engine.ts";
import { ownerSocketPath } from "../streams/embedded/owner.ts";
import { serveLog } from "../streams/embedded/server.ts";
import { OpenCdnError } from "../streams/errors.ts";
import type { Log } from "../streams/log.ts";
import type { Processor } from "../streams/processor.ts";
import { tableNames } from "../streams/topics.ts";
import type { Settings } from "./settings.ts";

const connectMs = 10_000;

const logIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export interface OwnLogOptions {
  readonly settings: Settings;
  readonly folder: string;
  readonly processors: readonly Processor[];
  /** Identity that the log gets when it is made; random by default. Event ids depend on it. */
  readonly logId?: string | undefined;
}

/**
 * Runs `work` on a log of its own for historical input (made when absent), with `processors` on it in this process,
 * and waits until they have taken everything. Throws OCDN_FOLDER_OWNED while another process owns the log, and
 * OCDN_USAGE for a log that has another identity than `logId`.
 */
export async function withOwnLog(
  { settings, folder, processors, logId }: OwnLogOptions,
  work: (log: Log) => Promise<void>,
): Promise<void> {
  if (logId !== undefined && !logIdPattern.test(logId)) {
    throw new OpenCdnError(
      "OCDN_USAGE",
      "opening the log: an identity has letters, digits, dot, dash and underscore, at most 63",
    );
  }
  const log = await EmbeddedLog.open({
    folder,
    slots: settings.slots,
    ...(logId === undefined ? {} : { logId }),
    historical: true,
    // History is older than any retention: it stays until the folder is deleted.
    retentionMs: Number.MAX_SAFE_INTEGER,
    tables: tableNames,
    nowMs: () => Date.now(),
  });
  if (logId !== undefined && log.logId !== logId) {
    const has = log.logId;
    await log.close();
    throw new OpenCdnError("OCDN_USAGE", `opening the log: it is there with the identity ${has}`);
  }
  let fatal: OpenCdnError | undefined;
  const engine = await Engine.open({
    log,
    processors,
    nowMs: () => Date.now(),
    onFatal: (error) => {
      fatal = error;
    },
  });
  const server = await serveLog({ owner: engine, socketPath: ownerSocketPath(folder) });
  try {
    const client = await connectLog({ folder, name: "opencdn", timeoutMs: connectMs });
    try {
      await work(client);
    } finally {
      await client.close();
    }
    if (fatal !== undefined) throw fatal;
    await engine.idle();
  } finally {
    await server.close();
    await engine.close();
    await log.close();
  }
}
