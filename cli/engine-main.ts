import type { Logger } from "pino";
import { z } from "zod";
import { EmbeddedLog } from "../streams/embedded/embedded-log.ts";
import { Engine } from "../streams/embedded/engine.ts";
import { ownerSocketPath } from "../streams/embedded/owner.ts";
import { serveLog } from "../streams/embedded/server.ts";
import { defaultRetentionMs, defaultSlots, maxSlots } from "../streams/limits.ts";
import { isMain, type Running, runAsProcess } from "../streams/process-shell.ts";
import { readConfig } from "../streams/read-config.ts";
import type { TelemetryEvent } from "../streams/telemetry.ts";
import { tableNames } from "../streams/topics.ts";
import { type TopologyInput, type TopologyOptions, topology, topologySchema } from "./topology.ts";

/** Configuration of the engine process. */
export interface EngineConfig {
  readonly folder: string;
  readonly slots: number;
  readonly retentionMs: number;
  readonly processors: TopologyOptions;
}

export type EngineInput = Pick<EngineConfig, "folder"> & {
  readonly slots?: number | undefined;
  readonly retentionMs?: number | undefined;
  readonly processors?: TopologyInput | undefined;
};

export const engineSchema: z.ZodType<EngineConfig, EngineInput> = z.strictObject({
  folder: z.string().min(1).describe("Data folder of the log."),
  slots: z
    .number()
    .int()
    .min(1)
    .max(maxSlots)
    .default(defaultSlots)
    .describe("Slots of a new log."),
  retentionMs: z
    .number()
    .int()
    .min(60_000)
    .default(defaultRetentionMs)
    .describe("How long streams and the journal are kept."),
  processors: topologySchema.prefault({}).describe("Options of the processors."),
});

/** Runs the embedded engine with every processor, and serves its log on the owner's socket. */
export async function run(input: EngineInput, logger: Logger): Promise<Running> {
  const config = readConfig(engineSchema, input, "the engine");
  const log = await EmbeddedLog.open({
    folder: config.folder,
    slots: config.slots,
    retentionMs: config.retentionMs,
    tables: tableNames,
    nowMs: () => Date.now(),
  });
  const engine = await Engine.open({
    log,
    processors: topology(config.processors),
    nowMs: () => Date.now(),
    emit: (event) => tell(event, logger),
    onFatal: () => process.exit(1),
  });
  const server = await serveLog({ owner: engine, socketPath: ownerSocketPath(config.folder) });
  return {
    ready: { logId: log.logId, folder: config.folder },
    close: async () => {
      await server.close();
      await engine.close();
      await log.close();
    },
  };
}

/** A healthy engine logs nothing. */
function tell(event: TelemetryEvent, logger: Logger): void {
  switch (event.kind) {
    case "engine.ready":
    case "engine.commit":
      return;
    case "engine.commitFailed":
      logger.error({ code: event.code }, `committing: ${event.message}; trying again`);
      return;
    case "engine.checkpointFailed":
      logger.error({ code: event.code }, `writing a checkpoint: ${event.message}`);
      return;
    case "engine.fatal":
      logger.fatal({ code: event.code }, event.message);
      return;
    case "task.deadLetter":
      logger.warn(
        { processor: event.processor, slot: event.slot, count: event.count },
        "records could not be processed; `opencdn dead-letters list` shows them",
      );
  }
}

if (isMain(import.meta.url)) {
  await runAsProcess({
    role: "engine",
    run: (config, logger) => run(config as EngineInput, logger),
  });
}
