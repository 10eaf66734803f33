import type { Logger } from "pino";
import { Backoff, pause } from "../streams/backoff.ts";
import { codeOf, messageOf } from "../streams/errors.ts";
import type { Log } from "../streams/log.ts";
import type { Sink } from "../streams/sink.ts";
import { type RunSinkOptions, runSink } from "../streams/sink-runner.ts";

const firstRestartMs = 500;
const longestRestartMs = 30_000;

export interface HostOptions {
  readonly log: Log;
  readonly sink: Sink;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly limits?: Pick<RunSinkOptions, "attempts" | "handlerMs">;
  readonly onState?: (connected: boolean) => void;
}

/**
 * Runs a sink until the signal aborts. One that cannot go on (another process runs it too, say) is told on the log and
 * begun again after a growing pause; the others in this process do not notice.
 */
export async function hostSink(options: HostOptions): Promise<void> {
  const { log, sink, logger, signal, limits = {}, onState } = options;
  const backoff = new Backoff(firstRestartMs, longestRestartMs);
  while (!signal.aborted) {
    const startedMs = performance.now();
    const running = runSink({
      log,
      sink,
      signal,
      ...limits,
      ...(onState === undefined ? {} : { onState }),
      onRefused: ({ topic, code, message }) =>
        logger.error({ code, sink: sink.name, topic }, message),
      onDropped: (count) =>
        logger.warn({ sink: sink.name, count }, "records were skipped: the sink was too slow"),
      onError: ({ code, message }) => logger.error({ code, sink: sink.name }, message),
    });
    try {
      await running.finished;
    } catch (error) {
      logger.error({ code: codeOf(error), sink: sink.name }, messageOf(error));
    }
    if (performance.now() - startedMs > longestRestartMs) backoff.reset();
    await pause(backoff.next(), signal);
  }
}
