import type { Logger } from "pino";
import { codeOf, messageOf } from "../../streams/errors.ts";

/** Faults of one kind that are written out within a minute. */
const perMinute = 5;
const minuteMs = 60_000;

/** Writes down what handlers throw, with its stack; a fault that comes with every request fills no disk. */
export function faultLog(logger: Logger): (error: unknown) => void {
  let count = 0;
  let sinceMs = 0;
  return (error) => {
    const nowMs = performance.now();
    if (nowMs - sinceMs > minuteMs) {
      sinceMs = nowMs;
      count = 0;
    }
    count += 1;
    if (count > perMinute) return;
    const stack = error instanceof Error ? error.stack : undefined;
    logger.error({ code: codeOf(error), stack }, `answering a request: ${messageOf(error)}`);
  };
}
