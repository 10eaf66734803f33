import type { Logger } from "pino";
import { connectLog } from "../streams/embedded/client.ts";
import { codeOf, messageOf } from "../streams/errors.ts";
import type { Log } from "../streams/log.ts";
import { LogLink } from "../streams/log-link.ts";
import { isMain, type Running, runAsProcess } from "../streams/process-shell.ts";
import { readConfig } from "../streams/read-config.ts";
import { openRedis } from "../streams/redis/redis-connection.ts";
import { readRedisPassword } from "../streams/redis/redis-password.ts";
import { alertSink } from "./alerts/alerts.ts";
import { readSecret } from "./alerts/secret.ts";
import { longestPostMs, postAlert } from "./alerts/webhook.ts";
import { type SinksConfig, type SinksInput, sinksSchema } from "./config.ts";
import { type HostOptions, hostSink } from "./hosted-sink.ts";
import { type Endpoint, type Page, plain, servePages } from "./metrics/endpoint.ts";
import { maxScores } from "./metrics/limits.ts";
import { Metrics } from "./metrics/metrics.ts";
import { mirrorSeries } from "./metrics/mirror-series.ts";
import { scoreScripts } from "./scores/redis-score-scripts.ts";
import { RedisScoreTable } from "./scores/redis-score-table.ts";
import { ScoreMirror } from "./scores/score-mirror.ts";
import { MemoryScoreTable, type ScoreTable } from "./scores/score-table.ts";
import { scoreSink } from "./scores/scores.ts";

const connectTimeoutMs = 2_000;
const defaultScores = 100;

type Hosted = Pick<HostOptions, "sink" | "limits" | "onState">;

/**
 * Runs scores, metrics and alerts in one process. `/metrics` (Prometheus), `/scores` (JSON, best first) and `/healthz`
 * answer at once; the engine is waited for.
 */
export async function run(input: SinksInput, logger: Logger): Promise<Running> {
  const config = readConfig(sinksSchema, input, "the sinks");
  const stop = new AbortController();
  const scores = new MemoryScoreTable();
  const metrics = new Metrics({
    info: { geo_attribution: config.attribution },
    nowMs: () => Date.now(),
  });
  let healthy = false;
  const onState = (connected: boolean): void => {
    healthy = connected;
    metrics.connected = connected;
  };
  const mirror = await openMirror(config, scores, logger);
  if (mirror !== undefined) mirrorSeries(metrics.registry, () => mirror.mirror.state);
  const hosted: Hosted[] = [
    { sink: scoreSink(scores, mirror?.mirror) },
    { sink: metrics.sink, onState },
    ...(await alertSinks(config, stop.signal)),
  ];
  const endpoint = await serve(config, { metrics, scores, healthy: () => healthy });
  let ended: Promise<unknown> = Promise.resolve();
  const link = new LogLink({
    connect: () =>
      connectLog({ folder: config.folder, name: "sinks", timeoutMs: connectTimeoutMs }),
    onLog: (log: Log) => {
      const { signal } = stop;
      ended = Promise.all(hosted.map((each) => hostSink({ ...each, log, logger, signal })));
    },
    onAway: (error) =>
      logger.warn({ code: codeOf(error) }, `waiting for the engine: ${messageOf(error)}`),
  });
  return {
    ready: { metricsPort: endpoint.port },
    close: async () => {
      stop.abort();
      await ended;
      await mirror?.close();
      await endpoint.close();
      await link.close();
    },
  };
}

interface OpenMirror {
  readonly mirror: ScoreMirror;
  close(): Promise<void>;
}

/** The table in Redis, where one is configured. Nothing waits for it: `/scores` is served from memory. */
async function openMirror(
  { redis: config }: SinksConfig,
  memory: MemoryScoreTable,
  logger: Logger,
): Promise<OpenMirror | undefined> {
  if (config === undefined) return undefined;
  const password = await readRedisPassword(config, process.env);
  const redis = await openRedis({
    config,
    password,
    scripts: scoreScripts,
    onState: (state) => mirror.connection(state),
  });
  const mirror = new ScoreMirror({ memory, table: new RedisScoreTable(redis), logger });
  mirror.start();
  const close = async (): Promise<void> => {
    await mirror.close();
    redis.close();
  };
  return { mirror, close };
}

/** Alerts try again by themselves, so that the runner does not, and gives them the time for it. */
async function alertSinks({ webhook }: SinksConfig, signal: AbortSignal): Promise<Hosted[]> {
  if (webhook === undefined) return [];
  const secret =
    webhook.secretFile === undefined ? undefined : await readSecret(webhook.secretFile);
  const options = { ...webhook, secret };
  return [
    {
      sink: alertSink((body, key) => postAlert(body, key, options, signal)),
      limits: { attempts: 1, handlerMs: longestPostMs(options) + 1_000 },
    },
  ];
}

function serve(
  { metricsHost: host, metricsPort: port }: SinksConfig,
  { metrics, scores, healthy }: { metrics: Metrics; scores: ScoreTable; healthy: () => boolean },
): Promise<Endpoint> {
  const { registry } = metrics;
  const pages = new Map<string, (query: URLSearchParams) => Promise<Page> | Page>([
    [
      "/metrics",
      async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    ],
    ["/scores", (query) => scorePage(scores, query)],
    ["/healthz", () => (healthy() ? plain(200, "ok") : plain(503, "the engine is away"))],
  ]);
  return servePages({ host, port, pages });
}

async function scorePage(scores: ScoreTable, query: URLSearchParams): Promise<Page> {
  const asked = query.get("top") ?? String(defaultScores);
  if (!/^[0-9]{1,4}$/.test(asked) || Number(asked) > maxScores) {
    return plain(400, `top is a whole number up to ${maxScores}`);
  }
  const best = await scores.top(Number(asked));
  const shown = best.map(({ eventId: _eventId, logicVersion: _logicVersion, ...score }) => score);
  return { contentType: "application/json", text: `${JSON.stringify(shown)}\n` };
}

if (isMain(import.meta.url)) {
  await runAsProcess({ role: "sinks", run: (config, logger) => run(config as SinksInput, logger) });
}
