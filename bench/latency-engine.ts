import { topology } from "../cli/topology.ts";
import { EmbeddedLog } from "../streams/embedded/embedded-log.ts";
import { Engine } from "../streams/embedded/engine.ts";
import { ownerSocketPath } from "../streams/embedded/owner.ts";
import { serveLog } from "../streams/embedded/server.ts";
import { tableNames } from "../streams/topics.ts";

/** The engine of the latency bench: the whole topology on the folder that the parent names. */
const folder = process.argv[2] as string;
const log = await EmbeddedLog.open({ folder, tables: tableNames, nowMs: Date.now });
const engine = await Engine.open({
  log,
  processors: topology(),
  nowMs: Date.now,
  onFatal: () => process.exit(1),
});
await serveLog({ owner: engine, socketPath: ownerSocketPath(folder) });
// The parent asks for what was used so far, and goes away when it is done.
process.on("message", () =>
  process.send?.({ ...process.cpuUsage(), rss: process.memoryUsage.rss() }),
);
process.on("disconnect", () => process.exit());
process.send?.("ready");
