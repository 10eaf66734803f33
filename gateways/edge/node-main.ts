import type { Logger } from "pino";
import { connectLog } from "../../streams/embedded/client.ts";
import { codeOf, messageOf } from "../../streams/errors.ts";
import { LogLink } from "../../streams/log-link.ts";
import { isMain, type Running, runAsProcess } from "../../streams/process-shell.ts";
import { readConfig } from "../../streams/read-config.ts";
import { type NodeInput, nodeSchema } from "./config.ts";
import { connectTimeoutMs } from "./limits.ts";
import { EdgeNode } from "./node-server.ts";
import { openSite } from "./site.ts";

/** Starts an edge node; it serves at once and waits for its engine by itself. */
export async function run(input: NodeInput, logger: Logger): Promise<Running> {
  const config = readConfig(nodeSchema, input, "the edge node");
  const { folder, nodeId } = config;
  const node = new EdgeNode(config, await openSite(config, logger), logger);
  const port = await node.start();
  const link = new LogLink({
    connect: () => connectLog({ folder, name: nodeId, timeoutMs: connectTimeoutMs }),
    onLog: (log) => node.attach(log),
    onAway: (error) =>
      logger.warn({ code: codeOf(error) }, `waiting for the engine: ${messageOf(error)}`),
  });
  return {
    ready: { nodeId, port },
    close: async () => {
      await node.close();
      await link.close();
    },
  };
}

if (isMain(import.meta.url)) {
  await runAsProcess({
    role: "node",
    run: (config, logger) => run(config as NodeInput, logger),
  });
}
