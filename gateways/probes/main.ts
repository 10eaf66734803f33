import type { Logger } from "pino";
import { connectLog } from "../../streams/embedded/client.ts";
import { codeOf, messageOf } from "../../streams/errors.ts";
import { LogLink } from "../../streams/log-link.ts";
import { isMain, type Running, runAsProcess } from "../../streams/process-shell.ts";
import { readConfig } from "../../streams/read-config.ts";
import { type VantageInput, vantageSchema } from "./config.ts";
import { Vantage } from "./vantage.ts";

const connectTimeoutMs = 2_000;

/** Starts a vantage process; it waits for its engine by itself. */
export async function run(input: VantageInput, logger: Logger): Promise<Running> {
  const config = readConfig(vantageSchema, input, "a vantage process");
  const vantage = new Vantage(config);
  await vantage.start();
  const link = new LogLink({
    connect: () =>
      connectLog({ folder: config.folder, name: config.name, timeoutMs: connectTimeoutMs }),
    onLog: (log) => vantage.attach(log),
    onAway: (error) =>
      logger.warn({ code: codeOf(error) }, `waiting for the engine: ${messageOf(error)}`),
  });
  return {
    ready: { name: config.name },
    close: async () => {
      await vantage.close();
      await link.close();
    },
  };
}

if (isMain(import.meta.url)) {
  await runAsProcess({
    role: "vantage",
    run: (config, logger) => run(config as VantageInput, logger),
  });
}
