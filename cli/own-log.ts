import { connectLog } from "../streams/embedded/client.ts";
import { EmbeddedLog } from "../streams/embedded/embedded-log.ts";
import { Engine } from "../streams/embedded/engine.ts";
import { ownerSocketPath } from "../streams/embedded/owner.ts";
import { serveLog } from "../streams/embedded/server.ts";
import type { OpenCdnError } from "../streams/errors.ts";
import type { Log } from "../streams/log.ts";
import type { Processor } from "../streams/processor.ts";
import { tableNames } from "../streams/topics.ts";
import type { Settings } from "./settings.ts";

const connectMs = 10_000;

/**
 * Runs `work` on a log of its own for historical input (made when absent), with `processors` on it in this process,
 * and waits until they have taken everything. A log that another process owns is used through that process.
 */
export async function withOwnLog(
  settings: Settings,
  folder: string,
  processors: readonly Processor[],
  work: (log: Log) => Promise<void>,
): Promise<void> {
  const log = await EmbeddedLog.open({
    folder,
    slots: settings.slots,
    historical: true,
    // History is older than any retention: it stays until the folder is deleted.
    retentionMs: Number.MAX_SAFE_INTEGER,
    tables: tableNames,
    nowMs: () => Date.now(),
  });
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
