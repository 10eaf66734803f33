import { createSecretKey, type KeyObject } from "node:crypto";
import { open } from "node:fs/promises";
import type { Logger } from "pino";
import { connectLog } from "../streams/embedded/client.ts";
import { codeOf, messageOf, OpenCdnError } from "../streams/errors.ts";
import type { Log } from "../streams/log.ts";
import { LogLink } from "../streams/log-link.ts";
import { isMain, type Running, runAsProcess } from "../streams/process-shell.ts";
import { readConfig } from "../streams/read-config.ts";
import type { Sink } from "../streams/sink.ts";
import { type RunningSink, runSink } from "../streams/sink-runner.ts";
import { alertSink } from "./alerts/alerts.ts";
import { postAlert } from "./alerts/webhook.ts";
import { type SinksConfig, type SinksInput, sinksSchema } from "./config.ts";
import { serveMetrics } from "./metrics/endpoint.ts";
import { Metrics } from "./metrics/metrics.ts";
import { MemoryScoreTable } from "./scores/score-table.ts";
import { scoreSink } from "./scores/scores.ts";

const connectTimeoutMs = 2_000;
const maxSecretBytes = 4_096;

/** Runs scores, metrics and alerts in one process; the endpoint answers at once and the log is waited for. */
export async function run(input: SinksInput, logger: Logger): Promise<Running> {
  const config = readConfig(sinksSchema, input, "the sinks");
  const secret =
    config.webhook?.secretFile === undefined
      ? undefined
      : await readSecret(config.webhook.secretFile);
  const metrics = new Metrics({ geo_attribution: config.attribution });
  const sinks = [
    scoreSink(new MemoryScoreTable()),
    metrics.sink(() => Date.now()),
    ...alertSinks(config, secret),
  ];
  const stop = new AbortController();
  const running: RunningSink[] = [];
  let attached = false;
  const endpoint = await serveMetrics({
    host: config.metricsHost,
    port: config.metricsPort,
    metrics: async () => ({
      text: await metrics.registry.metrics(),
      contentType: metrics.registry.contentType,
    }),
    healthy: () => attached,
  });
  const link = new LogLink({
    connect: () =>
      connectLog({ folder: config.folder, name: "sinks", timeoutMs: connectTimeoutMs }),
    onLog: (log) => {
      attached = true;
      running.push(...sinks.map((sink) => start(log, sink, stop.signal, logger)));
    },
    onAway: (error) =>
      logger.warn({ code: codeOf(error) }, `waiting for the engine: ${messageOf(error)}`),
  });
  return {
    ready: { metricsPort: endpoint.port },
    close: async () => {
      stop.abort();
      await Promise.allSettled(running.map((sink) => sink.finished));
      await endpoint.close();
      await link.close();
    },
  };
}

function alertSinks(config: SinksConfig, secret: KeyObject | undefined): Sink[] {
  const { webhook } = config;
  if (webhook === undefined) return [];
  return [alertSink((body, key) => postAlert(body, key, { ...webhook, secret }))];
}

function start(log: Log, sink: Sink, signal: AbortSignal, logger: Logger): RunningSink {
  const running = runSink({
    log,
    sink,
    signal,
    onRefused: ({ topic, code, message }) =>
      logger.error({ code, sink: sink.name, topic }, message),
    onDropped: (count) =>
      logger.warn(
        { sink: sink.name, count },
        "the log skipped records for a sink that was too slow",
      ),
    onError: (error) => logger.error({ code: error.code, sink: sink.name }, error.message),
  });
  running.finished.catch((error: unknown) => {
    logger.fatal({ code: codeOf(error), sink: sink.name }, messageOf(error));
    process.exit(1);
  });
  return running;
}

/** The secret of a file that only its owner may read. No message holds its content. */
async function readSecret(file: string): Promise<KeyObject> {
  const fail = (reason: string): OpenCdnError =>
    new OpenCdnError("OCDN_CONFIG", `reading the webhook's secret ${file}: ${reason}`);
  const handle = await open(file, "r").catch((error: unknown) => {
    throw fail(messageOf(error));
  });
  try {
    const { mode, size } = await handle.stat();
    if ((mode & 0o077) !== 0) throw fail("others may read it; set its mode to 600");
    if (size === 0 || size > maxSecretBytes)
      throw fail(`it has ${size} bytes, not 1 to ${maxSecretBytes}`);
    return createSecretKey(Buffer.from((await handle.readFile("utf8")).trim()));
  } finally {
    await handle.close();
  }
}

if (isMain(import.meta.url)) {
  await runAsProcess({ role: "sinks", run: (config, logger) => run(config as SinksInput, logger) });
}
