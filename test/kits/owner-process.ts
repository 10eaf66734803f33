/** A process that owns the folder given as its argument and serves it; says `ready` when it does. */
import { EmbeddedLog } from "../../streams/embedded/embedded-log.ts";
import { Engine } from "../../streams/embedded/engine.ts";
import { ownerSocketPath } from "../../streams/embedded/owner.ts";
import { serveLog } from "../../streams/embedded/server.ts";
import { tableNames } from "../../streams/topics.ts";

const [folder = ""] = process.argv.slice(2);
const nowMs = Date.now;
const log = await EmbeddedLog.open({ folder, slots: 4, tables: tableNames, nowMs });
const engine = await Engine.open({ log, processors: [], nowMs });
await serveLog({ owner: engine, socketPath: ownerSocketPath(folder) });
process.stdout.write("ready\n");
