import type { Logger } from "pino";
import { connectLog } from "../../streams/embedded/client.ts";
import { codeOf, messageOf } from "../../streams/errors.ts";
import { LogLink } from "../../streams/log-link.ts";
import { isMain, type Running, runAsProcess } from "../../streams/process-shell.ts";
import { readConfig } from "../../streams/read-config.ts";
import { type EdgeInput, edgeSchema } from "./config.ts";
import { EdgeGateway } from "./gateway.ts";
import { connectTimeoutMs } from "./limits.ts";
import { openSite } from "./site.ts";

/** Starts an access gateway; it listens at once and waits for its engine by itself. */
export async function run(input: EdgeInput, logger: Logger): Promise<Running> {
  const config = readConfig(edgeSchema, input, "the access gateway");
  const gateway = new EdgeGateway(config, await openSite(config, logger), logger);
  const { port, adminPort } = await gateway.start();
  const { folder, gatewayId: name } = config;
  const link = new LogLink({
    connect: () => connectLog({ folder, name, timeoutMs: connectTimeoutMs }),
    onLog: (log) => gateway.attach(log),
    onAway: (error) =>
      logger.warn({ code: codeOf(error) }, `waiting for the engine: ${messageOf(error)}`),
  });
  return {
    ready: { gatewayId: name, port, adminPort },
    close: async () => {
      await gateway.close();
      await link.close();
    },
  };
}

if (isMain(import.meta.url)) {
  await runAsProcess({
    role: "edge",
    run: (config, logger) => run(config as EdgeInput, logger),
  });
}
